//! Rotary position embedding: pairs of query and key channels turn by an angle that grows with the
//! position, so that a score depends on the distance of the two tokens.
//!
//! Pair i of the first w channels turns at position p by `p · base^(−2i/w)`. Source: Su et al.,
//! "RoFormer", 2021, equation 34. The two layouts differ by a permutation of channels: a checkpoint
//! fixes which one it is.

use burn::tensor::Tensor;
use mixlab_kernels::{Positions, RotaryLayout, RotaryOptions, rotary};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_base, default_base};
use crate::ModelError;

/// Which channels form a rotated pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RotaryLayoutConfig {
    /// No rotation.
    None,
    /// Channel i pairs with channel i + w/2 (FLASH, GPT-NeoX, Llama).
    #[default]
    SplitHalf,
    /// Channel 2i pairs with channel 2i + 1 (RoFormer, GAU-alpha, GPT-J).
    Interleaved,
}

/// Rotation of queries and keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RotaryConfig {
    /// Which channels form a pair, or `none` for no rotation.
    pub layout: RotaryLayoutConfig,
    /// Number of channels that are rotated, the first ones of each head; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// Ratio of the slowest turn to the fastest, nearly.
    pub base: f64,
}

impl Default for RotaryConfig {
    fn default() -> Self {
        RotaryConfig { layout: RotaryLayoutConfig::default(), width: None, base: default_base() }
    }
}

impl RotaryConfig {
    /// No rotation.
    pub fn none() -> Self {
        RotaryConfig { layout: RotaryLayoutConfig::None, ..RotaryConfig::default() }
    }

    /// Whether nothing is rotated.
    pub fn is_none(&self) -> bool {
        self.layout == RotaryLayoutConfig::None
    }

    /// # Errors
    /// The rotated width is odd, zero or above the head width, or the base is not above 1.
    pub fn validate(&self, head_width: usize) -> Result<(), ModelError> {
        if self.is_none() {
            return Ok(());
        }
        let width = self.width.unwrap_or(head_width);
        if width == 0 || !width.is_multiple_of(2) || width > head_width {
            let expected = format!("an even number from 2 to the head width {head_width}");
            return Err(ModelError::out_of_range("model.mixer.rotary.width", width, expected));
        }
        check_base("model.mixer.rotary.base", self.base)
    }

    /// The rotation of heads of `head_width` channels, if there is one.
    pub fn init(&self, head_width: usize) -> Option<Rotary> {
        let layout = match self.layout {
            RotaryLayoutConfig::None => return None,
            RotaryLayoutConfig::SplitHalf => RotaryLayout::SplitHalf,
            RotaryLayoutConfig::Interleaved => RotaryLayout::Interleaved,
        };
        let width = self.width.unwrap_or(head_width);
        Some(Rotary { options: RotaryOptions { layout, width, base: self.base } })
    }
}

/// A rotation with every size known.
#[derive(Clone, Copy, Debug)]
pub struct Rotary {
    options: RotaryOptions,
}

impl Rotary {
    /// Turns `x` `[batch, n, heads, head width]`, whose rows stand at `positions`.
    pub fn rotate(&self, x: Tensor<4>, positions: impl Into<Positions>) -> Tensor<4> {
        rotary(x, self.options, positions)
    }

    /// Layout, width and base, for operations that rotate on their way.
    pub fn options(&self) -> RotaryOptions {
        self.options
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device, TensorData};

    /// Frequencies of width 4 are 1 and 0.01: the second pair must turn slowly. A negated exponent
    /// (100 instead of 0.01) keeps every relative-position property and fails here.
    #[test]
    fn golden_values_of_both_layouts() {
        let (s1, c1, s2, c2) = (0.141_120_008, -0.989_992_497, 0.029_995_500, 0.999_550_034);
        for (layout, expected) in [
            // Pairs (x0, x2) and (x1, x3).
            (
                RotaryLayoutConfig::SplitHalf,
                [c1 - 3.0 * s1, 2.0 * c2 - 4.0 * s2, s1 + 3.0 * c1, 2.0 * s2 + 4.0 * c2],
            ),
            // Pairs (x0, x1) and (x2, x3).
            (
                RotaryLayoutConfig::Interleaved,
                [c1 - 2.0 * s1, s1 + 2.0 * c1, 3.0 * c2 - 4.0 * s2, 3.0 * s2 + 4.0 * c2],
            ),
        ] {
            let rotary = RotaryConfig { layout, width: Some(4), ..RotaryConfig::default() }.init(5);
            let x = TensorData::new(vec![1.0, 2.0, 3.0, 4.0, 5.0], [1, 1, 1, 5]);
            let x = Tensor::from_data(x, (&Device::flex(), DType::F64));
            let turned = rotary.expect("a layout was given").rotate(x, 3);
            let turned = turned.into_data().try_to_vec::<f64>().expect("double precision");
            for (a, b) in turned.iter().zip(expected.into_iter().chain([5.0])) {
                assert!((a - b).abs() < 1e-7, "{layout:?}: {turned:?}");
            }
        }
    }

    #[test]
    fn odd_and_oversized_widths_are_refused() {
        let width = |width| RotaryConfig { width: Some(width), ..RotaryConfig::default() };
        assert!(width(4).validate(8).is_ok());
        assert!(width(3).validate(8).is_err());
        assert!(width(10).validate(8).is_err());
        assert!(width(0).validate(8).is_err());
        assert!(RotaryConfig::default().validate(7).is_err(), "an odd head cannot turn whole");
        assert!(RotaryConfig::none().validate(7).is_ok());
        assert!(RotaryConfig { base: 1.0, ..RotaryConfig::default() }.validate(8).is_err());
    }
}
