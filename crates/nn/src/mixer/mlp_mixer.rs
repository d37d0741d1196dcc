//! The token-mixing MLP of MLP-Mixer: `W2 · f(W1 · X + b1) + b2`, the same for every channel.
//!
//! Its hidden width D_S is chosen by itself, so the cost is linear in the number of tokens; but a weight belongs to a
//! position, so the number of tokens is fixed. Both matrices triangular would not make it causal: hidden units mix
//! positions. Source: Tolstikhin et al., "MLP-Mixer", 2021, equation 1; resolution changes: supplementary C.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, TokenOptions, token_linear};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::documents::by_document;
use super::{LengthPolicy, Lengths, MixerCost, Place, refuse_causal};
use crate::channel::ActivationConfig;
use crate::{Builder, Context, Initialiser, ModelError, Promises, Role};

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
        let (n, hidden) = (place.max_length, self.hidden(place.width));
        let bias = |name: &str, count| builder.parameter(name, [count], Initialiser::Zeros);
        MlpMixer {
            up: builder.token_matrix("up", [hidden, n], Role::Input),
            up_bias: bias("up_bias", hidden),
            down: builder.token_matrix("down", [n, hidden], Role::Output),
            down_bias: bias("down_bias", n),
            config: self.clone(),
        }
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
    /// W1, `[D_S, N]`.
    up: Param<Tensor<2>>,
    /// `[D_S]`.
    up_bias: Param<Tensor<1>>,
    /// W2, `[N, D_S]`.
    down: Param<Tensor<2>>,
    /// `[N]`.
    down_bias: Param<Tensor<1>>,
    #[module(skip)]
    config: MlpMixerConfig,
}

impl MlpMixer {
    /// Mixes `x` `[b, n, d]`.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        let n = x.dims()[1];
        let (policy, maximum) = (self.config.length, self.down_bias.lazy_shape()[0]);
        policy.assert_allows(n, maximum, context.causal);
        let up = policy.reading(self.up.val(), n);
        let up_bias = policy.hidden(self.up_bias.val(), maximum, n);
        let down = policy.writing(self.down.val(), n);
        let down_bias = policy.tokens(self.down_bias.val(), n);
        by_document(x, &context.mask, |x, _| {
            let to_hidden = TokenOptions::new(self.config.activation.into());
            let hidden = token_linear(x, up.clone(), Some(up_bias.clone()), to_hidden);
            token_linear(
                hidden,
                down.clone(),
                Some(down_bias.clone()),
                TokenOptions::new(Activation::Identity),
            )
        })
    }

    /// The options the mixer was made from.
    pub fn config(&self) -> &MlpMixerConfig {
        &self.config
    }
}
