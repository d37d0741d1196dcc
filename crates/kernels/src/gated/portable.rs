//! Gated products in plain tensor operations.

use burn::tensor::Tensor;

use crate::Activation;
use crate::activation::portable;

pub(crate) fn gated_product<const D: usize>(
    value: Tensor<D>,
    gate: Tensor<D>,
    activation: Activation,
) -> Tensor<D> {
    value * portable::activation(gate, activation)
}

pub(crate) fn glu<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    let half = x.dims()[D - 1] / 2;
    gated_product(x.clone().narrow(D - 1, 0, half), x.narrow(D - 1, half, half), activation)
}
