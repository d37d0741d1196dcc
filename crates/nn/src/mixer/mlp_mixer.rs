//! The token-mixing MLP of MLP-Mixer: `W2 · f(W1 · X + b1) + b2`, the same for every channel.
//!
//! Its hidden width D_S is chosen by itself, so the cost is linear in the number of tokens; but a weight belongs to a
//! position, so the number of tokens is fixed. Both matrices triangular would not make it causal: hidden units mix
//! positions. Source: Tolstikhin et al., "MLP-Mixer", 2021, equation 1; resolution changes: supplementary C.

use burn::module::Module;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::documents::by_document;
use super::token_mlp::TokenMlp;
use super::{LengthPolicy, Lengths, MixerCost, Place, refuse_causal};
use crate::channel::ActivationConfig;
use crate::dual::Dual;
use crate::{Builder, Context, ModelError, Promises};

/// Options of MLP-Mixer's token mixing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MlpMixerConfig {
    /// Hidden width D_S of the MLP over tokens; absent: half the model width, as in all presets of the paper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_hidden: Option<usize>,
    /// Activation between the two matrices.
    pub activation: ActivationConfig,
    /// What becomes of sequences of another length than `model.max_length`.
    pub length: LengthPolicy,
}

impl Default for MlpMixerConfig {
    fn default() -> Self {
        MlpMixerConfig {
            token_hidden: None,
            activation: ActivationConfig::Gelu,
            length: LengthPolicy::default(),
        }
    }
}

impl MlpMixerConfig {
    /// # Errors
    /// A hidden width of 0 or above 2¹⁶, or the length policy `toeplitz`.
    pub fn validate(&self, width: usize) -> Result<(), ModelError> {
        let hidden = self.hidden(width);
        if hidden == 0 || hidden > 1 << 16 {
            return Err(ModelError::out_of_range("model.mixer.token_hidden", hidden, "1 to 65536"));
        }
        self.length.check_hidden_layer("mlp_mixer")
    }

    /// # Errors
    /// A causal direction.
    pub fn check_direction(&self, causal: bool) -> Result<(), ModelError> {
        refuse_causal("mlp_mixer", causal, "its hidden units mix all positions")
    }

    pub(super) fn init(&self, place: Place, builder: &Builder) -> MlpMixer {
        let shape = [place.max_length, self.hidden(place.width)];
        let tokens = TokenMlp::new(shape, self.activation.into(), self.length, &builder.child("tokens"));
        MlpMixer { tokens, config: self.clone() }
    }

    /// What the token mixing promises: an order of its own, and no direction.
    pub fn promises(&self) -> Promises {
        Promises {
            any_length: self.length.lengths(1, false) == Lengths::Any,
            padding_safe: self.length.keeps_weights(),
            ..Promises::default()
        }
    }

    /// 2 · n · D_S a channel; blocks on a diagonal are counted with the zeros between them, as they are computed.
    pub fn cost(&self, place: Place, length: usize) -> MixerCost {
        let blocks = self.length.blocks(place.max_length, length);
        let hidden = blocks * self.hidden(place.width);
        MixerCost { mixing: 2 * (place.width * length * hidden) as u64, ..MixerCost::default() }
    }

    fn hidden(&self, width: usize) -> usize {
        self.token_hidden.unwrap_or(width / 2)
    }
}

/// An MLP over the token axis: `W2 · f(W1 · X + b1) + b2` (Tolstikhin et al. 2021, equation 1). Shapes: `[b, n, d]` to
/// the same.
#[derive(Module, Debug)]
pub struct MlpMixer {
    tokens: TokenMlp,
    #[module(skip)]
    config: MlpMixerConfig,
}

impl MlpMixer {
    /// Mixes `x` `[b, n, d]`.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        assert!(!context.causal, "an MLP over tokens sees all positions");
        by_document(x, &context.mask, |x, _| self.tokens.forward(x))
    }

    /// The same on duals of `model.max_length` rows, without padding.
    pub fn forward_dual(&self, x: Dual<3>) -> Dual<3> {
        self.tokens.forward_dual(x)
    }

    /// The options the mixer was made from.
    pub fn config(&self) -> &MlpMixerConfig {
        &self.config
    }
}
