//! Products of a value and an activated gate.

mod portable;

use burn::tensor::Tensor;

use crate::Activation;

/// `value ⊙ f(gate)`; all three have the same shape.
pub fn gated_product<const D: usize>(value: Tensor<D>, gate: Tensor<D>, activation: Activation) -> Tensor<D> {
    portable::gated_product(value, gate, activation)
}

/// The gated product of the two halves of the last axis: `x[.., ..h] ⊙ f(x[.., h..])`, `[.., 2h]` to `[.., h]`.
pub fn glu<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    portable::glu(x, activation)
}
