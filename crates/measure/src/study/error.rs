//! Everything that can be wrong with a study, with the remedy.

use std::fmt;
use std::io;
use std::path::PathBuf;

use mixlab_core::{Diagnose, ExitKind};

/// An error of a sweep or a comparison.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// A file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A TOML file is not TOML, or not of the expected shape.
    #[error("`{}` is not a valid {what}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Line, column and the parser's message.
        source: Box<toml::de::Error>,
    },
    /// A state file of a cell is not what this program writes.
    #[error("`{}` is not the state of a cell", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// The parser's message.
        source: serde_json::Error,
    },
    /// A sweep without a seed, without a metric, or with an axis without a value.
    #[error("{what} is empty")]
    Empty {
        /// The list.
        what: String,
    },
    /// The same thing twice in a list where each must be unique.
    #[error("{what} `{value}` is given twice")]
    Twice {
        /// The list.
        what: String,
        /// The repeated entry.
        value: String,
    },
    /// An axis is neither a key with values nor a list of options.
    #[error("axis `{axis}` must have either `key` and `values`, or `options`")]
    AxisShape {
        /// The axis.
        axis: String,
    },
    /// Two parts of the sweep set one key.
    #[error("`{key}` is set both by {first} and by {second}")]
    Contested {
        /// The config key.
        key: String,
        /// The first part.
        first: String,
        /// The second part.
        second: String,
    },
    /// A name that cannot be part of a folder name.
    #[error("`{name}` cannot name an axis, a name is made of letters, digits, `_`, `-` and `.`")]
    Name {
        /// The name.
        name: String,
    },
    /// Two cells would share a folder because their values differ only in replaced characters.
    #[error("two cells are called `{cell}`")]
    SameFolder {
        /// The shared name.
        cell: String,
    },
    /// A cell's folder name is longer than file systems take.
    #[error("the cell name `{cell}` has {length} bytes, the limit is {limit}")]
    LongName {
        /// The name.
        cell: String,
        /// Its length.
        length: usize,
        /// The longest that is accepted.
        limit: usize,
    },
    /// A metric that is neither known nor defined.
    #[error("unknown metric `{name}`, known are: {known}")]
    UnknownMetric {
        /// The name.
        name: String,
        /// All names that would have been accepted.
        known: String,
    },
    /// A definition under `[metric.NAME]` that nothing lists.
    #[error("`[metric.{name}]` is defined but not listed in `metrics`")]
    UnusedMetric {
        /// The name.
        name: String,
    },
    /// A metric without a source of its own and without a preset to take it from.
    #[error("`[metric.{name}]` needs `{missing}`, because no known metric has that name")]
    IncompleteMetric {
        /// The metric.
        name: String,
        /// The absent key.
        missing: &'static str,
    },
    /// Cells whose config is not valid; nothing was run.
    #[error("{} of {total} cells have an invalid config; the first is `{}`: {}", cells.len(), cells[0].0, cells[0].1)]
    InvalidCells {
        /// Cell and message; never empty.
        cells: Vec<(String, String)>,
        /// Cells of the sweep.
        total: usize,
    },
    /// Folders that hold something else than this sweep would put there; nothing was run.
    #[error("{} cells hold results of another config; the first is {}", cells.len(), cells[0])]
    Stale {
        /// The cells; never empty.
        cells: Vec<StaleCell>,
    },
    /// Another process works in the output folder.
    #[error("another process is running a sweep, or a cell of one, in `{}`", folder.display())]
    Busy {
        /// The output folder.
        folder: PathBuf,
    },
    /// A line of `metrics.jsonl` in the middle of the file cannot be read.
    #[error("line {line} of `{}` is damaged: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A metrics file without a single complete line.
    #[error("`{}` holds no complete line", path.display())]
    NoLines {
        /// The file.
        path: PathBuf,
    },
    /// Two runs with the same config and seed.
    #[error("`{}` and `{}` have the same config and the same seed", first.display(), second.display())]
    SameRun {
        /// The first folder.
        first: PathBuf,
        /// The second folder.
        second: PathBuf,
    },
    /// A picture could not be drawn.
    #[error("cannot draw `{name}`: {problem}")]
    Draw {
        /// The picture.
        name: String,
        /// What the drawing library said.
        problem: String,
    },
}

impl Diagnose for StudyError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            StudyError::Contested { .. } => {
                "one key belongs to one axis; set several keys together as `options`"
            }
            StudyError::SameFolder { .. } => "give the values names of their own with `options`",
            StudyError::LongName { .. } => "shorten the axis names, or name the values with `options`",
            StudyError::UnknownMetric { .. } => {
                "define it under `[metric.NAME]` with `field`, `source`, `take` and `better`"
            }
            StudyError::InvalidCells { .. } => {
                "nothing was run; change the axes so that every combination is valid"
            }
            StudyError::Stale { .. } => {
                "choose another `out`, or delete the cells' folders under `cells` and files under `state` to run them again"
            }
            StudyError::State { .. } => "delete it and the cell's folder under `cells` to run the cell again",
            StudyError::Busy { .. } => "wait for it, or end it: a cell that is under way is resumed later",
            StudyError::Line { .. } => "`mixlab resume` cuts a metrics file back to its last checkpoint",
            StudyError::NoLines { .. } => "the run has not logged anything yet; `mixlab resume` continues it",
            StudyError::SameRun { .. } => "they are one measurement, not two; leave one out",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn exit(&self) -> ExitKind {
        match self {
            StudyError::Write { .. } | StudyError::Draw { .. } => ExitKind::Failed,
            _ => ExitKind::Usage,
        }
    }
}

/// A cell whose stored state does not belong to the sweep as it is written now.
#[derive(Clone, Debug, PartialEq)]
pub struct StaleCell {
    /// The cell.
    pub cell: String,
    /// What does not fit.
    pub reason: StaleReason,
}

/// Why a stored cell is not reused.
#[derive(Clone, Debug, PartialEq)]
pub enum StaleReason {
    /// Its config was another one: key, then, now. A key that was absent has `None`.
    Config(Vec<(String, Option<String>, Option<String>)>),
    /// It was finished, but its `metrics.jsonl` is gone or is not the one that was finished.
    Metrics,
    /// A run folder without a state file.
    Unknown,
}

impl fmt::Display for StaleCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: ", self.cell)?;
        match &self.reason {
            StaleReason::Metrics => {
                write!(f, "metrics.jsonl is not the file that was there when it finished")
            }
            StaleReason::Unknown => write!(f, "the folder exists but this sweep did not make it"),
            StaleReason::Config(changes) => {
                for (i, (key, then, now)) in changes.iter().enumerate() {
                    let side = |v: &Option<String>| v.clone().unwrap_or_else(|| "absent".to_owned());
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}{key} was {}, is {}", side(then), side(now))?;
                }
                Ok(())
            }
        }
    }
}
