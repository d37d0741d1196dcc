//! An affine map of each channel, then a rotation: the queries and keys of a gated attention unit.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::cpu::serves;
use crate::operand::Operand;
use crate::rotary::cpu::Rotation;
use crate::rotary::{Positions, RotaryOptions};
use backend::AffineRotaryBackend;

/// `rotate(x ⊙ γ + β)` with row `head` of γ and β; without β and without rotation where they are absent.
///
/// Shapes: `x` `[batch, n, s]`, `gamma` and `beta` `[heads, s]`; row t of x stands at `positions.at(t)`. The
/// rotation is that of [`rotary`](crate::rotary) with one head of width s. Source: Hua et al., "Transformer quality
/// in linear time", 2022, section 2.2.
///
/// # Panics
/// If there is no row `head`, or the rotated width is odd or larger than s.
pub fn affine_rotary(
    x: Tensor<3>,
    gamma: Tensor<2>,
    beta: Option<Tensor<2>>,
    head: usize,
    rotary: Option<RotaryOptions>,
    positions: impl Into<Positions>,
) -> Tensor<3> {
    let positions = positions.into();
    let [_, length, width] = x.dims();
    let [heads, _] = gamma.dims();
    assert!(head < heads, "head {head} of {heads}");
    assert_eq!(gamma.dims(), [heads, width], "factors of {heads} heads of width {width}");
    assert!(
        beta.as_ref().is_none_or(|beta| beta.dims() == [heads, width]),
        "offsets and factors differ in shape"
    );
    let rotary = rotary.filter(|options| options.width > 0);
    if let Some(options) = rotary {
        options.check(width);
    }
    if !serves(&x) {
        return portable::affine_rotary(x, gamma, beta, head, rotary, positions);
    }
    let rotation = rotary.map(|options| Rotation::new(options, positions, length));
    Tensor::from_dispatch(Dispatch::fused_affine_rotary(
        x.into_dispatch(),
        gamma.into_dispatch(),
        Operand::new(beta),
        cpu::Head { index: head, rotation },
    ))
}
