//! Products of a value and an activated gate.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::Activation;
use crate::cpu::serves;
use backend::GatedBackend;

/// `value ⊙ f(gate)`; all three have the same shape.
///
/// Source: Dauphin et al., "Language modeling with gated convolutional networks", 2017, equation 1, with
/// any activation in the place of the sigmoid (Shazeer 2020).
pub fn gated_product<const D: usize>(value: Tensor<D>, gate: Tensor<D>, activation: Activation) -> Tensor<D> {
    assert_eq!(value.dims(), gate.dims(), "shapes of the value and the gate");
    if !serves(&value) {
        return portable::gated_product(value, gate, activation);
    }
    Tensor::from_dispatch(Dispatch::fused_gated_product(
        value.into_dispatch(),
        gate.into_dispatch(),
        activation,
    ))
}

/// The gated product of the two halves of the last axis: `x[.., ..h] ⊙ f(x[.., h..])`, `[.., 2h]` to `[.., h]`.
///
/// # Panics
/// If the last axis is odd.
pub fn glu<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    let width = x.dims()[D - 1];
    assert!(width.is_multiple_of(2), "a width of {width} has no halves");
    if !serves(&x) {
        return portable::glu(x, activation);
    }
    Tensor::from_dispatch(Dispatch::fused_glu(x.into_dispatch(), activation))
}
