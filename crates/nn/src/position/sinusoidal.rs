//! Sinusoidal absolute positions: `x_p ← x_p + g · (sin(p·θ_i), cos(p·θ_i))` with `θ_i = base^(−2i/d)`.
//!
//! Source: Vaswani et al. 2017, section 3.5 (g = 1, interleaved); Hua et al., "Transformer quality in
//! linear time", 2022, appendix: one learned scalar g, all sines before all cosines.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Builder, Initialiser};

/// Where sines and cosines stand among the channels. The two differ by a permutation of channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SinusoidalLayout {
    /// All sines, then all cosines.
    #[default]
    SplitHalf,
    /// Sine and cosine of one frequency side by side.
    Interleaved,
}

/// Sinusoidal absolute positions: `x_p ← x_p + g · (sin(p·θ_i), cos(p·θ_i))` with `θ_i = base^(−2i/d)`.
#[derive(Module, Debug)]
pub struct SinusoidalPosition {
    /// The scalar g when it is learned.
    scale: Option<Param<Tensor<1>>>,
    #[module(skip)]
    fixed_scale: f64,
    #[module(skip)]
    layout: SinusoidalLayout,
    #[module(skip)]
    base: f64,
}

impl SinusoidalPosition {
    /// Positions times `scale`, which is a parameter if `learned`.
    pub fn new(layout: SinusoidalLayout, base: f64, scale: f64, learned: bool, builder: &Builder) -> Self {
        let parameter = learned.then(|| builder.parameter("scale", [1], Initialiser::Constant(scale)));
        SinusoidalPosition { scale: parameter, fixed_scale: scale, layout, base }
    }

    /// Adds positions `start..start + n` to `x` `[batch, n, width]`.
    pub fn add(&self, x: Tensor<3>, start: usize) -> Tensor<3> {
        let [_, n, width] = x.dims();
        let table = waves(self.layout, self.base, start, n, width);
        let table: Tensor<3> =
            Tensor::from_data(TensorData::new(table, [1, n, width]), (&x.device(), x.dtype()));
        match &self.scale {
            Some(scale) => x + table * scale.val().unsqueeze(),
            None => x + table.mul_scalar(self.fixed_scale),
        }
    }
}

/// The unscaled values of positions `start..start + n`, row-major `[n, width]`.
fn waves(layout: SinusoidalLayout, base: f64, start: usize, n: usize, width: usize) -> Vec<f64> {
    let half = width / 2;
    let frequencies: Vec<f64> = (0..half).map(|i| base.powf(-((2 * i) as f64) / width as f64)).collect();
    let mut values = vec![0.0; n * width];
    for (row, out) in values.chunks_exact_mut(width).enumerate() {
        for (i, frequency) in frequencies.iter().enumerate() {
            let angle = (start + row) as f64 * frequency;
            let (sine, cosine) = match layout {
                SinusoidalLayout::SplitHalf => (i, half + i),
                SinusoidalLayout::Interleaved => (2 * i, 2 * i + 1),
            };
            (out[sine], out[cosine]) = angle.sin_cos();
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Width 4, base 10000: frequencies 1 and 0.01; position 3 by hand.
    #[test]
    fn golden_values_of_both_layouts() {
        let (s1, c1, s2, c2) = (0.141_120_008, -0.989_992_497, 0.029_995_500, 0.999_550_034);
        for (layout, expected) in [
            (SinusoidalLayout::SplitHalf, [s1, s2, c1, c2]),
            (SinusoidalLayout::Interleaved, [s1, c1, s2, c2]),
        ] {
            let found = waves(layout, 10_000.0, 2, 2, 4);
            for (a, b) in found[4..].iter().zip(expected) {
                assert!((a - b).abs() < 1e-8, "{layout:?}: {found:?}");
            }
        }
    }
}
