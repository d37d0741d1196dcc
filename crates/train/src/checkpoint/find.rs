//! Finding the newest checkpoint that is sound.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{CHECKSUMS, FORMAT, PREFIX, RunState, STATE, folder};
use crate::storage::{self, Checksum};
use crate::{TrainError, model_folder};

/// A checkpoint whose every file is as it was written.
#[derive(Clone, Debug)]
pub struct Sound {
    /// Its folder.
    pub path: PathBuf,
    /// Its counters.
    pub state: RunState,
}

/// The checkpoints of a run.
#[derive(Debug, Default)]
pub struct Found {
    /// The newest sound one.
    pub good: Option<Sound>,
    /// Newer ones that are damaged, and how.
    pub damaged: Vec<(PathBuf, TrainError)>,
}

/// Looks for the newest sound checkpoint of a run.
///
/// # Errors
/// [`TrainError::Read`] if the folder cannot be listed. Damage to a checkpoint is no error.
pub fn find(run: &Path) -> Result<Found, TrainError> {
    let mut found = Found::default();
    for (_, path) in list(run)?.into_iter().rev() {
        match verify(&path) {
            Ok(state) => {
                found.good = Some(Sound { path, state });
                break;
            }
            Err(error) => found.damaged.push((path, error)),
        }
    }
    Ok(found)
}

/// Step and folder of every checkpoint, oldest first.
pub(super) fn list(run: &Path) -> Result<BTreeMap<u64, PathBuf>, TrainError> {
    let folder = folder(run);
    if !folder.is_dir() {
        return Ok(BTreeMap::new());
    }
    let mut checkpoints = BTreeMap::new();
    for entry in fs::read_dir(&folder).map_err(TrainError::read(&folder))? {
        let path = entry.map_err(TrainError::read(&folder))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(step) = name.strip_prefix(PREFIX).and_then(|step| step.parse().ok()) {
            checkpoints.insert(step, path);
        }
    }
    Ok(checkpoints)
}

/// Checks every file of a checkpoint against its hash.
///
/// # Errors
/// [`TrainError::Read`] or [`TrainError::Damaged`] for the first file that is not as it was written.
pub fn verify(path: &Path) -> Result<RunState, TrainError> {
    let checksums = path.join(CHECKSUMS);
    let expected: BTreeMap<String, Checksum> =
        serde_json::from_slice(&storage::read(&checksums)?).map_err(TrainError::damaged(&checksums))?;
    let listed = |name: &str| match expected.contains_key(name) {
        true => Ok(()),
        false => {
            Err(TrainError::Damaged { path: checksums.clone(), reason: format!("it does not list {name}") })
        }
    };
    [model_folder::CONFIG, model_folder::WEIGHTS, STATE].into_iter().try_for_each(listed)?;
    for (name, expected) in &expected {
        let path = path.join(name);
        let found = Checksum::of(&storage::read(&path)?);
        if found.bytes != expected.bytes {
            let reason = format!("it has {} bytes, {} were written", found.bytes, expected.bytes);
            return Err(TrainError::Damaged { path, reason });
        }
        if found != *expected {
            let reason = format!("its hash is {}, {} was written", found.xxh3, expected.xxh3);
            return Err(TrainError::Damaged { path, reason });
        }
    }
    // Models of images have no tokenizer.
    if model_folder::read_origin(path)?.tokenizer.is_some() {
        listed(model_folder::TOKENIZER)?;
    }
    let path = path.join(STATE);
    let state: RunState =
        serde_json::from_slice(&storage::read(&path)?).map_err(TrainError::damaged(&path))?;
    if state.format != FORMAT {
        let reason = format!("its format is {}, this version reads {FORMAT}", state.format);
        return Err(TrainError::Damaged { path, reason });
    }
    Ok(state)
}
