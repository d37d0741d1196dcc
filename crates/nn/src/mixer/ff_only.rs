//! The feed-forward layer over tokens that stands in for attention: `Xᵀ + W2 · f(W1 · LN(Xᵀ) + b1) + b2`, where LN runs
//! along the tokens.
//!
//! It follows the channel mixer, brings its own norm, and its hidden width grows with the number of tokens, so its
//! cost is quadratic. The norm makes every token depend on every other. Source: Melas-Kyriazi, "Do you even need
//! attention?", 2021, with the layout of its code.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::documents::{RealTokens, by_document};
use super::token_mlp::TokenMlp;
use super::{LengthPolicy, Lengths, MixerCost, Place, refuse_causal};
use crate::channel::ActivationConfig;
use crate::{Builder, Context, Initialiser, ModelError, Promises};

/// Options of the feed-forward layer over tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FfOnlyConfig {
    /// Hidden width as a multiple of the number of tokens.
    pub expansion: f64,
    /// Activation between the two matrices.
    pub activation: ActivationConfig,
    /// ε of the norm along the tokens, added to the variance.
    pub epsilon: f64,
    /// What becomes of sequences of another length than `model.max_length`.
    pub length: LengthPolicy,
}

impl Default for FfOnlyConfig {
    fn default() -> Self {
        FfOnlyConfig {
            expansion: 4.0,
            activation: ActivationConfig::Gelu,
            epsilon: 1e-6,
            length: LengthPolicy::default(),
        }
    }
}

impl FfOnlyConfig {
    /// # Errors
    /// An expansion or ε outside its range, or the length policy `toeplitz`.
    pub fn validate(&self, max_length: usize) -> Result<(), ModelError> {
        if !(self.expansion.is_finite() && self.expansion <= 64.0 && self.hidden(max_length) >= 1) {
            let expected = "above 0 and at most 64";
            return Err(ModelError::out_of_range("model.mixer.expansion", self.expansion, expected));
        }
        if !(self.epsilon > 0.0 && self.epsilon < 1.0) {
            let expected = "a number between 0 and 1, both excluded";
            return Err(ModelError::out_of_range("model.mixer.epsilon", self.epsilon, expected));
        }
        self.length.check_hidden_layer("ff_only")
    }

    /// # Errors
    /// A causal direction.
    pub fn check_direction(&self, causal: bool) -> Result<(), ModelError> {
        refuse_causal("ff_only", causal, "its norm and its hidden units run over all positions")
    }

    pub(super) fn init(&self, place: Place, builder: &Builder) -> FfOnly {
        let n = place.max_length;
        let vector = |name: &str, first| builder.parameter(name, [n], first);
        let shape = [n, self.hidden(n)];
        FfOnly {
            gain: vector("gain", Initialiser::Ones),
            bias: vector("bias", Initialiser::Zeros),
            tokens: TokenMlp::new(shape, self.activation.into(), self.length, &builder.child("tokens")),
            config: self.clone(),
        }
    }

    /// What the layer promises: an order of its own, and no direction.
    pub fn promises(&self) -> Promises {
        Promises {
            any_length: self.length.lengths(1, false) == Lengths::Any,
            // Blocks on a diagonal share one norm over the whole sequence, as long as the hidden tokens are out of it.
            padding_safe: self.length.keeps_weights(),
            ..Promises::default()
        }
    }

    /// 2 · n · hidden a channel.
    pub fn cost(&self, place: Place, length: usize) -> MixerCost {
        let blocks = self.length.blocks(place.max_length, length);
        let hidden = blocks * self.hidden(place.max_length);
        MixerCost {
            mixing: 2 * (place.width * self.mixed(place, length) * hidden) as u64,
            ..MixerCost::default()
        }
    }

    /// Positions that are mixed: with padding all that there are weights for.
    fn mixed(&self, place: Place, length: usize) -> usize {
        if self.length == LengthPolicy::Pad { place.max_length.max(length) } else { length }
    }

    fn hidden(&self, max_length: usize) -> usize {
        (self.expansion * max_length as f64).round() as usize
    }
}

/// A feed-forward layer over tokens behind a norm along them (Melas-Kyriazi 2021). Shapes: `[b, n, d]` to the same.
#[derive(Module, Debug)]
pub struct FfOnly {
    /// γ of the norm, `[N]`.
    gain: Param<Tensor<1>>,
    /// β of the norm, `[N]`.
    bias: Param<Tensor<1>>,
    tokens: TokenMlp,
    #[module(skip)]
    config: FfOnlyConfig,
}

impl FfOnly {
    /// Mixes `x` `[b, n, d]`, which no norm has touched yet.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        assert!(!context.causal, "a feed-forward layer over tokens sees all positions");
        let (length, maximum) = (x.dims()[1], self.tokens.maximum());
        let padded = self.config.length == LengthPolicy::Pad && length < maximum;
        by_document(x, &context.mask, |x, real| {
            if !padded {
                return self.mix(x, real);
            }
            let [batch, _, width] = x.dims();
            let zeros = Tensor::zeros([batch, maximum - length, width], (&x.device(), x.dtype()));
            self.mix(Tensor::cat(vec![x, zeros], 1), None).narrow(1, 0, length)
        })
    }

    fn mix(&self, x: Tensor<3>, real: Option<RealTokens>) -> Tensor<3> {
        let n = x.dims()[1];
        // With the policy `pad`, hidden tokens are zero vectors like those behind the end.
        let real = real.filter(|_| self.config.length != LengthPolicy::Pad);
        self.tokens.forward(self.normed(x, real, n))
    }

    /// `γ ⊙ (x − mean) / sqrt(variance + ε) + β` of every channel along the real tokens; 0 at the others.
    fn normed(&self, x: Tensor<3>, real: Option<RealTokens>, n: usize) -> Tensor<3> {
        let column = |values: Tensor<1>| self.config.length.tokens(values, n).reshape([1, n, 1]);
        let count = match &real {
            Some(real) => real.clone().sum_dim(1).clamp_min(1.0),
            None => Tensor::full([1, 1, 1], n as f64, (&x.device(), x.dtype())),
        };
        let mean = x.clone().sum_dim(1) / count.clone();
        let centred = match &real {
            Some(real) => (x - mean) * real.clone(),
            None => x - mean,
        };
        let variance = centred.clone().square().sum_dim(1) / count;
        let scaled = centred / variance.add_scalar(self.config.epsilon).sqrt();
        let normed = scaled * column(self.gain.val()) + column(self.bias.val());
        match real {
            Some(real) => normed * real,
            None => normed,
        }
    }

    /// The options the mixer was made from.
    pub fn config(&self) -> &FfOnlyConfig {
        &self.config
    }
}
