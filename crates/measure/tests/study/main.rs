//! Studies from the sweep file to the table, with runs that are made up.

mod compare;
mod engine;
mod fake;
mod kill;
mod output;
#[cfg(unix)]
mod process;
