//! Channel mixers: what acts on each position by itself.

mod glu;
mod mlp;

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_kernels::Activation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dual::Dual;
use crate::{Builder, ModelError};

pub use glu::GatedLinearUnit;
pub use mlp::Mlp;

/// Activation of a channel mixer, by its name in a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActivationConfig {
    /// x · Φ(x), exact.
    Gelu,
    /// GELU by its tanh approximation, as JAX and the original BERT and GPT-2 have it.
    GeluTanh,
    /// max(x, 0).
    Relu,
    /// max(x, 0)².
    SquaredRelu,
    /// x · σ(x), also called Swish.
    Silu,
    /// σ(x): with a gated unit this is the original GLU.
    Sigmoid,
    /// The identity: with a gated unit, the bilinear form.
    Identity,
}

impl From<ActivationConfig> for Activation {
    fn from(config: ActivationConfig) -> Self {
        match config {
            ActivationConfig::Gelu => Activation::Gelu,
            ActivationConfig::GeluTanh => Activation::GeluTanh,
            ActivationConfig::Relu => Activation::Relu,
            ActivationConfig::SquaredRelu => Activation::SquaredRelu,
            ActivationConfig::Silu => Activation::Silu,
            ActivationConfig::Sigmoid => Activation::Sigmoid,
            ActivationConfig::Identity => Activation::Identity,
        }
    }
}

/// Which channel mixer follows the token mixer in every block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChannelConfig {
    /// Two matrices with an activation between them.
    Mlp {
        /// Hidden width as a multiple of the model width.
        #[serde(default = "mlp_expansion")]
        expansion: f64,
        /// Activation between the two matrices.
        #[serde(default = "mlp_activation")]
        activation: ActivationConfig,
        /// Whether the matrices have biases.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// Gated linear unit: (xV ⊙ f(xW))O. `silu` gives SwiGLU, `gelu` GeGLU, `sigmoid` the original.
    Glu {
        /// Hidden width as a multiple of the model width; 8/3 costs as much as an MLP of expansion 4.
        #[serde(default = "glu_expansion")]
        expansion: f64,
        /// Activation of the gate.
        #[serde(default = "glu_activation")]
        activation: ActivationConfig,
        /// Whether the matrices have biases.
        #[serde(default)]
        bias: bool,
    },
    /// No channel mixer: the token mixer has its own gate, as GAU and FLASH do.
    None,
}

fn mlp_expansion() -> f64 {
    4.0
}

fn mlp_activation() -> ActivationConfig {
    ActivationConfig::Gelu
}

fn glu_expansion() -> f64 {
    8.0 / 3.0
}

fn glu_activation() -> ActivationConfig {
    ActivationConfig::Silu
}

fn yes() -> bool {
    true
}

impl Default for ChannelConfig {
    fn default() -> Self {
        ChannelConfig::Mlp { expansion: mlp_expansion(), activation: mlp_activation(), bias: true }
    }
}

impl ChannelConfig {
    /// # Errors
    /// The hidden width would be empty.
    pub fn validate(&self) -> Result<(), ModelError> {
        match *self {
            ChannelConfig::Mlp { expansion, .. } | ChannelConfig::Glu { expansion, .. } => {
                if expansion > 0.0 && expansion <= 64.0 {
                    return Ok(());
                }
                let expected = "a number above 0 and at most 64";
                Err(ModelError::out_of_range("model.channel.expansion", expansion, expected))
            }
            ChannelConfig::None => Ok(()),
        }
    }

    /// Width between the matrices in a model of `width` channels: a whole number is exact, others go to the next multiple of 8.
    pub fn hidden(&self, width: usize) -> usize {
        match *self {
            ChannelConfig::Mlp { expansion, .. } | ChannelConfig::Glu { expansion, .. } => {
                hidden_width(width, expansion)
            }
            ChannelConfig::None => 0,
        }
    }

    /// Multiply–adds of one token.
    pub fn multiply_adds(&self, width: usize) -> u64 {
        let matrices = match self {
            ChannelConfig::Mlp { .. } => 2,
            ChannelConfig::Glu { .. } => 3,
            ChannelConfig::None => 0,
        };
        (matrices * width * self.hidden(width)) as u64
    }

    /// The channel mixer of one block, if there is one.
    pub fn init(&self, width: usize, builder: &Builder) -> Option<ChannelMixer> {
        match *self {
            ChannelConfig::Mlp { expansion, activation, bias } => {
                let hidden = hidden_width(width, expansion);
                Some(ChannelMixer::Mlp(Mlp::new(width, hidden, activation.into(), bias, builder)))
            }
            ChannelConfig::Glu { expansion, activation, bias } => {
                let hidden = hidden_width(width, expansion);
                let unit = GatedLinearUnit::new(width, hidden, activation.into(), bias, builder);
                Some(ChannelMixer::Glu(unit))
            }
            ChannelConfig::None => None,
        }
    }
}

/// `expansion · width` to the nearest multiple of 8, at least 8, so that 8/3 gives whole vector lanes.
fn hidden_width(width: usize, expansion: f64) -> usize {
    let exact = width as f64 * expansion;
    if exact.fract() == 0.0 {
        return (exact as usize).max(1);
    }
    ((exact / 8.0).round() as usize).max(1) * 8
}

/// The channel mixer of one block.
#[derive(Module, Debug)]
pub enum ChannelMixer {
    /// Two matrices.
    Mlp(Mlp),
    /// Three matrices, one of them a gate.
    Glu(GatedLinearUnit),
}

impl ChannelMixer {
    /// `[batch, n, width]` to the same shape, each position by itself.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            ChannelMixer::Mlp(mlp) => mlp.forward(x),
            ChannelMixer::Glu(unit) => unit.forward(x),
        }
    }

    /// The same on duals.
    pub fn forward_dual(&self, x: Dual<3>) -> Dual<3> {
        match self {
            ChannelMixer::Mlp(mlp) => mlp.forward_dual(x),
            ChannelMixer::Glu(unit) => unit.forward_dual(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_widths() {
        assert_eq!(hidden_width(256, 4.0), 1024);
        assert_eq!(hidden_width(256, 8.0 / 3.0), 680);
        assert_eq!(hidden_width(3, 8.0 / 3.0), 8);
    }
}
