//! A table as text for people and as text for programs.

mod cells;
mod data;
mod people;

pub(super) use cells::{decimals, value};
pub(super) use data::{csv, json, runs_csv};
pub(super) use people::{markdown, text};
