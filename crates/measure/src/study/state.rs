//! What a sweep remembers about a cell: one small file that is replaced whole.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mixlab_core::hash64;
use serde::{Deserialize, Serialize};

use super::error::{StaleCell, StaleReason, StudyError};
use super::run::METRICS;
use super::tree::{differences, fingerprint};
use crate::atomic;

/// How far a cell has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum Status {
    /// It was started; whether anything is in its folder is for its runner to find out.
    Started,
    /// It ended well.
    Finished {
        /// Hash of `metrics.jsonl` at that moment.
        metrics: String,
        /// What its runner measured about the run as a whole.
        report: BTreeMap<String, f64>,
    },
    /// It ended with an error.
    Failed {
        /// The chain of messages.
        error: String,
    },
}

/// The state file of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CellState {
    pub cell: String,
    pub fingerprint: String,
    #[serde(flatten)]
    pub status: Status,
    /// The resolved config, flat: what the fingerprint is of, kept so that a change can be named.
    pub config: BTreeMap<String, String>,
}

impl CellState {
    pub fn new(cell: &str, config: &BTreeMap<String, String>, status: Status) -> CellState {
        CellState { cell: cell.to_owned(), fingerprint: fingerprint(config), status, config: config.clone() }
    }

    /// Replaces the state file.
    pub fn write(&self, path: &Path) -> Result<(), StudyError> {
        let wrap = |source| StudyError::Write { path: path.to_owned(), source };
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| wrap(error.into()))?;
        text.push(b'\n');
        atomic::write(path, &text).map_err(wrap)
    }

    /// Reads a state file; `None` if there is none.
    pub fn read(path: &Path) -> Result<Option<CellState>, StudyError> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|source| StudyError::State { path: path.to_owned(), source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StudyError::Read { path: path.to_owned(), source }),
        }
    }
}

/// The stored state of a cell if it belongs to this config and this folder.
///
/// `Ok(Err(stale))` if something else is stored there.
pub(super) fn verified(
    cell: &str,
    config: &BTreeMap<String, String>,
    state_file: &Path,
    folder: &Path,
) -> Result<Result<Option<CellState>, StaleCell>, StudyError> {
    let stale = |reason| Ok(Err(StaleCell { cell: cell.to_owned(), reason }));
    let Some(state) = CellState::read(state_file)? else {
        return if folder.exists() { stale(StaleReason::Unknown) } else { Ok(Ok(None)) };
    };
    if state.fingerprint != fingerprint(config) {
        return stale(StaleReason::Config(differences(&state.config, config)));
    }
    if let Status::Finished { metrics, .. } = &state.status
        && metrics_hash(folder).ok().as_ref() != Some(metrics)
    {
        return stale(StaleReason::Metrics);
    }
    Ok(Ok(Some(state)))
}

/// A short name of the bytes of a run's `metrics.jsonl`.
pub(super) fn metrics_hash(folder: &Path) -> Result<String, StudyError> {
    let path: PathBuf = folder.join(METRICS);
    let bytes = fs::read(&path).map_err(|source| StudyError::Read { path, source })?;
    Ok(format!("{:016x}", hash64(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert_eq!(CellState::read(&path).unwrap(), None);
        let config = BTreeMap::from([("run.seed".to_owned(), "1".to_owned())]);
        for status in [
            Status::Started,
            Status::Finished { metrics: "00".to_owned(), report: BTreeMap::from([("m".to_owned(), 0.1)]) },
            Status::Failed { error: "no space".to_owned() },
        ] {
            let state = CellState::new("a", &config, status);
            state.write(&path).unwrap();
            assert_eq!(CellState::read(&path).unwrap(), Some(state));
        }
        fs::write(&path, "{\"cell\":").unwrap();
        assert!(matches!(CellState::read(&path), Err(StudyError::State { .. })));
    }
}
