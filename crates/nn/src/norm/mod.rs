//! Normalisation over channels. Formulas and the differences between sources:
//! [`mixlab_kernels::NormKind`].

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{NormKind, add_norm, affine, norm};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dual::Dual;
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
    /// α ⊙ x + β: no statistics at all (ResMLP).
    Affine,
    /// Nothing.
    None,
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
    /// ε, wherever the variant adds it; absent where nothing is divided by.
    pub fn epsilon(&self) -> Option<f64> {
        match *self {
            NormConfig::Affine | NormConfig::None => None,
            NormConfig::LayerNorm { epsilon }
            | NormConfig::RmsNorm { epsilon, .. }
            | NormConfig::ScaleNormA { epsilon }
            | NormConfig::ScaleNormB { epsilon } => Some(epsilon),
        }
    }

    /// # Errors
    /// ε is not positive.
    pub fn validate(&self) -> Result<(), ModelError> {
        let Some(epsilon) = self.epsilon() else { return Ok(()) };
        if epsilon > 0.0 && epsilon < 1.0 {
            return Ok(());
        }
        Err(ModelError::out_of_range(
            "model.norm.epsilon",
            epsilon,
            "a number between 0 and 1, both excluded",
        ))
    }

    /// # Errors
    /// [`ModelError::Unsupported`] if the norm has no tangent, for critics.
    pub fn check_tangent(&self) -> Result<(), ModelError> {
        match self {
            NormConfig::LayerNorm { .. } | NormConfig::Affine | NormConfig::None => Ok(()),
            NormConfig::RmsNorm { .. } | NormConfig::ScaleNormA { .. } | NormConfig::ScaleNormB { .. } => {
                Err(ModelError::no_tangent("model.norm", "choose `layer_norm`, `affine` or `none`"))
            }
        }
    }

    /// The norm for vectors of `width` channels.
    pub fn init(&self, width: usize, builder: &Builder) -> Norm {
        let gain = |size: usize| Some(builder.parameter("gain", [size], Initialiser::Ones));
        let bias = || Some(builder.parameter("bias", [width], Initialiser::Zeros));
        let (form, gain, bias) = match *self {
            NormConfig::LayerNorm { epsilon } => {
                (Form::Divided { kind: NormKind::Layer, epsilon }, gain(width), bias())
            }
            NormConfig::RmsNorm { epsilon, gain: learned } => {
                let gain = if learned { gain(width) } else { None };
                (Form::Divided { kind: NormKind::Rms, epsilon }, gain, None)
            }
            NormConfig::ScaleNormA { epsilon } => {
                (Form::Divided { kind: NormKind::ScaleClamp, epsilon }, gain(1), None)
            }
            NormConfig::ScaleNormB { epsilon } => {
                (Form::Divided { kind: NormKind::ScaleMean, epsilon }, gain(1), None)
            }
            NormConfig::Affine => (Form::Affine, gain(width), bias()),
            NormConfig::None => (Form::Identity, None, None),
        };
        Norm { gain, bias, form }
    }
}

/// What a norm does before gain and bias.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Divides by a statistic of the vector.
    Divided { kind: NormKind, epsilon: f64 },
    /// Nothing.
    Affine,
    /// Nothing, and has neither gain nor bias.
    Identity,
}

/// A normalisation layer.
#[derive(Module, Debug)]
pub struct Norm {
    /// Gain per channel, or one scalar for ScaleNorm.
    gain: Option<Param<Tensor<1>>>,
    /// Bias per channel.
    bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    form: Form,
}

impl Norm {
    /// Normalises the last axis; the shape stays.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self.form {
            Form::Divided { kind, epsilon } => norm(x, kind, self.gain(), self.bias(), epsilon),
            Form::Affine => affine(x, self.gain(), self.bias()),
            Form::Identity => x,
        }
    }

    /// The same on duals.
    ///
    /// # Panics
    /// If the norm has no tangent; [`NormConfig::check_tangent`] tells.
    pub fn forward_dual<const D: usize>(&self, x: Dual<D>) -> Dual<D> {
        let normal = match self.form {
            Form::Divided { kind: NormKind::Layer, epsilon } => x.layer_norm(epsilon),
            Form::Divided { .. } => panic!("this norm has no tangent"),
            Form::Affine => x,
            Form::Identity => return x,
        };
        let scaled = |x: Tensor<D>| match self.gain() {
            Some(gain) => x * gain.unsqueeze(),
            None => x,
        };
        let moved = |x: Tensor<D>| match self.bias() {
            Some(bias) => x + bias.unsqueeze(),
            None => x,
        };
        normal.affine(|x| moved(scaled(x)), scaled)
    }

    /// `norm(x + branch)` in one pass over the data, where there is something to divide by.
    pub fn forward_sum<const D: usize>(&self, x: Tensor<D>, branch: Tensor<D>) -> Tensor<D> {
        self.forward_scaled_sum(x, 1.0, branch)
    }

    /// `norm(scale · x + branch)` in one pass over the data, where there is something to divide by.
    pub fn forward_scaled_sum<const D: usize>(
        &self,
        x: Tensor<D>,
        scale: f64,
        branch: Tensor<D>,
    ) -> Tensor<D> {
        match self.form {
            Form::Divided { kind, epsilon } => {
                add_norm(x, branch, scale, kind, self.gain(), self.bias(), epsilon)
            }
            Form::Affine | Form::Identity => self.forward(x.mul_scalar(scale) + branch),
        }
    }

    fn gain(&self) -> Option<Tensor<1>> {
        self.gain.as_ref().map(Param::val)
    }

    fn bias(&self) -> Option<Tensor<1>> {
        self.bias.as_ref().map(Param::val)
    }
}
