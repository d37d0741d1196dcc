//! Affine maps over the last axis, with an activation.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::Activation;
use crate::cpu::serves;
use crate::operand::Operand;
use backend::LinearBackend;

/// `f(x·W + b)` over the last axis.
///
/// Shapes: `x` `[.., in]`, `weight` `[in, out]`, `bias` `[out]`; the result is `[.., out]`. The weight may be
/// a transposed view: nothing is copied.
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<D> {
    let [width, out] = weight.dims();
    assert_eq!(x.dims()[D - 1], width, "width of the input of a {width} x {out} map");
    assert!(bias.as_ref().is_none_or(|bias| bias.dims() == [out]), "bias of a map to {out}");
    if !serves(&x) {
        return portable::linear(x, weight, bias, activation);
    }
    Tensor::from_dispatch(Dispatch::fused_linear(
        x.into_dispatch(),
        weight.into_dispatch(),
        Operand::new(bias),
        activation,
    ))
}
