//! Studies: many runs, one table.
//!
//! A [`SweepFile`] names a base config, axes of overrides and seeds. [`Grid`] expands it to
//! [`Cell`]s; [`sweep`] runs each in a folder of its own through a [`CellRunner`], skips what is
//! finished, goes on after a failure and after `kill -9`, and rewrites the tables and pictures after
//! every cell, so that a study of several days can be read at any time. [`compare`] makes the same
//! [`Study`] of runs that exist already.
//!
//! What is reported is always the mean, the sample standard deviation, the range and the number of
//! runs behind them; runs that failed stay in the table as failures.

mod chart;
mod compare;
mod desk;
mod engine;
mod error;
mod file;
mod grid;
mod metric;
mod numbered;
mod process;
mod render;
mod results;
mod run;
mod state;
mod statistics;
mod table;
mod tree;

pub use compare::compare;
pub use engine::{CellEnd, CellError, CellRunner, Event, Outcome, Place, SweepOptions, plan, sweep};
pub use error::{StaleCell, StaleReason, StudyError};
pub use file::{Axis, AxisOption, SweepFile};
pub use grid::{Cell, Grid, SEED_KEY};
pub use metric::{Better, Metric, MetricConfig, Source, Take, presets};
pub use process::ProcessRunner;
pub use results::{Group, RunRecord, RunStatus, Study};
pub use run::{Line, Run};
pub use statistics::{Summary, median};
pub use table::{Column, Row, Table};
