//! Rectifiers in plain tensor operations.

use burn::tensor::Tensor;

pub(crate) fn leaky_relu<const D: usize>(x: Tensor<D>, slope: f64) -> Tensor<D> {
    gate(x.clone(), x, slope)
}

pub(crate) fn gate<const D: usize>(x: Tensor<D>, rectified: Tensor<D>, slope: f64) -> Tensor<D> {
    let less = x.clone().mul_scalar(slope);
    x.mask_where(rectified.detach().lower_equal_elem(0.0), less)
}
