//! Rotary position embedding.

mod backend;
pub(crate) mod cpu;
pub(crate) mod portable;
mod positions;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::cpu::serves;
use backend::RotaryBackend;

pub use positions::Positions;

/// Which channels form a rotated pair. A checkpoint fixes the layout: the two differ by a
/// permutation of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotaryLayout {
    /// Channel i pairs with channel i + w/2.
    SplitHalf,
    /// Channel 2i pairs with channel 2i + 1.
    Interleaved,
}

/// A rotation of the first channels of a head; the others stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RotaryOptions {
    /// Which channels form a pair.
    pub layout: RotaryLayout,
    /// Number w of rotated channels, even and at most the head width.
    pub width: usize,
    /// Base of the frequencies.
    pub base: f64,
}

impl RotaryOptions {
    /// # Panics
    /// If the rotated width is odd or larger than `head_width`.
    pub(crate) fn check(&self, head_width: usize) {
        let width = self.width;
        assert!(
            width.is_multiple_of(2) && width <= head_width,
            "rotated width {width} must be even and at most the head width {head_width}"
        );
    }
}

/// Rotates the first w channels of each head; the others stay.
///
/// Pair i at position p turns by the angle `p · base^(−2i/w)`:
/// `(a, b) ← (a·cos − b·sin, a·sin + b·cos)`. Source: Su et al., "RoFormer", 2021, equation 34.
///
/// Shapes: `x` `[batch, n, heads, width]`; row t stands at `positions.at(t)`: `start + t` if a number
/// is given.
///
/// # Panics
/// If w is odd or larger than the head width.
pub fn rotary(x: Tensor<4>, options: RotaryOptions, positions: impl Into<Positions>) -> Tensor<4> {
    let positions = positions.into();
    options.check(x.dims()[3]);
    if options.width == 0 || !serves(&x) {
        return portable::rotary(x, options, positions);
    }
    let rotation = cpu::Rotation::new(options, positions, x.dims()[1]);
    Tensor::from_dispatch(Dispatch::fused_rotary(x.into_dispatch(), rotation))
}
