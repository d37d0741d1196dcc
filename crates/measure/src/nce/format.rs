//! Formats of floating-point numbers.

use std::fmt;

use mixlab_kernels::Rounding;
use serde::Serialize;

/// A format of floating-point numbers that scores and probabilities are rounded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Format {
    /// IEEE single precision: 24 bits of precision.
    #[serde(rename = "f32")]
    Single,
    /// bfloat16: 8 bits of precision, the range of single precision.
    #[serde(rename = "bf16")]
    Bfloat16,
    /// IEEE half precision: 11 bits of precision; nothing below 6·10⁻⁸.
    #[serde(rename = "f16")]
    Half,
}

impl Format {
    /// All of them, the most precise first.
    pub const ALL: [Format; 3] = [Format::Single, Format::Bfloat16, Format::Half];

    /// The nearest number of the format.
    pub(super) fn round(self, x: f64) -> f64 {
        match self {
            Format::Single => f64::from(x as f32),
            Format::Bfloat16 | Format::Half => self.rounding().round(x),
        }
    }

    /// What makes the kernel round to it when its tensors are in single precision.
    pub(super) fn rounding(self) -> Rounding {
        match self {
            Format::Single => Rounding::None,
            Format::Bfloat16 => Rounding::Bfloat16,
            Format::Half => Rounding::Half,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Single => "f32",
            Format::Bfloat16 => "bf16",
            Format::Half => "f16",
        })
    }
}
