//! Cross-attention: `softmax(QKᵀ/√d_h)·V` with queries from the decoder, keys and values from the encoder's output.
//!
//! Every query sees every real position of the source; order comes from the positions inside both stacks, so that
//! nothing is rotated here. Source: Vaswani et al. 2017, section 3.2.3.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_kernels::{Activation, Mask, SoftmaxOptions, softmax_attention};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::check_rate;
use crate::mixer::check_divides;
use crate::{Builder, Context, Linear, ModelError, Role};

/// Options of the decoder's attention to the encoder's output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CrossAttentionConfig {
    /// Number of heads; divides the model width.
    pub heads: usize,
    /// Dropout of attention weights, after the softmax, in [0, 1).
    pub attention_dropout: f64,
}

impl Default for CrossAttentionConfig {
    fn default() -> Self {
        CrossAttentionConfig { heads: 4, attention_dropout: 0.0 }
    }
}

impl CrossAttentionConfig {
    /// # Errors
    /// Heads that do not divide the width, or a rate outside [0, 1).
    pub fn validate(&self, width: usize) -> Result<(), ModelError> {
        check_divides(("model.encoder.cross.heads", self.heads), ("model.width", width))?;
        check_rate("model.encoder.cross.attention_dropout", self.attention_dropout)
    }
}

/// What a decoder reads of its source.
#[derive(Clone, Debug)]
pub struct Memory {
    /// The encoder's output `[batch, m, width]`.
    pub states: Tensor<3>,
    /// `[batch · m]`, true where the source has a token.
    pub padding: Option<Arc<[bool]>>,
    /// Keys and values of each block of the decoder, if they have been computed beforehand.
    pub(crate) projected: Option<Arc<[Projected]>>,
}

/// Keys and values `[batch, m, heads, d_h]`.
#[derive(Clone, Debug)]
pub(crate) struct Projected {
    pub(super) key: Tensor<4>,
    pub(super) value: Tensor<4>,
}

impl Projected {
    fn select(&self, rows: &Tensor<1, Int>) -> Self {
        let pick = |x: &Tensor<4>| x.clone().select(0, rows.clone());
        Projected { key: pick(&self.key), value: pick(&self.value) }
    }
}

impl Memory {
    /// What decoders of some rows of the batch read, in any order and any number of times.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let [_, m, _] = self.states.dims();
        let ids = row_ids(rows, &self.states.device());
        let of_row = |padding: &Arc<[bool]>| -> Arc<[bool]> {
            rows.iter().flat_map(|&row| padding[row * m..(row + 1) * m].to_vec()).collect()
        };
        Memory {
            states: self.states.clone().select(0, ids.clone()),
            padding: self.padding.as_ref().map(of_row),
            projected: self
                .projected
                .as_ref()
                .map(|all| all.iter().map(|projected| projected.select(&ids)).collect()),
        }
    }

    /// Of an encoder's output and the padding of its source.
    pub fn new(states: Tensor<3>, padding: Option<Arc<[bool]>>) -> Self {
        Memory { states, padding, projected: None }
    }
}

/// Indices of rows as a tensor.
pub(super) fn row_ids(rows: &[usize], device: &Device) -> Tensor<1, Int> {
    let ids: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    Tensor::from_data(TensorData::new(ids, [rows.len()]), (device, DType::I64))
}

/// Attention of one sequence to another.
#[derive(Module, Debug)]
pub struct CrossAttention {
    /// `[d, d]`.
    query: Linear,
    /// `[d, d]`.
    key: Linear,
    /// `[d, d]`.
    value: Linear,
    /// `[d, d]`.
    output: Linear,
    #[module(skip)]
    block: usize,
    #[module(skip)]
    site: String,
    #[module(skip)]
    config: CrossAttentionConfig,
}

impl CrossAttention {
    pub(crate) fn new(config: &CrossAttentionConfig, width: usize, block: usize, builder: &Builder) -> Self {
        let part = |name: &str, role| Linear::new([width, width], role, false, &builder.child(name));
        CrossAttention {
            query: part("query", Role::Input),
            key: part("key", Role::Input),
            value: part("value", Role::Value { factors: 2 }),
            output: part("output", Role::Output { factors: 2 }),
            block,
            site: format!("{}.scores", builder.path()),
            config: config.clone(),
        }
    }

    /// What the positions of `x` `[b, n, d]` read in `memory`, `[b, n, d]`.
    pub fn forward(&self, x: Tensor<3>, memory: &Memory, context: &Context) -> Tensor<3> {
        let [b, n, d] = x.dims();
        let query = self.heads(self.query.forward(x, Activation::Identity));
        let Projected { key, value } = match &memory.projected {
            Some(projected) => projected[self.block].clone(),
            None => self.project(memory.states.clone()),
        };
        let options = SoftmaxOptions {
            scale: ((d / self.config.heads) as f64).powf(-0.5),
            causal: false,
            mask: Mask { padding: memory.padding.clone(), segments: None },
            dropout: context.dropout(self.config.attention_dropout, &self.site),
        };
        let read = softmax_attention(query, key, value, options).reshape([b, n, d]);
        self.output.forward(read, Activation::Identity)
    }

    /// Keys and values of the encoder's output.
    pub(crate) fn project(&self, states: Tensor<3>) -> Projected {
        let part = |linear: &Linear| self.heads(linear.forward(states.clone(), Activation::Identity));
        Projected { key: part(&self.key), value: part(&self.value) }
    }

    fn heads(&self, x: Tensor<3>) -> Tensor<4> {
        let [b, n, d] = x.dims();
        x.reshape([b, n, self.config.heads, d / self.config.heads])
    }
}
