//! The folder of a run, from its making to its last file.
//!
//! ```text
//! RUN/
//!   config.toml                     the resolved configuration, with the origin of every value
//!   tokenizer.json                  the tokenizer, as soon as it is there
//!   metrics.jsonl  samples.txt  events.out.tfevents.0.mixlab
//!   checkpoints/step-00001200/      see `checkpoint`
//!   curves.svg  model/              at the end
//! ```

use std::fs;
use std::path::Path;

use mixlab_core::config::{Resolved, resolve};

use crate::model_folder::TOKENIZER;
use crate::storage::{self, is_partial};
use crate::{Config, TrainError, checkpoint};

/// Name of the resolved configuration in a run folder.
pub const RUN_CONFIG: &str = "config.toml";
/// Name of the picture in a run folder.
pub const CURVES: &str = "curves.svg";
/// Name of the folder of the final model in a run folder.
pub const MODEL: &str = "model";

/// Makes the folder of a new run and writes its configuration.
///
/// # Errors
/// [`TrainError::FolderInUse`] if anything is there already, [`TrainError::Write`].
pub(crate) fn create(run: &Path, resolved: &Resolved<Config>) -> Result<(), TrainError> {
    fs::create_dir_all(run).map_err(TrainError::write(run))?;
    if run.join(RUN_CONFIG).exists() {
        return Err(TrainError::FolderInUse { path: run.to_owned(), what: "a run" });
    }
    for entry in fs::read_dir(run).map_err(TrainError::read(run))? {
        if !is_partial(&entry.map_err(TrainError::read(run))?.path()) {
            return Err(TrainError::FolderInUse { path: run.to_owned(), what: "other files" });
        }
    }
    storage::write_atomic(&run.join(RUN_CONFIG), resolved.to_toml().as_bytes())?;
    make_checkpoints(run)
}

fn make_checkpoints(run: &Path) -> Result<(), TrainError> {
    let checkpoints = checkpoint::folder(run);
    fs::create_dir_all(&checkpoints).map_err(TrainError::write(&checkpoints))
}

/// Takes back what [`create`] and the preparation made, so that the same folder can be used once the
/// mistake is put right.
pub(crate) fn withdraw(run: &Path) {
    // An error is on its way already; what cannot be removed stays and is refused next time.
    let _ = fs::remove_dir(checkpoint::folder(run));
    for file in [TOKENIZER, RUN_CONFIG] {
        let _ = fs::remove_file(run.join(file));
    }
    let _ = fs::remove_dir(run);
}

/// Reads the configuration of a run.
///
/// # Errors
/// [`TrainError::NotARun`], or what is wrong with the configuration.
pub fn read_run_config(run: &Path) -> Result<Config, TrainError> {
    let path = run.join(RUN_CONFIG);
    if !path.is_file() {
        return Err(TrainError::NotARun { path: run.to_owned(), missing: RUN_CONFIG });
    }
    let text = String::from_utf8(storage::read(&path)?).map_err(TrainError::damaged(&path))?;
    Ok(resolve::<Config>(&[(path.display().to_string(), text)], &[])?.value)
}

/// Reads the configuration of a run and sweeps up what an interrupted write left.
///
/// # Errors
/// [`TrainError::NotARun`], or what is wrong with the configuration.
pub(crate) fn open(run: &Path) -> Result<Config, TrainError> {
    let config = read_run_config(run)?;
    storage::sweep(run)?;
    storage::sweep(&checkpoint::folder(run))?;
    Ok(config)
}
