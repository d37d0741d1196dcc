//! The time of an update of a critic and of its generator, each by itself.

use mixlab_train::{Config, Observer, TrainError, adversarial_task};
use serde::Serialize;

use crate::study::median;

/// How often a round of updates is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnsOptions {
    /// Rounds before the clock starts.
    pub warm_up: u64,
    /// Rounds that are timed.
    pub rounds: u64,
}

impl Default for TurnsOptions {
    fn default() -> Self {
        TurnsOptions { warm_up: 3, rounds: 20 }
    }
}

/// What a turn of each player takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TurnsReport {
    /// Of the critic: samples, gradients, optimiser.
    pub critic: Turn,
    /// Of the generator.
    pub generator: Turn,
}

/// Milliseconds of one kind of turn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Turn {
    /// The median.
    pub median_ms: f64,
    /// Every one of them, in order.
    pub all_ms: Vec<f64>,
}

impl Turn {
    fn of(seconds: &[f64]) -> Self {
        let all_ms: Vec<f64> = seconds.iter().map(|seconds| 1e3 * seconds).collect();
        Turn { median_ms: median(&all_ms).unwrap_or(f64::NAN), all_ms }
    }
}

/// Times the turns of an adversarial run that is not kept.
///
/// # Errors
/// What is wrong with the config or its data; [`TrainError::Conflict`] for another objective.
pub fn measure_turns(
    config: &Config,
    options: TurnsOptions,
    observer: &mut dyn Observer,
) -> Result<TurnsReport, TrainError> {
    if config.objective.adversarial().is_none() {
        return Err(TrainError::Conflict {
            first: "`measure turns`".into(),
            second: "this objective".into(),
            reason: "only adversarial runs have players that take turns".into(),
            remedy: "time a whole update with `mixlab measure step`".into(),
        });
    }
    let mut task = adversarial_task(config, observer)?;
    observer.phase("measuring");
    let (mut critic, mut generator) = (Vec::new(), Vec::new());
    for step in 0..options.warm_up + options.rounds {
        let turns = task.timed_update(step, config.learning_rate(step))?;
        if step >= options.warm_up {
            critic.extend(turns.critic);
            generator.push(turns.generator);
        }
    }
    Ok(TurnsReport { critic: Turn::of(&critic), generator: Turn::of(&generator) })
}
