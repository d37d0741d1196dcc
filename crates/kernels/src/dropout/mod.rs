//! Keyed dropout: the mask is a pure function of (key, sample id, element).

mod backend;
mod cpu;
mod portable;
mod scores;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use mixlab_core::Key;

use crate::cpu::serves;
use backend::DropoutBackend;

pub(crate) use scores::{drop_scores, score_element};

/// One site's dropout in one step.
#[derive(Clone, Debug)]
pub struct Dropout {
    /// Share of elements set to zero, in [0, 1).
    pub rate: f64,
    /// The site's key for this step.
    pub key: Key,
    /// Sample id of each row of the batch.
    pub samples: Arc<[u64]>,
}

impl Dropout {
    /// An element is dropped if its 32 random bits are below this.
    pub(crate) fn threshold(&self) -> u32 {
        (self.rate * 2f64.powi(32)).round().min(f64::from(u32::MAX)) as u32
    }

    /// What survivors are multiplied by, so that the expectation stays.
    pub(crate) fn survivor_scale(&self) -> f64 {
        1.0 / (1.0 - self.rate)
    }
}

/// Inverted dropout over `x` `[batch, ..]`: element `i` of sample `a` is zero if the 32 bits of
/// element `i` in the stream of sample `a` are below `rate · 2³²`, and multiplied by `1/(1 − rate)` otherwise.
///
/// # Panics
/// If the batch axis and `options.samples` differ in length.
pub fn dropout<const D: usize>(x: Tensor<D>, options: &Dropout) -> Tensor<D> {
    assert_eq!(x.dims()[0], options.samples.len(), "one sample id a row of the batch");
    if !serves(&x) {
        return portable::dropout(x, options);
    }
    Tensor::from_dispatch(Dispatch::fused_dropout(x.into_dispatch(), options.clone()))
}
