//! Affine maps over the last axis, with an activation.

mod portable;

use burn::tensor::Tensor;

use crate::Activation;

/// `f(x·W + b)` over the last axis.
///
/// Shapes: `x` `[.., in]`, `weight` `[in, out]`, `bias` `[out]`; the result is `[.., out]`.
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<D> {
    portable::linear(x, weight, bias, activation)
}
