//! Rotary position embedding.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::cpu::serves;
use backend::RotaryBackend;

/// Which channels form a rotated pair. A checkpoint fixes the layout: the two differ by a
/// permutation of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotaryLayout {
    /// Channel i pairs with channel i + w/2.
    SplitHalf,
    /// Channel 2i pairs with channel 2i + 1.
    Interleaved,
}

/// Rotates the first `rotated_width` channels w of each head; the others stay.
///
/// Pair i at position p turns by the angle `p · base^(−2i/w)`:
/// `(a, b) ← (a·cos − b·sin, a·sin + b·cos)`. Source: Su et al., "RoFormer", 2021, equation 34.
///
/// Shapes: `x` `[batch, n, heads, width]`; row t stands at position `start + t`.
///
/// # Panics
/// If `rotated_width` is odd or larger than the head width.
pub fn rotary(
    x: Tensor<4>,
    layout: RotaryLayout,
    rotated_width: usize,
    base: f64,
    start: usize,
) -> Tensor<4> {
    let width = x.dims()[3];
    assert!(
        rotated_width.is_multiple_of(2) && rotated_width <= width,
        "rotated width {rotated_width} must be even and at most the head width {width}"
    );
    if rotated_width == 0 || !serves(&x) {
        return portable::rotary(x, layout, rotated_width, base, start);
    }
    let positions = start..start + x.dims()[1];
    let rotation = cpu::Rotation::new(layout, rotated_width / 2, base, positions);
    Tensor::from_dispatch(Dispatch::fused_rotary(x.into_dispatch(), rotation))
}
