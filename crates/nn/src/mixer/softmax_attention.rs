//! Softmax attention: `softmax(QKᵀ/sqrt(d_h) + mask)·V` in h heads, joined by an output matrix.
//!
//! Groups of heads may share one key and one value head (grouped-query attention). Source: Vaswani et
//! al. 2017, equation 1 and section 3.2.2; Ainslie et al., "GQA", 2023.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, Mask, SoftmaxOptions, linear, softmax_attention};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KeyValueCache, check_divides};
use crate::config::check_rate;
use crate::position::{Rotary, RotaryConfig};
use crate::{Builder, Context, Initialiser, ModelError, Promises, Role};

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
        let bias =
            |on: bool, name: &str, size| on.then(|| builder.parameter(name, [size], Initialiser::Zeros));
        SoftmaxAttention {
            query: builder.matrix("query", [width, width], Role::Input),
            key: builder.matrix("key", [width, shared], Role::Input),
            value: builder.matrix("value", [width, shared], Role::Input),
            output: builder.matrix("output", [width, width], Role::Output),
            query_bias: bias(self.qkv_bias, "query_bias", width),
            key_bias: bias(self.qkv_bias, "key_bias", shared),
            value_bias: bias(self.qkv_bias, "value_bias", shared),
            output_bias: bias(self.output_bias, "output_bias", width),
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

    fn groups(&self) -> usize {
        self.kv_heads.unwrap_or(self.heads)
    }
}

/// Softmax attention: `softmax(QKᵀ/√d_h + mask)·V` in heads, keys and values shared by groups of them (Vaswani
/// et al. 2017, equation 1; Ainslie et al. 2023). Shapes: `[b, n, d]` to the same.
#[derive(Module, Debug)]
pub struct SoftmaxAttention {
    /// `[d, d]`.
    query: Param<Tensor<2>>,
    /// `[d, groups · d_h]`.
    key: Param<Tensor<2>>,
    /// `[d, groups · d_h]`.
    value: Param<Tensor<2>>,
    /// `[d, d]`.
    output: Param<Tensor<2>>,
    query_bias: Option<Param<Tensor<1>>>,
    key_bias: Option<Param<Tensor<1>>>,
    value_bias: Option<Param<Tensor<1>>>,
    output_bias: Option<Param<Tensor<1>>>,
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
        let [q, k, v] = self.project(x, context.start);
        let options = SoftmaxOptions {
            scale: self.scale(),
            causal: context.causal,
            mask: context.mask.clone(),
            dropout: context.dropout(self.config.attention_dropout, &self.site),
        };
        self.join(softmax_attention(q, k, v, options))
    }

    /// Mixes the next positions `x` `[b, k, d]` with all that `cache` holds.
    pub fn step(&self, x: Tensor<3>, cache: &mut KeyValueCache<4>) -> Tensor<3> {
        let [q, k, v] = self.project(x, cache.position());
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
    fn project(&self, x: Tensor<3>, start: usize) -> [Tensor<4>; 3] {
        let [b, n, d] = x.dims();
        let part =
            |weight: &Param<Tensor<2>>, bias: &Option<Param<Tensor<1>>>, heads: usize| {
                linear(x.clone(), weight.val(), bias.as_ref().map(Param::val), Activation::Identity)
                    .reshape([b, n, heads, d / self.config.heads])
            };
        let turn = |x: Tensor<4>| match &self.rotary {
            Some(rotary) => rotary.rotate(x, start),
            None => x,
        };
        let groups = self.config.groups();
        [
            turn(part(&self.query, &self.query_bias, self.config.heads)),
            turn(part(&self.key, &self.key_bias, groups)),
            part(&self.value, &self.value_bias, groups),
        ]
    }

    fn join(&self, heads: Tensor<4>) -> Tensor<3> {
        let [b, n, h, width] = heads.dims();
        let bias = self.output_bias.as_ref().map(Param::val);
        linear(heads.reshape([b, n, h * width]), self.output.val(), bias, Activation::Identity)
    }

    fn scale(&self) -> f64 {
        let width = self.query.val().dims()[1] / self.config.heads;
        (width as f64).powf(-0.5)
    }
}
