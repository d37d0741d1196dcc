//! The affine map in plain tensor operations.

use burn::tensor::Tensor;

use crate::Activation;
use crate::activation::portable;

pub(crate) fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<D> {
    let mut shape = x.dims();
    let [width, out] = weight.dims();
    let rows: usize = shape[..D - 1].iter().product();
    let flat: Tensor<2> = x.reshape([rows, width]).matmul(weight);
    let flat = match bias {
        Some(bias) => flat + bias.unsqueeze(),
        None => flat,
    };
    shape[D - 1] = out;
    portable::activation(flat, activation).reshape(shape)
}
