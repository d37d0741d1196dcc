//! Affine maps over the last axis, with an activation.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::{Dispatch, Flex};
use burn::tensor::Tensor;

use crate::Activation;
use crate::cpu::{primitive, serves, serves_untracked};
use crate::epilogue::Epilogue;
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

/// `x·W` with an epilogue, `[rows, in]` to `[rows, out]`; every row is a sample. Not tracked.
///
/// The weight may be a transposed view.
///
/// # Panics
/// If the widths differ, if operands of the epilogue do not belong to the result, or if a tensor is tracked.
pub fn linear_with(x: Tensor<2>, weight: Tensor<2>, epilogue: Epilogue<2>) -> Tensor<2> {
    let ([width, out], [rows, given]) = (weight.dims(), x.dims());
    assert_eq!(given, width, "width of the input of a {width} x {out} map");
    epilogue.check([rows, out]);
    if !serves_untracked(&x) {
        return epilogue.apply(x.matmul(weight));
    }
    let epilogue = epilogue.into_primitives();
    Tensor::from_primitive::<Flex>(cpu::finished(primitive(x), primitive(weight), &epilogue))
}

/// The gradient of the weight of an affine map, `xᵀ·dy` `[in, out]`, from its input `[rows, in]` and the gradient of its output `[rows, out]`.
/// Not tracked.
///
/// # Panics
/// If there are not as many rows of both, or if a tensor is tracked.
pub fn linear_weights(x: Tensor<2>, dy: Tensor<2>) -> Tensor<2> {
    assert_eq!(x.dims()[0], dy.dims()[0], "rows of the gradient of an affine map");
    if !serves_untracked(&x) {
        return x.transpose().matmul(dy);
    }
    Tensor::from_primitive::<Flex>(cpu::weights(primitive(x), primitive(dy)))
}
