//! Between tensors and the plain numbers in which losses and constraints are defined: one a sample.

use burn::tensor::{DType, Device, Tensor, TensorData};

/// The numbers of a tensor.
pub(super) fn numbers(x: Tensor<1>) -> Vec<f64> {
    x.into_data().iter::<f64>().collect()
}

/// A tensor of numbers.
pub(super) fn vector(values: &[f64], device: &Device, dtype: DType) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), (device, dtype))
}

/// `[b]` as `[b, 1, 1, 1]`.
pub(super) fn column(x: &Tensor<1>) -> Tensor<4> {
    let batch = x.dims()[0];
    x.clone().reshape([batch, 1, 1, 1])
}
