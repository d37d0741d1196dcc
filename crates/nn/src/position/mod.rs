//! Where tokens stand: absolute positions added to embeddings, rotation of queries and keys, and
//! additive biases that depend on the distance between two tokens.

mod learned;
mod relative;
mod rotary;
mod sinusoidal;

use burn::module::Module;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Builder, ModelError};

pub use learned::LearnedPosition;
pub use relative::{
    LengthToeplitzBias, RelativeBias, RelativeBiasConfig, RotaryBias, Span, T5Bias, ToeplitzBias, t5_bucket,
};
pub use rotary::{Rotary, RotaryConfig, RotaryLayoutConfig};
pub use sinusoidal::{SinusoidalLayout, SinusoidalPosition};

/// Absolute positions added to the embedded tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PositionConfig {
    /// None: the token mixer alone knows about order.
    #[default]
    None,
    /// A learned vector for each position up to `model.max_length`; longer sequences are refused.
    Learned {
        /// Standard deviation of the first values.
        #[serde(default = "default_deviation")]
        deviation: f64,
    },
    /// Sines and cosines of fixed frequencies, times one scalar; defined at every length.
    Sinusoidal {
        /// Where the sines and cosines stand among the channels.
        #[serde(default)]
        layout: SinusoidalLayout,
        /// The scalar at the start; absent: 1/sqrt(width).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scale: Option<f64>,
        /// Whether the scalar is learned.
        #[serde(default = "yes")]
        learned: bool,
        /// Ratio of the longest wavelength to the shortest.
        #[serde(default = "default_base")]
        base: f64,
    },
}

pub(crate) fn default_deviation() -> f64 {
    0.02
}

pub(crate) fn default_base() -> f64 {
    10_000.0
}

fn yes() -> bool {
    true
}

impl PositionConfig {
    /// # Errors
    /// A number outside its range, or an odd width for sinusoidal positions.
    pub fn validate(&self, width: usize) -> Result<(), ModelError> {
        match *self {
            PositionConfig::None => Ok(()),
            PositionConfig::Learned { deviation } => check_deviation("model.position.deviation", deviation),
            PositionConfig::Sinusoidal { scale, base, .. } => {
                if !width.is_multiple_of(2) {
                    return Err(ModelError::out_of_range(
                        "model.width",
                        width,
                        "an even number, as sinusoidal positions pair channels",
                    ));
                }
                if scale.is_some_and(|scale| !scale.is_finite()) {
                    let found = scale.unwrap_or_default();
                    return Err(ModelError::out_of_range("model.position.scale", found, "a finite number"));
                }
                check_base("model.position.base", base)
            }
        }
    }

    /// The positions of a model of `width` channels trained for at most `max_length` tokens.
    pub fn init(&self, width: usize, max_length: usize, builder: &Builder) -> Option<Position> {
        match *self {
            PositionConfig::None => None,
            PositionConfig::Learned { deviation } => {
                Some(Position::Learned(LearnedPosition::new(width, max_length, deviation, builder)))
            }
            PositionConfig::Sinusoidal { layout, scale, learned, base } => {
                let scale = scale.unwrap_or_else(|| (width as f64).powf(-0.5));
                Some(Position::Sinusoidal(SinusoidalPosition::new(layout, base, scale, learned, builder)))
            }
        }
    }

    /// The longest sequence these positions are defined for, if there is one.
    pub fn maximum_length(&self, max_length: usize) -> Option<usize> {
        match self {
            PositionConfig::None | PositionConfig::Sinusoidal { .. } => None,
            PositionConfig::Learned { .. } => Some(max_length),
        }
    }
}

/// Absolute positions, ready to be added to embedded tokens.
#[derive(Module, Debug)]
pub enum Position {
    /// A learned vector for each position.
    Learned(LearnedPosition),
    /// Sines and cosines.
    Sinusoidal(SinusoidalPosition),
}

impl Position {
    /// Adds positions `start..start + n` to `x` `[batch, n, width]`.
    ///
    /// # Panics
    /// If learned positions end before `start + n`; [`Position::maximum_length`] tells.
    pub fn add(&self, x: Tensor<3>, start: usize) -> Tensor<3> {
        match self {
            Position::Learned(position) => position.add(x, start),
            Position::Sinusoidal(position) => position.add(x, start),
        }
    }

    /// The longest sequence these positions are defined for, if there is one.
    pub fn maximum_length(&self) -> Option<usize> {
        match self {
            Position::Learned(position) => Some(position.length()),
            Position::Sinusoidal(_) => None,
        }
    }
}

/// # Errors
/// The deviation is negative or not finite.
pub(crate) fn check_deviation(key: &str, deviation: f64) -> Result<(), ModelError> {
    if deviation >= 0.0 && deviation.is_finite() {
        return Ok(());
    }
    Err(ModelError::out_of_range(key, deviation, "a number of at least 0"))
}

/// # Errors
/// The base of the frequencies is not above 1 or not finite.
pub(crate) fn check_base(key: &str, base: f64) -> Result<(), ModelError> {
    if base > 1.0 && base.is_finite() {
        return Ok(());
    }
    Err(ModelError::out_of_range(key, base, "a number above 1"))
}
