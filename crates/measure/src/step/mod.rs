//! The time of one update, beside the arithmetic in it and the fastest this machine computes.

mod ceiling;
mod profile;

use std::time::Instant;

use mixlab_train::{Config, Observer, TrainError, task};
use serde::Serialize;

use crate::memory::{page_faults, peak_memory_mib};
use crate::plan::arithmetic;
use crate::study::median;

pub use ceiling::ceiling_gflops;
pub use profile::{OperationShare, PassShare};

/// How often an update is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepOptions {
    /// Updates before the clock starts: they fill caches and buffers.
    pub warm_up: u64,
    /// Updates that are timed, each by itself.
    pub rounds: u64,
    /// Whether to split the updates by operation.
    pub profile: bool,
}

impl Default for StepOptions {
    fn default() -> Self {
        StepOptions { warm_up: 3, rounds: 10, profile: false }
    }
}

/// What an update takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// Median time of an update in milliseconds: batch, forward, backward, optimiser.
    pub median_ms: f64,
    /// The fastest.
    pub min_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// Tokens an update reads, over the median time.
    pub tokens_per_second: f64,
    /// Highest resident memory of the process, in MiB; absent where the system does not tell.
    pub peak_rss_mib: Option<f64>,
    /// Pages the system had to provide in an update, on average over those timed; absent where it does not tell.
    pub page_faults: Option<f64>,
    /// 10⁹ operations a second by the count of [`crate::cost::MultiplyAdds`], over the median time.
    pub gflops: f64,
    /// The fastest matrix product of the same process.
    pub ceiling_gflops: f64,
    /// `gflops` over `ceiling_gflops`.
    pub share_of_ceiling: f64,
    /// 10⁹ operations of an update by the count.
    pub gigaoperations: f64,
    /// Number of parameter values.
    pub parameters: usize,
    /// Number of tokens in the vocabulary, of models that read text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<usize>,
    /// Updates timed.
    pub rounds: u64,
    /// Where the time goes, on average over the updates timed, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Vec<PassShare>>,
}

/// Times the updates of a run that is not kept.
///
/// # Errors
/// What is wrong with the config or its data; [`TrainError::Diverged`] if it does not train.
pub fn measure_step(
    config: &Config,
    options: StepOptions,
    observer: &mut dyn Observer,
) -> Result<StepReport, TrainError> {
    let mut task = task(config, None, observer)?;
    observer.phase("measuring");
    let mut update = |step: u64| {
        let begin = Instant::now();
        task.update(step, config.learning_rate(step)).map(|update| (begin.elapsed().as_secs_f64(), update))
    };
    for step in 0..options.warm_up {
        update(step)?;
    }
    let (mut times, mut tokens) = (Vec::new(), 0);
    let rounds = options.rounds.max(1);
    if options.profile {
        mixlab_kernels::profile::open();
    }
    let faults_before = page_faults();
    for step in options.warm_up..options.warm_up + rounds {
        let (seconds, update) = update(step)?;
        times.push(seconds);
        tokens += update.tokens;
    }
    let page_faults =
        page_faults().zip(faults_before).map(|(after, before)| (after - before) as f64 / rounds as f64);
    let profile = options
        .profile
        .then(|| profile::shares(&mixlab_kernels::profile::close(), rounds, times.iter().sum()));
    // Before the ceiling is measured, so that its matrices are not part of the peak.
    let peak_rss_mib = peak_memory_mib(std::process::id());
    let middle = median(&times).unwrap_or(f64::NAN);
    let ceiling_gflops = ceiling_gflops(&config.run.device.device(), config.run.precision);
    let description = task.describe();
    let gigaoperations = arithmetic(config, &description).update_operations() / 1e9;
    Ok(StepReport {
        median_ms: 1e3 * middle,
        min_ms: 1e3 * times.iter().copied().fold(f64::INFINITY, f64::min),
        max_ms: 1e3 * times.iter().copied().fold(0.0, f64::max),
        tokens_per_second: tokens as f64 / times.len() as f64 / middle,
        peak_rss_mib,
        page_faults,
        gflops: gigaoperations / middle,
        ceiling_gflops,
        share_of_ceiling: gigaoperations / middle / ceiling_gflops,
        gigaoperations,
        parameters: description.parameter_count,
        vocabulary: description.data.vocabulary(),
        rounds,
        profile,
    })
}
