//! Weight clipping, `w ← max(−c, min(c, w))` after every update of the critic, biases included.
//!
//! Whether that leaves a critic that still tells anything depends on its depth and width. Source: Arjovsky, Chintala and Bottou, "Wasserstein
//! GAN", 2017, algorithm 1 (c = 0.01).

use std::collections::BTreeMap;

use burn::tensor::Tensor;

/// Every number within ±`limit`.
pub fn clipped(values: BTreeMap<String, Tensor<1>>, limit: f64) -> BTreeMap<String, Tensor<1>> {
    values.into_iter().map(|(path, value)| (path, value.clamp(-limit, limit))).collect()
}
