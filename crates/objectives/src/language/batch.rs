//! A batch of tokens as tensors, with targets and weights.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_core::Precision;

/// Positions with weight zero cost nothing below this share of scored positions.
const SPARSE: f64 = 0.5;

/// Inputs `[batch, n]`, and target and weight of every scored position.
#[derive(Clone, Debug)]
pub struct LanguageBatch {
    inputs: Tensor<2, Int>,
    scored: Option<Tensor<1, Int>>,
    targets: Tensor<1, Int>,
    weights: Tensor<1>,
}

impl LanguageBatch {
    /// Puts `batch` rows of `length` tokens on `device`. `targets` and `weights` have one entry a
    /// position; the weights are divided by `normaliser`, the total weight of the optimiser step.
    ///
    /// When most weights are zero, as in masked language modelling, the output projection is computed
    /// for the others only.
    ///
    /// # Panics
    /// If the three slices do not have `batch · length` entries each.
    pub fn new(
        [batch, length]: [usize; 2],
        inputs: &[u32],
        targets: &[u32],
        weights: &[f32],
        normaliser: f64,
        device: &Device,
        precision: Precision,
    ) -> Self {
        let count = batch * length;
        assert_eq!([inputs.len(), targets.len(), weights.len()], [count; 3], "one entry a position");
        let scored: Vec<usize> = (0..count).filter(|&i| weights[i] != 0.0).collect();
        let sparse = !scored.is_empty() && (scored.len() as f64) < SPARSE * count as f64;
        let rows: Vec<usize> = if sparse { scored } else { (0..count).collect() };
        let targets = rows.iter().map(|&i| targets[i]);
        let weights: Vec<f64> = rows.iter().map(|&i| f64::from(weights[i]) / normaliser).collect();
        LanguageBatch {
            targets: ints(targets, [rows.len()], device),
            weights: Tensor::from_data(TensorData::new(weights, [rows.len()]), (device, precision.dtype())),
            scored: sparse.then(|| ints(rows.iter().map(|&i| i as u32), [rows.len()], device)),
            inputs: ints(inputs.iter().copied(), [batch, length], device),
        }
    }

    /// Token ids `[batch, n]`.
    pub fn inputs(&self) -> Tensor<2, Int> {
        self.inputs.clone()
    }

    /// Flat indices of the scored positions, or none if all positions are scored.
    pub fn scored(&self) -> Option<Tensor<1, Int>> {
        self.scored.clone()
    }

    /// Target ids of the scored positions.
    pub fn targets(&self) -> Tensor<1, Int> {
        self.targets.clone()
    }

    /// Weights of the scored positions, divided by the normaliser.
    pub fn weights(&self) -> Tensor<1> {
        self.weights.clone()
    }
}

fn ints<const D: usize>(
    values: impl Iterator<Item = u32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D, Int> {
    let values: Vec<i64> = values.map(i64::from).collect();
    Tensor::from_data(TensorData::new(values, shape), (device, DType::I64))
}
