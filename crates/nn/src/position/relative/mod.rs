//! Additive biases on attention scores that depend on the offset between key and query alone.

mod rotary;
mod t5;
mod toeplitz;

use burn::module::Module;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_base, check_deviation, default_base, default_deviation};
use crate::{Builder, ModelError};

pub use rotary::RotaryBias;
pub use t5::{T5Bias, t5_bucket};
pub use toeplitz::{LengthToeplitzBias, ToeplitzBias};

/// An additive bias by relative position.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RelativeBiasConfig {
    /// No bias.
    #[default]
    None,
    /// One value an offset, counted from the longest length trained for: the same offset has the same
    /// value at every length.
    Toeplitz {
        /// Standard deviation of the first values.
        #[serde(default = "default_deviation")]
        deviation: f64,
    },
    /// One value an offset, counted from the present length, as in the FLASH paper's appendix: an offset
    /// has another value at another length. Only for weights that were trained so.
    ToeplitzByLength {
        /// Standard deviation of the first values.
        #[serde(default = "default_deviation")]
        deviation: f64,
    },
    /// The product of two learned vectors rotated by their positions; defined at every offset (the FLASH
    /// paper's form for long sequences).
    Rotary {
        /// Length of the two vectors, an even number.
        #[serde(default = "default_rotary_width")]
        width: usize,
        /// Ratio of the slowest turn to the fastest, nearly.
        #[serde(default = "default_base")]
        base: f64,
        /// Standard deviation of the first values.
        #[serde(default = "default_deviation")]
        deviation: f64,
    },
    /// One value a bucket of offsets, exact for small ones and logarithmic for large ones, as in T5.
    T5 {
        /// Number of buckets.
        #[serde(default = "default_buckets")]
        buckets: usize,
        /// Offset from which on all share the last bucket.
        #[serde(default = "default_max_distance")]
        max_distance: usize,
        /// Factor on the values.
        #[serde(default = "default_scale")]
        scale: f64,
        /// Standard deviation of the first values.
        #[serde(default = "default_deviation")]
        deviation: f64,
    },
}

fn default_rotary_width() -> usize {
    128
}

fn default_buckets() -> usize {
    32
}

fn default_max_distance() -> usize {
    128
}

fn default_scale() -> f64 {
    1.0
}

impl RelativeBiasConfig {
    /// # Errors
    /// A number outside its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        let key = |name: &str| format!("model.mixer.relative_bias.{name}");
        match *self {
            RelativeBiasConfig::None => Ok(()),
            RelativeBiasConfig::Toeplitz { deviation }
            | RelativeBiasConfig::ToeplitzByLength { deviation } => {
                check_deviation(&key("deviation"), deviation)
            }
            RelativeBiasConfig::Rotary { width, base, deviation } => {
                if width == 0 || !width.is_multiple_of(2) {
                    return Err(ModelError::out_of_range(
                        key("width"),
                        width,
                        "an even number of at least 2",
                    ));
                }
                check_base(&key("base"), base)?;
                check_deviation(&key("deviation"), deviation)
            }
            RelativeBiasConfig::T5 { buckets, max_distance, scale, deviation } => {
                // Bidirectional use halves the buckets, and half of those are exact.
                if buckets < 4 || !buckets.is_multiple_of(4) {
                    return Err(ModelError::out_of_range(key("buckets"), buckets, "a multiple of 4"));
                }
                if max_distance <= buckets / 2 {
                    let expected = format!("more than half of the {buckets} buckets");
                    return Err(ModelError::out_of_range(key("max_distance"), max_distance, expected));
                }
                if !scale.is_finite() {
                    return Err(ModelError::out_of_range(key("scale"), scale, "a finite number"));
                }
                check_deviation(&key("deviation"), deviation)
            }
        }
    }

    /// The bias of a mixer that attends over at most `max_length` positions.
    pub fn init(&self, max_length: usize, builder: &Builder) -> Option<RelativeBias> {
        Some(match *self {
            RelativeBiasConfig::None => return None,
            RelativeBiasConfig::Toeplitz { deviation } => {
                RelativeBias::Toeplitz(ToeplitzBias::new(max_length, deviation, builder))
            }
            RelativeBiasConfig::ToeplitzByLength { deviation } => {
                RelativeBias::ToeplitzByLength(LengthToeplitzBias::new(max_length, deviation, builder))
            }
            RelativeBiasConfig::Rotary { width, base, deviation } => {
                RelativeBias::Rotary(RotaryBias::new(width, base, deviation, builder))
            }
            RelativeBiasConfig::T5 { buckets, max_distance, scale, deviation } => {
                RelativeBias::T5(T5Bias::new(buckets, max_distance, scale, deviation, builder))
            }
        })
    }

    /// Whether there is a bias at all.
    pub fn is_none(&self) -> bool {
        *self == RelativeBiasConfig::None
    }

    /// The longest sequence the bias is defined for when trained for `max_length`, if there is one.
    pub fn maximum_length(&self, max_length: usize) -> Option<usize> {
        match self {
            RelativeBiasConfig::Toeplitz { .. } | RelativeBiasConfig::ToeplitzByLength { .. } => {
                Some(max_length)
            }
            RelativeBiasConfig::None | RelativeBiasConfig::Rotary { .. } | RelativeBiasConfig::T5 { .. } => {
                None
            }
        }
    }

    /// Whether the value of an offset is the same at every length.
    pub fn is_length_free(&self) -> bool {
        match self {
            RelativeBiasConfig::ToeplitzByLength { .. } => false,
            RelativeBiasConfig::None
            | RelativeBiasConfig::Toeplitz { .. }
            | RelativeBiasConfig::Rotary { .. }
            | RelativeBiasConfig::T5 { .. } => true,
        }
    }
}

/// The rectangle of (query, key) pairs a bias is needed for. Queries are the last `queries` of the
/// `keys` positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Number of query positions n.
    pub queries: usize,
    /// Number of key positions m, at least n.
    pub keys: usize,
    /// Whether later keys are hidden.
    pub causal: bool,
}

impl Span {
    /// A sequence that attends to itself.
    pub fn square(length: usize, causal: bool) -> Self {
        Span { queries: length, keys: length, causal }
    }

    /// Number of distinct offsets, n + m − 1.
    pub fn len(&self) -> usize {
        self.queries + self.keys - 1
    }

    /// Whether there is no pair at all.
    pub fn is_empty(&self) -> bool {
        self.queries == 0
    }

    /// The offsets key position − query position in order, from −(m−1) to n−1.
    pub fn offsets(&self) -> impl Iterator<Item = i64> {
        -(self.keys as i64 - 1)..self.queries as i64
    }
}

/// A bias by relative position, single-headed.
#[derive(Module, Debug)]
pub enum RelativeBias {
    /// One value an offset, counted from the maximum length.
    Toeplitz(ToeplitzBias),
    /// One value an offset, counted from the present length.
    ToeplitzByLength(LengthToeplitzBias),
    /// Product of two rotated vectors.
    Rotary(RotaryBias),
    /// One value a bucket.
    T5(T5Bias),
}

impl RelativeBias {
    /// The values `[n + m − 1]` of the offsets of `span` in order: what
    /// [`mixlab_kernels::score_attention`] takes as its bias.
    pub fn values(&self, span: Span) -> Tensor<1> {
        match self {
            RelativeBias::Toeplitz(bias) => bias.values(span),
            RelativeBias::ToeplitzByLength(bias) => bias.values(span),
            RelativeBias::Rotary(bias) => bias.values(span),
            RelativeBias::T5(bias) => bias.values(span),
        }
    }
}

#[cfg(test)]
mod tests;
