//! Checkpoints: everything a run needs to go on as if it had never stopped.
//!
//! A checkpoint is a model folder with the optimiser's state and the run's counters beside it:
//!
//! ```text
//! RUN/checkpoints/step-00001200/
//!   config.json  model.safetensors  tokenizer.json        the model, readable by itself
//!   optimizer.safetensors  [ema.safetensors]              what moves it
//!   state.json                                            step, counters, lengths of the logs
//!   checksums.json                                        size and hash of every other file
//! ```
//!
//! It is written beside its place, made durable, and renamed: what has the name is whole. Hashes
//! catch what happens to it later.

mod find;
mod retain;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use find::{Found, Sound, find, verify};
pub use retain::retain;

use crate::exact;
use crate::learner::LearnerState;
use crate::metrics::Lengths;
use crate::storage::StagedFolder;
use crate::{Task, TrainError};

const FOLDER: &str = "checkpoints";
const PREFIX: &str = "step-";
const STATE: &str = "state.json";
const CHECKSUMS: &str = "checksums.json";

/// Version of the layout that is written.
const FORMAT: u32 = 1;

/// The best evaluation so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Its step.
    pub step: u64,
    /// Its loss in nats per token.
    #[serde(with = "exact")]
    pub loss: f64,
}

/// Sums over the updates since the last line of the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Σ loss · weight.
    #[serde(with = "exact")]
    pub loss: f64,
    /// Σ weight.
    #[serde(with = "exact")]
    pub weight: f64,
    /// Tokens read.
    pub tokens: u64,
}

/// The counters of a run. The position in the data needs no entry of its own: a batch is a function of
/// the step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Version of the layout.
    pub format: u32,
    /// Updates made or tried.
    pub step: u64,
    /// Tokens trained on.
    pub tokens: u64,
    /// Seconds of training over all sittings.
    #[serde(with = "exact")]
    pub seconds: f64,
    /// Fingerprint of the training data.
    pub data: String,
    /// Lengths of the logs.
    pub logs: Lengths,
    /// Sums for the next line of the metrics.
    pub window: Window,
    /// The best evaluation so far.
    pub best: Option<Best>,
    /// Evaluations since the best one.
    pub since_best: u64,
    /// Whether the run has come to its end, by its last step or by stopping early.
    pub finished: bool,
    /// Counters of the task's learners by name.
    pub learners: BTreeMap<String, LearnerState>,
}

impl RunState {
    /// The state before the first update.
    pub fn new(data: String) -> Self {
        RunState {
            format: FORMAT,
            step: 0,
            tokens: 0,
            seconds: 0.0,
            data,
            logs: Lengths::default(),
            window: Window::default(),
            best: None,
            since_best: 0,
            finished: false,
            learners: BTreeMap::new(),
        }
    }
}

/// The folder of all checkpoints of a run.
pub fn folder(run: &Path) -> PathBuf {
    run.join(FOLDER)
}

/// The folder of one checkpoint.
pub fn path(run: &Path, step: u64) -> PathBuf {
    folder(run).join(format!("{PREFIX}{step:08}"))
}

/// Writes a checkpoint of `task` and returns its folder. The counters of the learners are put into
/// `state` on the way.
///
/// # Errors
/// [`TrainError::Write`]; earlier checkpoints are untouched.
pub fn save(run: &Path, state: &mut RunState, task: &dyn Task) -> Result<PathBuf, TrainError> {
    let mut staged = StagedFolder::new(&path(run, state.step))?;
    state.learners = task.save(&mut staged)?;
    write_json(&mut staged, STATE, state)?;
    let checksums = staged.checksums().clone();
    write_json(&mut staged, CHECKSUMS, &checksums)?;
    staged.commit()
}

fn write_json<T: Serialize>(folder: &mut StagedFolder, name: &str, value: &T) -> Result<(), TrainError> {
    let text = serde_json::to_string_pretty(value).map_err(TrainError::damaged(&folder.path().join(name)))?;
    folder.write(name, (text + "\n").as_bytes())
}
