//! Token ids as a tensor.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// Rows of token ids of the given shape on `device`.
///
/// # Panics
/// If there are not as many ids as the shape has places.
pub(crate) fn token_ids(ids: &[u32], shape: [usize; 2], device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
    Tensor::from_data(TensorData::new(ids, shape), (device, DType::I64))
}
