//! Which activations are kept for the backward pass, and the step backwards that can do without the others.
//!
//! A stack of L blocks that keeps the input of every k-th block only, and runs each segment of k blocks again when
//! its gradient is wanted, holds L/k inputs and the activations of k blocks: least at k = √L, for one more forward
//! pass. Source: Chen et al., "Training deep nets with sublinear memory cost", 2016, section 4.

use std::num::NonZeroUsize;

use burn::tensor::{Gradients, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which activations are kept for the backward pass: `"none"`, `"block"`, or the number of blocks in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected \"none\", \"block\" or a number of blocks of at least 1")]
pub enum RecomputeConfig {
    /// By name.
    Named(Recompute),
    /// The input of every so many blocks is kept, and all between computed again.
    Every(NonZeroUsize),
}

/// The kinds of recomputation that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Recompute {
    /// Everything is kept.
    None,
    /// The input of every block is kept, and each block computed again.
    Block,
}

impl Default for RecomputeConfig {
    fn default() -> Self {
        RecomputeConfig::Named(Recompute::None)
    }
}

impl RecomputeConfig {
    /// Number of blocks in a segment, if activations are computed again.
    pub fn segment(self) -> Option<usize> {
        match self {
            RecomputeConfig::Named(Recompute::None) => None,
            RecomputeConfig::Named(Recompute::Block) => Some(1),
            RecomputeConfig::Every(blocks) => Some(blocks.get()),
        }
    }
}

/// Backward from a given gradient of an output: the gradients of everything that `output` was computed from, where
/// `upstream` is the gradient of the loss by `output`. This is the vector–Jacobian product.
///
/// Autodiff always starts from ones, so the loss is `Σ output ⊙ upstream`, whose gradient by `output` is `upstream`
/// bit for bit. `upstream` is not tracked.
pub fn backward_from<const D: usize>(output: Tensor<D>, upstream: Tensor<D>) -> Gradients {
    (output * Tensor::from_inner(upstream)).sum().backward()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device, TensorData};

    #[test]
    fn the_seed_arrives_bit_for_bit() {
        let seed = [1.0f32, -0.0, 1e-45, 3.4e38, f32::INFINITY, 0.1, -7.25e-12, 1.000_000_1];
        let device = Device::flex();
        let data = || TensorData::new(seed.to_vec(), [2, 4]);
        let x = TensorData::new(vec![1.5f32; 8], [2, 4]);
        let x: Tensor<2> = Tensor::from_data(x, (&device.clone().autodiff(), DType::F32)).require_grad();
        let upstream: Tensor<2> = Tensor::from_data(data(), (&device, DType::F32));
        let mut gradients = backward_from(x.clone().reshape([4, 2]), upstream.reshape([4, 2]));
        let gradient = x.grad_remove(&mut gradients).expect("x is tracked").into_data();
        let bits: Vec<u32> = gradient.iter::<f32>().map(f32::to_bits).collect();
        assert_eq!(bits, seed.map(f32::to_bits));
    }

    #[test]
    fn names_and_numbers() {
        let read = |text: &str| serde_json::from_str::<RecomputeConfig>(text).map(RecomputeConfig::segment);
        assert_eq!(read("\"none\"").ok(), Some(None));
        assert_eq!(read("\"block\"").ok(), Some(Some(1)));
        assert_eq!(read("4").ok(), Some(Some(4)));
        for wrong in ["0", "-1", "1.5", "\"blocks\"", "true"] {
            let error = read(wrong).expect_err("not a kind of recomputation").to_string();
            assert!(error.contains("\"block\" or a number"), "{error}");
        }
    }
}
