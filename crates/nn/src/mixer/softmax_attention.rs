//! Softmax attention: `softmax(QKᵀ/sqrt(d_h) + mask)·V` in h heads, joined by an output matrix.
//!
//! Groups of heads may share one key and one value head (grouped-query attention). Source: Vaswani et
//! al. 2017, equation 1 and section 3.2.2; Ainslie et al., "GQA", 2023.

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, Mask, Positions, SoftmaxOptions, softmax_attention};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cost::pairs;
use super::{KeyValueCache, MixerCost, Place, check_divides};
use crate::config::check_rate;
use crate::position::{Rotary, RotaryConfig};
use crate::{Builder, Context, Linear, ModelError, Promises, Role};

/// Options of softmax attention.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SoftmaxAttentionConfig {
    /// Number of query heads; divides the model width.
    pub heads: usize,
    /// Number of key and value heads, a divisor of `heads`; absent: as many as `heads`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_heads: Option<usize>,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
    /// Whether the output matrix has a bias.
    pub output_bias: bool,
    /// Rotation of queries and keys.
    pub rotary: RotaryConfig,
    /// Dropout of attention weights, after the softmax, in [0, 1).
    pub attention_dropout: f64,
}

impl Default for SoftmaxAttentionConfig {
    fn default() -> Self {
        SoftmaxAttentionConfig {
            heads: 4,
            kv_heads: None,
            qkv_bias: false,
            output_bias: false,
            rotary: RotaryConfig::default(),
            attention_dropout: 0.0,
        }
    }
}

impl SoftmaxAttentionConfig {
    /// # Errors
    /// Heads that do not divide the width, groups that do not divide the heads, a rotation wider than a
    /// head, or a rate outside [0, 1).
    pub fn validate(&self, width: usize) -> Result<(), ModelError> {
        let heads = ("model.mixer.heads", self.heads);
        check_divides(heads, ("model.width", width))?;
        check_divides(("model.mixer.kv_heads", self.groups()), heads)?;
        self.rotary.validate(width / self.heads)?;
        check_rate("model.mixer.attention_dropout", self.attention_dropout)
    }

    pub(super) fn init(&self, width: usize, builder: &Builder) -> SoftmaxAttention {
        let head_width = width / self.heads;
        let shared = head_width * self.groups();
        let input = |name: &str, outputs, role| {
            Linear::new([width, outputs], role, self.qkv_bias, &builder.child(name))
        };
        SoftmaxAttention {
            query: input("query", width, Role::Input),
            key: input("key", shared, Role::Input),
            value: input("value", shared, Role::Value { factors: 2 }),
            output: Linear::new(
                [width, width],
                Role::Output { factors: 2 },
                self.output_bias,
                &builder.child("output"),
            ),
            rotary: self.rotary.init(head_width),
            site: format!("{}.scores", builder.path()),
            config: self.clone(),
        }
    }

    /// What softmax attention promises in one direction.
    pub fn promises(&self, causal: bool) -> Promises {
        Promises {
            causal,
            any_length: true,
            padding_safe: true,
            streaming: causal,
            prefix_consistent: causal,
            permutation_equivariant: !causal && self.rotary.is_none(),
        }
    }

    /// Scores and weighted values, d each a pair whatever the number of heads, and four projections.
    pub fn cost(&self, place: Place, length: usize, causal: bool) -> MixerCost {
        let (n, d) = (length as u64, place.width as u64);
        let shared = d * self.groups() as u64 / self.heads as u64;
        MixerCost {
            projections: n * d * (2 * d + 2 * shared),
            mixing: 2 * d * pairs(length, causal),
            scores: self.heads as u64 * n * n,
        }
    }

    fn groups(&self) -> usize {
        self.kv_heads.unwrap_or(self.heads)
    }
}

/// Softmax attention: `softmax(QKᵀ/√d_h + mask)·V` in heads, keys and values shared by groups of them (Vaswani
/// et al. 2017, equation 1; Ainslie et al. 2023). Shapes: `[b, n, d]` to the same.
#[derive(Module, Debug)]
pub struct SoftmaxAttention {
    /// `[d, d]`.
    query: Linear,
    /// `[d, groups · d_h]`.
    key: Linear,
    /// `[d, groups · d_h]`.
    value: Linear,
    /// `[d, d]`.
    output: Linear,
    #[module(skip)]
    rotary: Option<Rotary>,
    #[module(skip)]
    site: String,
    #[module(skip)]
    config: SoftmaxAttentionConfig,
}

impl SoftmaxAttention {
    /// Mixes `x` `[b, n, d]`.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        let [q, k, v] = self.project(x, context.positions());
        let options = SoftmaxOptions {
            scale: self.scale(),
            causal: context.causal,
            mask: context.mask.clone(),
            dropout: context.dropout(self.config.attention_dropout, &self.site),
        };
        self.join(softmax_attention(q, k, v, options))
    }

    /// Mixes the next rows `x` `[b, k, d]`, which stand at `positions`, with all that `cache` holds.
    pub fn step(&self, x: Tensor<3>, cache: &mut KeyValueCache<4>, positions: Positions) -> Tensor<3> {
        let [q, k, v] = self.project(x, positions);
        let (k, v) = cache.append(k, v);
        let options =
            SoftmaxOptions { scale: self.scale(), causal: true, mask: Mask::default(), dropout: None };
        self.join(softmax_attention(q, k, v, options))
    }

    /// The options the mixer was made from.
    pub fn config(&self) -> &SoftmaxAttentionConfig {
        &self.config
    }

    /// Queries `[b, n, heads, d_h]`, keys and values `[b, n, groups, d_h]`, rotated.
    fn project(&self, x: Tensor<3>, positions: Positions) -> [Tensor<4>; 3] {
        let [b, n, d] = x.dims();
        let part = |linear: &Linear, heads: usize| {
            linear.forward(x.clone(), Activation::Identity).reshape([b, n, heads, d / self.config.heads])
        };
        let turn = |x: Tensor<4>| match &self.rotary {
            Some(rotary) => rotary.rotate(x, positions),
            None => x,
        };
        let groups = self.config.groups();
        [turn(part(&self.query, self.config.heads)), turn(part(&self.key, groups)), part(&self.value, groups)]
    }

    fn join(&self, heads: Tensor<4>) -> Tensor<3> {
        let [b, n, h, width] = heads.dims();
        self.output.forward(heads.reshape([b, n, h * width]), Activation::Identity)
    }

    fn scale(&self) -> f64 {
        let width = self.query.shape()[1] / self.config.heads;
        (width as f64).powf(-0.5)
    }
}
