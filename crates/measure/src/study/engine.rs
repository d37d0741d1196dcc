//! Runs the cells of a sweep, one after the other, as often as it takes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use toml::Table as Config;

use super::desk::{Desk, chain};
use super::error::StudyError;
use super::file::SweepFile;
use super::grid::{Cell, Grid};
use super::results::{Group, RunRecord, RunStatus, Study};
use super::tree::literals;

/// Whatever a runner fails with.
pub type CellError = Box<dyn std::error::Error + Send + Sync>;

/// How a cell ended when it did not fail.
#[derive(Clone, Debug, PartialEq)]
pub enum CellEnd {
    /// It is complete; numbers about the run as a whole, such as `peak_memory_mib`.
    Finished(BTreeMap<String, f64>),
    /// It was asked to stop, has saved, and can be resumed.
    Interrupted,
}

/// Where a cell works.
#[derive(Debug)]
pub struct Place<'a> {
    /// The run folder. It may be absent, half made, or hold the run up to some step.
    pub folder: &'a Path,
    /// A file for what the run prints, its folder exists.
    pub log: &'a Path,
    /// The study's lock. A child process that holds a copy keeps the study locked while it lives,
    /// also when the sweep itself was killed.
    pub lock: &'a File,
}

/// What trains a cell.
pub trait CellRunner {
    /// The complete config of a cell, defaults filled in. Called for every cell before any is run;
    /// two calls with equal results mean equal runs.
    ///
    /// # Errors
    /// The config is not valid.
    fn resolve(&mut self, cell: &Cell) -> Result<Config, CellError>;

    /// Starts the run of a cell, or resumes it from what is in its folder.
    ///
    /// # Errors
    /// The run failed. The sweep records the message and goes on with the next cell.
    fn run(&mut self, cell: &Cell, place: &Place) -> Result<CellEnd, CellError>;

    /// Whether the person at the terminal has asked to stop.
    fn interrupted(&self) -> bool {
        false
    }
}

/// Choices that belong to one call rather than to the sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepOptions {
    /// Run cells again that failed earlier. Without it they stay in the table as failures.
    pub retry_failed: bool,
}

/// What happens while a sweep runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// A cell had finished, or failed, in an earlier call.
    Skipped {
        /// The cell.
        cell: &'a Cell,
        /// The error it failed with, if it did.
        failed: Option<&'a str>,
    },
    /// A cell is started.
    Started {
        /// The cell.
        cell: &'a Cell,
        /// Its number from 1 in the order of running.
        number: usize,
        /// How many cells the sweep has.
        total: usize,
        /// Whether an earlier call had started it.
        resumed: bool,
    },
    /// A cell ended well.
    Finished {
        /// The cell.
        cell: &'a Cell,
    },
    /// A cell failed.
    Failed {
        /// The cell.
        cell: &'a Cell,
        /// With this error.
        error: &'a str,
    },
}

/// What a call of [`sweep`] came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The study with everything known at the end of the call.
    pub study: Study,
    /// Cells that have ended well, now or earlier.
    pub finished: usize,
    /// Cells that have failed, now or earlier.
    pub failed: usize,
    /// Cells that have not ended.
    pub pending: usize,
    /// Whether the call stopped because it was asked to.
    pub interrupted: bool,
    /// The tables and pictures written.
    pub files: Vec<PathBuf>,
}

/// The cells of a sweep, every config checked. Nothing is run or written.
///
/// # Errors
/// The file or a cell's config is not valid.
pub fn plan(file: &SweepFile, runner: &mut dyn CellRunner) -> Result<Grid, StudyError> {
    let grid = Grid::new(file)?;
    file.metrics()?;
    resolve_all(&grid, runner)?;
    Ok(grid)
}

/// Runs what is left of a sweep.
///
/// In the folder `out` of the file: `cells/NAME/` are the run folders, `state/NAME.json` says how far
/// each has come, `logs/` is what they printed, `sweep.toml` is a copy of the sweep; the tables and
/// pictures of [`Study::write`] are replaced after every cell. Killed at any moment, the next call
/// with the same file continues.
///
/// # Errors
/// The file or a cell's config is not valid; a folder holds results of another config; another
/// process runs the sweep; a state file or table cannot be written. A cell that fails is no error.
pub fn sweep(
    file: &SweepFile,
    runner: &mut dyn CellRunner,
    options: SweepOptions,
    observe: &mut dyn FnMut(Event),
) -> Result<Outcome, StudyError> {
    let grid = Grid::new(file)?;
    let metrics = file.metrics()?;
    let configs = resolve_all(&grid, runner)?;
    let desk = Desk::open(&file.out)?;
    let stored = desk.stored(&grid, &configs)?;
    desk.keep_copy(file)?;

    let mut statuses: Vec<RunStatus> = Vec::with_capacity(grid.cells.len());
    for (cell, state) in grid.cells.iter().zip(&stored) {
        statuses.push(desk.standing(cell, state.as_ref())?);
    }
    let study = |statuses: &[RunStatus]| Study {
        title: file.title(),
        axes: grid.axes.clone(),
        metrics: metrics.clone(),
        groups: group(&grid, statuses),
        notes: Vec::new(),
    };

    let mut interrupted = false;
    for (index, cell) in grid.cells.iter().enumerate() {
        match &statuses[index] {
            RunStatus::Finished(_) => {
                observe(Event::Skipped { cell, failed: None });
                continue;
            }
            RunStatus::Failed(error) if !options.retry_failed => {
                observe(Event::Skipped { cell, failed: Some(error) });
                continue;
            }
            RunStatus::Failed(_) | RunStatus::Pending => {}
        }
        if runner.interrupted() {
            interrupted = true;
            break;
        }
        let (number, total, resumed) = (index + 1, grid.cells.len(), stored[index].is_some());
        observe(Event::Started { cell, number, total, resumed });
        statuses[index] = desk.run(cell, &configs[index], runner)?;
        match &statuses[index] {
            RunStatus::Finished(_) => observe(Event::Finished { cell }),
            RunStatus::Failed(error) => observe(Event::Failed { cell, error }),
            RunStatus::Pending => {
                interrupted = true;
                break;
            }
        }
        study(&statuses).write(&file.out)?;
    }

    let study = study(&statuses);
    let files = study.write(&file.out)?;
    let count = |wanted: fn(&RunStatus) -> bool| statuses.iter().filter(|status| wanted(status)).count();
    Ok(Outcome {
        finished: count(|status| matches!(status, RunStatus::Finished(_))),
        failed: count(|status| matches!(status, RunStatus::Failed(_))),
        pending: count(|status| matches!(status, RunStatus::Pending)),
        study,
        interrupted,
        files,
    })
}

/// The config of every cell: a mistake in the last axis value shows before the first cell is run.
fn resolve_all(
    grid: &Grid,
    runner: &mut dyn CellRunner,
) -> Result<Vec<BTreeMap<String, String>>, StudyError> {
    let mut configs = Vec::new();
    let mut invalid = Vec::new();
    for cell in &grid.cells {
        match runner.resolve(cell) {
            Ok(config) => configs.push(literals(&config)),
            Err(error) => invalid.push((cell.name.clone(), chain(error.as_ref()))),
        }
    }
    if invalid.is_empty() {
        Ok(configs)
    } else {
        Err(StudyError::InvalidCells { cells: invalid, total: grid.cells.len() })
    }
}

fn group(grid: &Grid, statuses: &[RunStatus]) -> Vec<Group> {
    let records = |coordinates: &Vec<String>| {
        let members = grid.cells.iter().zip(statuses).filter(|(cell, _)| cell.coordinates == *coordinates);
        let record = |(cell, status): (&Cell, &RunStatus)| RunRecord {
            name: cell.name.clone(),
            seed: Some(cell.seed),
            status: status.clone(),
        };
        Group { coordinates: coordinates.clone(), runs: members.map(record).collect() }
    };
    grid.groups.iter().map(records).collect()
}
