//! Starting a run and going on with one.

use std::path::{Path, PathBuf};

use mixlab_core::config::Resolved;

use crate::checkpoint::{self, Best, RunState};
use crate::interrupt::Interrupt;
use crate::metrics::{METRICS, draw_curves, read_lines};
use crate::observer::Observer;
use crate::run_folder::{self, CURVES, MODEL};
use crate::storage::StagedFolder;
use crate::training::{End, TrainingLoop};
use crate::{Config, ModelChoice, Task, TrainError, prepare};

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It came to its end.
    Finished(Summary),
    /// It was asked to stop, saved, and can be resumed.
    Interrupted {
        /// Updates made.
        step: u64,
        /// The checkpoint it will go on from; absent if it was stopped before the first update.
        checkpoint: Option<PathBuf>,
    },
}

/// What a finished run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Updates made; fewer than configured if the run stopped early.
    pub steps: u64,
    /// Tokens trained on.
    pub tokens: u64,
    /// Seconds of training over all sittings.
    pub seconds: f64,
    /// The best evaluation, if there was one.
    pub best: Option<Best>,
    /// The folder of the final model.
    pub model: PathBuf,
    /// The step of the final model.
    pub model_step: u64,
}

/// Starts a run in a new folder.
///
/// # Errors
/// Whatever is wrong with configuration, data or folder, before anything is trained; a failed write or
/// a diverged run later.
pub fn run(
    resolved: &Resolved<Config>,
    out: &Path,
    observer: &mut dyn Observer,
    interrupt: &Interrupt,
) -> Result<Outcome, TrainError> {
    resolved.value.validate()?;
    run_folder::create(out, resolved)?;
    let prepared = prepare::task(&resolved.value, Some(out), observer);
    let mut task = prepared.inspect_err(|_| run_folder::withdraw(out))?;
    run_task(&resolved.value, out, &mut *task, observer, interrupt)
}

/// Goes on with a run from its newest sound checkpoint, or from its beginning if there is none.
///
/// # Errors
/// [`TrainError::NotARun`], [`TrainError::DataChanged`], and as [`run()`].
pub fn resume(out: &Path, observer: &mut dyn Observer, interrupt: &Interrupt) -> Result<Outcome, TrainError> {
    let config = run_folder::open(out)?;
    let mut task = prepare::task(&config, Some(out), observer)?;
    run_task(&config, out, &mut *task, observer, interrupt)
}

/// Runs a task from the newest sound checkpoint in `out`, or from its beginning if there is none.
///
/// # Errors
/// As [`resume()`].
pub fn run_task(
    config: &Config,
    out: &Path,
    task: &mut dyn Task,
    observer: &mut dyn Observer,
    interrupt: &Interrupt,
) -> Result<Outcome, TrainError> {
    let mut state = restore(out, task, observer)?;
    if !state.finished {
        let mut training = TrainingLoop::new(config, out, task, state, observer, interrupt)?;
        let end = training.run()?;
        state = training.into_state();
        if let End::Interrupted { checkpoint } = end {
            return Ok(Outcome::Interrupted { step: state.step, checkpoint });
        }
    }
    finish(config, out, task, state)
}

/// Loads the newest sound checkpoint, and names the damaged ones that are newer.
fn restore(out: &Path, task: &mut dyn Task, observer: &mut dyn Observer) -> Result<RunState, TrainError> {
    let fingerprint = task.data_fingerprint();
    let found = checkpoint::find(out)?;
    for (path, error) in &found.damaged {
        observer.notice(&format!("checkpoint {} is passed over: {error}", path.display()));
    }
    let Some(good) = found.good else { return Ok(RunState::new(fingerprint)) };
    if good.state.data != fingerprint {
        return Err(TrainError::DataChanged { expected: good.state.data, found: fingerprint });
    }
    task.load(&good.path, &good.state.learners)?;
    observer.notice(&format!("going on from {}", good.path.display()));
    Ok(good.state)
}

/// Draws the curves and writes the final model.
fn finish(config: &Config, out: &Path, task: &mut dyn Task, state: RunState) -> Result<Outcome, TrainError> {
    draw_curves(&out.join(CURVES), &read_lines(&out.join(METRICS))?)?;
    let mut model_step = state.step;
    if let (ModelChoice::Best, true, Some(best)) =
        (config.checkpoint.model, config.checkpoint.best, state.best)
    {
        if best.step != state.step {
            let path = checkpoint::path(out, best.step);
            let saved = checkpoint::verify(&path)?;
            task.load(&path, &saved.learners)?;
        }
        model_step = best.step;
    }
    task.draw(out)?;
    let model = out.join(MODEL);
    let mut folder = StagedFolder::new(&model)?;
    task.save_outcome(&mut folder)?;
    folder.commit()?;
    Ok(Outcome::Finished(Summary {
        steps: state.step,
        tokens: state.tokens,
        seconds: state.seconds,
        best: state.best,
        model,
        model_step,
    }))
}
