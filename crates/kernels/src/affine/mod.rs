//! A gain and a bias for every channel, with or without a sum: norms without statistics and LayerScale.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::cpu::serves;
use crate::operand::Operand;
use backend::AffineBackend;

/// `gain ⊙ x + bias` over the last axis (Touvron et al. 2021, "ResMLP", equation 1); the shape stays.
///
/// `gain` and `bias` are `[d]`; absent they are 1 and 0.
pub fn affine<const D: usize>(x: Tensor<D>, gain: Option<Tensor<1>>, bias: Option<Tensor<1>>) -> Tensor<D> {
    if !serves(&x) {
        return portable::affine(x, gain, bias, None);
    }
    fused(x, gain, bias, None)
}

/// `x + gain ⊙ branch` over the last axis: LayerScale (Touvron et al. 2021, "Going deeper with image transformers", equation 4).
///
/// `gain` is `[d]`, or `[1]` for one factor.
///
/// # Panics
/// If the shapes of the shortcut and the branch differ.
pub fn add_scaled<const D: usize>(x: Tensor<D>, gain: Tensor<1>, branch: Tensor<D>) -> Tensor<D> {
    assert_eq!(x.dims(), branch.dims(), "shapes of the shortcut and the branch");
    if !serves(&x) {
        return portable::affine(branch, Some(gain), None, Some(x));
    }
    fused(branch, Some(gain), None, Some(x))
}

fn fused<const D: usize>(
    x: Tensor<D>,
    gain: Option<Tensor<1>>,
    bias: Option<Tensor<1>>,
    shortcut: Option<Tensor<D>>,
) -> Tensor<D> {
    let width = x.dims()[D - 1];
    for parameter in gain.iter().chain(&bias) {
        let [length] = parameter.dims();
        assert!(length == width || length == 1, "a parameter of {length} on a width of {width}");
    }
    Tensor::from_dispatch(Dispatch::fused_affine(
        x.into_dispatch(),
        Operand::new(gain),
        Operand::new(bias),
        Operand::new(shortcut),
    ))
}
