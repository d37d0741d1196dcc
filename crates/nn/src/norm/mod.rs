//! Normalisation over channels. Formulas and the differences between sources:
//! [`mixlab_kernels::NormKind`].

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{NormKind, add_norm, norm};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Builder, Initialiser, ModelError};

/// Which normalisation a model uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NormConfig {
    /// γ ⊙ (x − mean) / sqrt(variance + ε) + β, with the biased variance.
    LayerNorm {
        /// ε, added to the variance.
        #[serde(default = "layer_norm_epsilon")]
        epsilon: f64,
    },
    /// x / sqrt(mean(x²) + ε), with a learned gain per channel unless `gain` is false.
    RmsNorm {
        /// ε, added to the mean square.
        #[serde(default = "rms_norm_epsilon")]
        epsilon: f64,
        /// Whether a gain per channel is learned.
        #[serde(default = "yes")]
        gain: bool,
    },
    /// ScaleNorm, variant A: g · x / max(‖x‖ / sqrt(d), ε), one learned scalar, ε as a floor.
    ScaleNormA {
        /// ε, the smallest divisor.
        #[serde(default = "scale_norm_epsilon")]
        epsilon: f64,
    },
    /// ScaleNorm, variant B: g · x / sqrt(mean(x²) + ε), one learned scalar, ε added.
    ScaleNormB {
        /// ε, added to the mean square.
        #[serde(default = "scale_norm_epsilon")]
        epsilon: f64,
    },
}

fn layer_norm_epsilon() -> f64 {
    1e-5
}

fn rms_norm_epsilon() -> f64 {
    1e-6
}

fn scale_norm_epsilon() -> f64 {
    1e-5
}

fn yes() -> bool {
    true
}

impl Default for NormConfig {
    fn default() -> Self {
        NormConfig::LayerNorm { epsilon: layer_norm_epsilon() }
    }
}

impl NormConfig {
    /// ε, wherever the variant adds it.
    pub fn epsilon(&self) -> f64 {
        match *self {
            NormConfig::LayerNorm { epsilon }
            | NormConfig::RmsNorm { epsilon, .. }
            | NormConfig::ScaleNormA { epsilon }
            | NormConfig::ScaleNormB { epsilon } => epsilon,
        }
    }

    /// # Errors
    /// ε is not positive.
    pub fn validate(&self) -> Result<(), ModelError> {
        let epsilon = self.epsilon();
        if epsilon > 0.0 && epsilon < 1.0 {
            return Ok(());
        }
        Err(ModelError::out_of_range(
            "model.norm.epsilon",
            epsilon,
            "a number between 0 and 1, both excluded",
        ))
    }

    /// The norm for vectors of `width` channels.
    pub fn init(&self, width: usize, builder: &Builder) -> Norm {
        let gain = |size: usize| Some(builder.parameter("gain", [size], Initialiser::Ones));
        let (kind, gain, bias) = match *self {
            NormConfig::LayerNorm { .. } => {
                (NormKind::Layer, gain(width), Some(builder.parameter("bias", [width], Initialiser::Zeros)))
            }
            NormConfig::RmsNorm { gain: learned, .. } => {
                (NormKind::Rms, if learned { gain(width) } else { None }, None)
            }
            NormConfig::ScaleNormA { .. } => (NormKind::ScaleClamp, gain(1), None),
            NormConfig::ScaleNormB { .. } => (NormKind::ScaleMean, gain(1), None),
        };
        Norm { gain, bias, kind, epsilon: self.epsilon() }
    }
}

/// A normalisation layer.
#[derive(Module, Debug)]
pub struct Norm {
    /// Gain per channel, or one scalar for ScaleNorm.
    gain: Option<Param<Tensor<1>>>,
    /// Bias per channel.
    bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    kind: NormKind,
    #[module(skip)]
    epsilon: f64,
}

impl Norm {
    /// Normalises the last axis; the shape stays.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        norm(x, self.kind, self.gain(), self.bias(), self.epsilon)
    }

    /// `norm(x + branch)` in one pass over the data.
    pub fn forward_sum<const D: usize>(&self, x: Tensor<D>, branch: Tensor<D>) -> Tensor<D> {
        add_norm(x, branch, 1.0, self.kind, self.gain(), self.bias(), self.epsilon)
    }

    fn gain(&self) -> Option<Tensor<1>> {
        self.gain.as_ref().map(Param::val)
    }

    fn bias(&self) -> Option<Tensor<1>> {
        self.bias.as_ref().map(Param::val)
    }
}
