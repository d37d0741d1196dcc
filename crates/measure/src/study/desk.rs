//! The output folder of a sweep: who may work in it, and what stands in it.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::engine::{CellEnd, CellRunner, Place};
use super::error::StudyError;
use super::file::SweepFile;
use super::grid::{Cell, Grid};
use super::results::RunStatus;
use super::run::Run;
use super::state::{CellState, Status, metrics_hash, verified};
use crate::atomic;

/// The output folder, locked.
pub(super) struct Desk {
    out: PathBuf,
    lock: File,
}

impl Desk {
    /// Makes the folder and takes its lock.
    pub fn open(out: &Path) -> Result<Desk, StudyError> {
        let wrap = |path: &Path, source| StudyError::Write { path: path.to_owned(), source };
        for folder in ["state", "cells", "logs"].map(|name| out.join(name)) {
            fs::create_dir_all(&folder).map_err(|source| wrap(&folder, source))?;
        }
        let path = out.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| wrap(&path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Desk { out: out.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(StudyError::Busy { folder: out.to_owned() }),
            Err(TryLockError::Error(source)) => Err(wrap(&path, source)),
        }
    }

    fn folder(&self, cell: &Cell) -> PathBuf {
        self.out.join("cells").join(&cell.name)
    }

    fn state_file(&self, cell: &Cell) -> PathBuf {
        self.out.join("state").join(format!("{}.json", cell.name))
    }

    /// Puts a copy of the sweep beside its results.
    pub fn keep_copy(&self, file: &SweepFile) -> Result<(), StudyError> {
        let path = self.out.join("sweep.toml");
        let wrap = |source| StudyError::Write { path: path.clone(), source };
        let text = toml::to_string(file).map_err(|error| wrap(std::io::Error::other(error)))?;
        atomic::write(&path, text.as_bytes()).map_err(wrap)
    }

    /// The state of every cell, if all of them belong to this sweep.
    pub fn stored(
        &self,
        grid: &Grid,
        configs: &[BTreeMap<String, String>],
    ) -> Result<Vec<Option<CellState>>, StudyError> {
        let mut states = Vec::new();
        let mut stale = Vec::new();
        for (cell, config) in grid.cells.iter().zip(configs) {
            match verified(&cell.name, config, &self.state_file(cell), &self.folder(cell))? {
                Ok(state) => states.push(state),
                Err(cell) => stale.push(cell),
            }
        }
        if stale.is_empty() { Ok(states) } else { Err(StudyError::Stale { cells: stale }) }
    }

    /// How a cell stands before anything is run.
    pub fn standing(&self, cell: &Cell, state: Option<&CellState>) -> Result<RunStatus, StudyError> {
        Ok(match state.map(|state| &state.status) {
            None | Some(Status::Started) => RunStatus::Pending,
            Some(Status::Failed { error }) => RunStatus::Failed(error.clone()),
            Some(Status::Finished { report, .. }) => {
                let run = Run::read(&self.folder(cell))?;
                RunStatus::Finished(Run { report: report.clone(), ..run })
            }
        })
    }

    /// Runs one cell and records how it ended.
    pub fn run(
        &self,
        cell: &Cell,
        config: &BTreeMap<String, String>,
        runner: &mut dyn CellRunner,
    ) -> Result<RunStatus, StudyError> {
        let state_file = self.state_file(cell);
        CellState::new(&cell.name, config, Status::Started).write(&state_file)?;
        let folder = self.folder(cell);
        let log = self.out.join("logs").join(format!("{}.txt", cell.name));
        let place = Place { folder: &folder, log: &log, lock: &self.lock };
        let (status, standing) = match ended(cell, &place, runner) {
            Ok(None) => return Ok(RunStatus::Pending),
            Ok(Some((metrics, run))) => {
                (Status::Finished { metrics, report: run.report.clone() }, RunStatus::Finished(run))
            }
            Err(error) => (Status::Failed { error: error.clone() }, RunStatus::Failed(error)),
        };
        CellState::new(&cell.name, config, status).write(&state_file)?;
        Ok(standing)
    }
}

/// The run and the hash of its metrics, `None` if it was interrupted, or the message it failed with.
///
/// A panic is a failure like any other: a study of several days does not end with one of its cells.
fn ended(cell: &Cell, place: &Place, runner: &mut dyn CellRunner) -> Result<Option<(String, Run)>, String> {
    let end = catch_unwind(AssertUnwindSafe(|| runner.run(cell, place)));
    let report = match end.map_err(|payload| format!("panicked: {}", words(payload.as_ref())))? {
        Ok(CellEnd::Interrupted) => return Ok(None),
        Ok(CellEnd::Finished(report)) => report,
        Err(error) => return Err(chain(error.as_ref())),
    };
    let metrics = metrics_hash(place.folder).map_err(|error| chain(&error))?;
    let run = Run::read(place.folder).map_err(|error| chain(&error))?;
    Ok(Some((metrics, Run { report, ..run })))
}

/// An error and its sources on one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn words(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
