//! A batch of sequences with their classes, as tensors.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_core::Precision;

/// What a classifier reads.
#[derive(Clone, Debug)]
pub enum ClassifierInputs {
    /// Normalised images, `[batch, height, width, channels]`.
    Images(Tensor<4>),
    /// Token ids, `[batch, n]`.
    Tokens(Tensor<2, Int>),
}

impl ClassifierInputs {
    /// Images of the shape `[batch, height, width, channels]` on `device`.
    pub fn images(pixels: &[f32], shape: [usize; 4], device: &Device, precision: Precision) -> Self {
        let pixels = TensorData::new(pixels.to_vec(), shape).convert_dtype(precision.dtype());
        ClassifierInputs::Images(Tensor::from_data(pixels, (device, precision.dtype())))
    }

    /// Token ids of the shape `[batch, n]` on `device`.
    pub fn tokens(ids: &[u32], shape: [usize; 2], device: &Device) -> Self {
        let ids: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
        ClassifierInputs::Tokens(Tensor::from_data(TensorData::new(ids, shape), (device, DType::I64)))
    }

    /// The same without gradient tracking.
    pub fn inner(self) -> Self {
        match self {
            ClassifierInputs::Images(images) => ClassifierInputs::Images(images.inner()),
            ClassifierInputs::Tokens(tokens) => ClassifierInputs::Tokens(tokens.inner()),
        }
    }
}

/// Inputs, and class probabilities and weight of every row.
#[derive(Clone, Debug)]
pub struct ClassificationBatch {
    pub(super) inputs: ClassifierInputs,
    /// `[batch, classes]`.
    pub(super) targets: Tensor<2>,
    /// `[batch, 1]`, divided by the normaliser.
    pub(super) weights: Tensor<2>,
}

impl ClassificationBatch {
    /// `targets` are probabilities, one row of as many as there are classes for each weight; the weights are divided by
    /// `normaliser`, the total weight of the optimiser step.
    ///
    /// # Panics
    /// If the targets are not whole rows.
    pub fn new(
        inputs: ClassifierInputs,
        targets: &[f32],
        weights: &[f32],
        normaliser: f64,
        device: &Device,
        precision: Precision,
    ) -> Self {
        let rows = weights.len();
        assert!(rows > 0 && targets.len().is_multiple_of(rows), "one row of targets for each weight");
        let tensor = |values: Vec<f64>, columns: usize| {
            Tensor::from_data(TensorData::new(values, [rows, columns]), (device, precision.dtype()))
        };
        let weights = weights.iter().map(|&weight| f64::from(weight) / normaliser).collect();
        ClassificationBatch {
            inputs,
            targets: tensor(targets.iter().map(|&target| f64::from(target)).collect(), targets.len() / rows),
            weights: tensor(weights, 1),
        }
    }
}
