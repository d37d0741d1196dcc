//! Whether the gradient of a contrastive batch is the same in chunks as whole, on the user's own model and data.

use burn::tensor::Tensor;
use mixlab_core::Precision;
use mixlab_train::{Config, Observer, TrainError, contrastive_task};
use serde::Serialize;

use super::compare::EXACT;
use crate::contrastive::contrastive_only;

/// Gradients below this share of the greatest of all count as if they were as large: of some parameters, such as the bias of keys,
/// nothing but rounding is left.
const SMALLEST: f64 = 1e-3;

/// How far the gradients of a parameter lie from that of the whole batch, relative to its largest component.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParameterGap {
    /// Path of the parameter.
    pub parameter: String,
    /// Computed chunk by chunk.
    pub cached: f64,
    /// Summed over small batches that know nothing of each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub naive: Option<f64>,
}

/// The gradient of one update computed in three ways.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CachedGradientsReport {
    /// Examples of the batch.
    pub batch: usize,
    /// Rows at a time in the cached way.
    pub chunk: usize,
    /// Examples of the small batches; absent if the batch cannot be divided into equal ones of two or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<usize>,
    /// Loss of the whole batch, in chunks, and the mean of the small batches.
    pub losses: [Option<f64>; 3],
    /// Of every parameter.
    pub parameters: Vec<ParameterGap>,
}

impl CachedGradientsReport {
    /// Whether chunks give the gradient of the whole batch.
    pub fn holds(&self) -> bool {
        let [whole, cached, _] = self.losses;
        let loss = whole.zip(cached).is_some_and(|(a, b)| (a - b).abs() <= EXACT * a.abs().max(1.0));
        loss && self.parameters.iter().all(|gap| gap.cached <= EXACT)
    }
}

/// Computes the first gradient of a contrastive run in double precision: of the whole batch in one graph, in chunks with the
/// same noise, and by adding up the gradients of small batches.
///
/// # Errors
/// [`TrainError::Conflict`] for another objective; whatever would keep the run from starting.
pub fn audit_cached_gradients(
    config: &Config,
    observer: &mut dyn Observer,
) -> Result<CachedGradientsReport, TrainError> {
    let reason = "its loss is a sum over rows, whose gradients add up by themselves";
    let objective = contrastive_only(config, "--cached-gradients", reason)?;
    let batch = config.train.batch;
    // A third that does not divide the batch, unless the config says how many.
    let configured = objective.chunk.map(|chunk| chunk.rows(config.train.length));
    let chunk = configured.filter(|&rows| rows < batch).unwrap_or(batch.div_ceil(3).max(1));
    let mut task = |batch: usize| {
        let mut config = config.clone();
        (config.train.accumulation, config.train.batch) = (config.train.batch / batch, batch);
        config.run.precision = Precision::F64;
        contrastive_task(&config, None, observer)
    };
    let whole_batch = task(batch)?;
    let (whole, expected) = whole_batch.gradient_in_chunks(0, None);
    let (in_chunks, cached) = whole_batch.gradient_in_chunks(0, Some(chunk));
    let micro_batch = (2..=chunk.min(batch / 2)).rev().find(|size| batch.is_multiple_of(*size));
    let small = micro_batch.map(&mut task).transpose()?.map(|task| task.gradient_in_chunks(0, None));
    let greatest = expected.values().map(largest).fold(f64::MIN_POSITIVE, f64::max);
    let gap = |path: &str, found: &Tensor<1>| {
        let expected = &expected[path];
        largest(&(found.clone() - expected.clone())) / largest(expected).max(SMALLEST * greatest)
    };
    let parameters = cached.iter().map(|(path, found)| ParameterGap {
        parameter: path.clone(),
        cached: gap(path, found),
        naive: small.as_ref().map(|(_, naive)| gap(path, &naive[path])),
    });
    Ok(CachedGradientsReport {
        batch,
        chunk,
        micro_batch,
        losses: [Some(whole.loss), Some(in_chunks.loss), small.as_ref().map(|(update, _)| update.loss)],
        parameters: parameters.collect(),
    })
}

fn largest(x: &Tensor<1>) -> f64 {
    x.clone().abs().max().into_scalar::<f64>()
}
