//! External attention: every token meets S learned memory slots, `A = norm(F·M_kᵀ)`, `O = A·M_v`.
//!
//! With double normalisation the weights are a softmax over the *tokens*, then divided by their sum over the slots, and
//! the tokens are mixed; with a softmax over the slots alone each token is by itself and nothing is mixed. Public code
//! ties M_v to M_k by sharing storage; the paper has two memories, and so have we unless told otherwise. Source: Guo
//! et al., "Beyond self-attention", 2021, equations 5 to 8; the form with several heads: the same, section 3.3.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, linear, softmax};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::documents::{RealTokens, by_document};
use super::{MixerCost, Place, check_divides, refuse_causal};
use crate::{Builder, Context, Initialiser, Linear, ModelError, Promises, Role};

/// Added to the sum over slots: one token can hold the whole softmax of every slot, and leave others none.
const FLOOR: f64 = 1e-9;
/// How many times wider the heads together are than the model, in the form with several heads.
const WIDENING: usize = 4;

/// How affinities of tokens and slots become weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExternalNormalisation {
    /// Softmax over the tokens, then divided by the sum over the slots, as published. Mixes tokens.
    #[default]
    Double,
    /// Softmax over the slots. Never mixes tokens.
    Slots,
}

/// Options of external attention.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ExternalAttentionConfig {
    /// Number of memory slots, S.
    pub slots: usize,
    /// How affinities become weights.
    pub normalisation: ExternalNormalisation,
    /// Number of heads, each 4·d/(4·heads) wide and all with the same memories with biases; absent: the form with
    /// one head, as wide as the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    /// Whether both memories are one, M_v = M_k. Only for one head.
    pub tied: bool,
}

impl Default for ExternalAttentionConfig {
    fn default() -> Self {
        ExternalAttentionConfig {
            slots: 64,
            normalisation: ExternalNormalisation::default(),
            heads: None,
            tied: false,
        }
    }
}

impl ExternalAttentionConfig {
    /// # Errors
    /// No slots, heads that do not divide the width, or tied memories with several heads.
    pub fn validate(&self, width: usize) -> Result<(), ModelError> {
        if self.slots == 0 || self.slots > 1 << 16 {
            return Err(ModelError::out_of_range("model.mixer.slots", self.slots, "1 to 65536"));
        }
        let Some(heads) = self.heads else { return Ok(()) };
        check_divides(("model.mixer.heads", heads), ("model.width", width))?;
        if !self.tied {
            return Ok(());
        }
        Err(ModelError::Unsupported {
            method: "external_attention".to_owned(),
            purpose: "tied memories with heads",
            reason: "the memories of the form with heads have biases of different lengths".to_owned(),
            remedy: "set `model.mixer.tied = false`, or leave `model.mixer.heads` out".to_owned(),
        })
    }

    /// # Errors
    /// A causal direction with double normalisation.
    pub fn check_direction(&self, causal: bool) -> Result<(), ModelError> {
        if self.normalisation == ExternalNormalisation::Slots {
            return Ok(());
        }
        refuse_causal("external_attention", causal, "each slot's softmax runs over all positions")
    }

    pub(super) fn init(&self, place: Place, builder: &Builder) -> ExternalAttention {
        let d = place.width;
        let (inner, head) = (self.inner_width(d), self.head_width(d));
        let memory = |name: &str, shape: [usize; 2], role| builder.matrix(name, shape, role);
        let bias =
            |name: &str, count| self.heads.map(|_| builder.parameter(name, [count], Initialiser::Zeros));
        let output_bias = self.heads.is_some();
        ExternalAttention {
            input: Linear::new([d, inner], Role::Input, true, &builder.child("input")),
            keys: memory("keys", [head, self.slots], Role::Input),
            keys_bias: bias("keys_bias", self.slots),
            values: (!self.tied).then(|| memory("values", [self.slots, head], Role::Value { factors: 2 })),
            values_bias: bias("values_bias", head),
            output: Linear::new(
                [inner, d],
                Role::Output { factors: 2 },
                output_bias,
                &builder.child("output"),
            ),
            config: self.clone(),
        }
    }

    /// What external attention promises. By slots alone no token meets another, so both directions are one.
    pub fn promises(&self) -> Promises {
        let alone = self.normalisation == ExternalNormalisation::Slots;
        Promises {
            causal: alone,
            any_length: true,
            padding_safe: true,
            streaming: alone,
            prefix_consistent: alone,
            permutation_equivariant: true,
        }
    }

    /// 2 · n · S · width of the heads, and two projections.
    pub fn cost(&self, place: Place, length: usize) -> MixerCost {
        let (n, inner) = (length as u64, self.inner_width(place.width) as u64);
        MixerCost {
            projections: 2 * n * place.width as u64 * inner,
            mixing: 2 * n * self.slots as u64 * inner,
            scores: 0,
        }
    }

    fn inner_width(&self, width: usize) -> usize {
        if self.heads.is_some() { WIDENING * width } else { width }
    }

    fn head_width(&self, width: usize) -> usize {
        self.inner_width(width) / self.heads.map_or(1, |heads| WIDENING * heads)
    }
}

/// Attention to learned slots, `norm(F·M_kᵀ)·M_v` (Guo et al. 2021, equations 5 to 8). Shapes: `[b, n, d]` to the same.
#[derive(Module, Debug)]
pub struct ExternalAttention {
    input: Linear,
    /// M_kᵀ, `[head width, S]`.
    keys: Param<Tensor<2>>,
    /// `[S]`, with heads.
    keys_bias: Option<Param<Tensor<1>>>,
    /// M_v, `[S, head width]`; absent if it is M_k.
    values: Option<Param<Tensor<2>>>,
    /// `[head width]`, with heads.
    values_bias: Option<Param<Tensor<1>>>,
    output: Linear,
    #[module(skip)]
    config: ExternalAttentionConfig,
}

impl ExternalAttention {
    /// Mixes `x` `[b, n, d]`.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        let inner = self.input.forward(x, Activation::Identity);
        let joined = match self.config.normalisation {
            ExternalNormalisation::Slots => self.values(softmax(self.affinities(inner))),
            ExternalNormalisation::Double => by_document(inner, &context.mask, |inner, real| {
                self.values(over_tokens(self.affinities(inner), real))
            }),
        };
        self.output.forward(joined, Activation::Identity)
    }

    /// The options the mixer was made from.
    pub fn config(&self) -> &ExternalAttentionConfig {
        &self.config
    }

    /// Tokens of all heads with all slots, `[b, n, heads, S]`.
    fn affinities(&self, x: Tensor<3>) -> Tensor<4> {
        let [b, n, width] = x.dims();
        let head = self.keys.lazy_shape()[0];
        let heads: Tensor<4> = x.reshape([b, n, width / head, head]);
        linear(heads, self.keys.val(), self.keys_bias.as_ref().map(Param::val), Activation::Identity)
    }

    /// Weights `[b, n, heads, S]` times the value memory, heads joined: `[b, n, width]`.
    fn values(&self, weights: Tensor<4>) -> Tensor<3> {
        let [b, n, heads, _] = weights.dims();
        let memory = self.values.as_ref().map_or_else(|| self.keys.val().transpose(), Param::val);
        let bias = self.values_bias.as_ref().map(Param::val);
        let values = linear(weights, memory, bias, Activation::Identity);
        let head = values.dims()[3];
        values.reshape([b, n, heads * head])
    }
}

/// Double normalisation of `[b, n, heads, S]`: softmax over the real tokens, then divided by the sum over slots.
fn over_tokens(affinities: Tensor<4>, real: Option<RealTokens>) -> Tensor<4> {
    let affinities = match real {
        Some(real) => {
            let [b, n, _] = real.dims();
            let hidden = real.reshape([b, n, 1, 1]).equal_elem(0.0).expand(affinities.dims());
            affinities.mask_fill(hidden, f64::NEG_INFINITY)
        }
        None => affinities,
    };
    // The softmax runs over the last axis.
    let weights = softmax(affinities.swap_dims(1, 3)).swap_dims(1, 3);
    let sums = weights.clone().sum_dim(3).add_scalar(FLOOR);
    weights / sums
}
