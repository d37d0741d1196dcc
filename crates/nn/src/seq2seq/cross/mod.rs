//! What a decoder reads of an encoder's output, one file a kind of attention.
//!
//! Every query sees every real position of the source; order comes from the positions inside both stacks, so that
//! nothing is rotated here.

mod gated;
mod softmax;

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_kernels::{Mask, SoftmaxOptions, softmax_attention};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mixer::MixerCost;
use crate::{Builder, Context, ModelError};

pub use gated::{GatedCross, GatedCrossConfig};
pub use softmax::{SoftmaxCross, SoftmaxCrossConfig};

/// The decoder's attention to the encoder's output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CrossAttentionConfig {
    /// Softmax attention of several heads.
    SoftmaxAttention(SoftmaxCrossConfig),
    /// A gated attention unit whose values and keys come from the source.
    Gau(GatedCrossConfig),
}

impl Default for CrossAttentionConfig {
    fn default() -> Self {
        CrossAttentionConfig::SoftmaxAttention(SoftmaxCrossConfig::default())
    }
}

impl CrossAttentionConfig {
    /// # Errors
    /// A number outside its range.
    pub fn validate(&self, width: usize) -> Result<(), ModelError> {
        match self {
            CrossAttentionConfig::SoftmaxAttention(config) => config.validate(width),
            CrossAttentionConfig::Gau(config) => config.validate(width),
        }
    }

    /// What `target` positions that read `source` positions cost.
    pub fn cost(&self, width: usize, [source, target]: [usize; 2]) -> MixerCost {
        let (d, m, n) = (width as u64, source as u64, target as u64);
        match self {
            CrossAttentionConfig::SoftmaxAttention(config) => MixerCost {
                projections: 2 * (n + m) * d * d,
                mixing: 2 * n * m * d,
                scores: config.heads as u64 * n * m,
            },
            CrossAttentionConfig::Gau(config) => {
                let (e, s) = (config.expanded(width) as u64, config.key_width as u64);
                MixerCost {
                    projections: (n + m) * d * (e + s) + n * e * d,
                    mixing: n * m * (e + s),
                    scores: n * m,
                }
            }
        }
    }

    /// The attention of block number `block`.
    pub(crate) fn init(&self, width: usize, block: usize, builder: &Builder) -> CrossAttention {
        match self {
            CrossAttentionConfig::SoftmaxAttention(config) => {
                CrossAttention::SoftmaxAttention(SoftmaxCross::new(config, width, block, builder))
            }
            CrossAttentionConfig::Gau(config) => {
                CrossAttention::Gau(GatedCross::new(config, width, block, builder))
            }
        }
    }
}

/// Attention of one sequence to another.
#[derive(Module, Debug)]
pub enum CrossAttention {
    /// Softmax attention of several heads.
    SoftmaxAttention(SoftmaxCross),
    /// A gated attention unit.
    Gau(GatedCross),
}

impl CrossAttention {
    /// What the positions of `x` `[b, n, d]` read in `memory`, `[b, n, d]`.
    pub fn forward(&self, x: Tensor<3>, memory: &Memory, context: &Context) -> Tensor<3> {
        match self {
            CrossAttention::SoftmaxAttention(attention) => attention.forward(x, memory, context),
            CrossAttention::Gau(attention) => attention.forward(x, memory, context),
        }
    }

    /// Keys and values of the encoder's output.
    pub(crate) fn project(&self, states: Tensor<3>) -> Projected {
        match self {
            CrossAttention::SoftmaxAttention(attention) => attention.project(states),
            CrossAttention::Gau(attention) => attention.project(states),
        }
    }
}

/// What queries `[b, n, heads, d_k]` read of a source with dropout of the weights at `site`; `[b, n, heads, d_v]`.
fn read(
    query: Tensor<4>,
    Projected { key, value }: Projected,
    memory: &Memory,
    context: &Context,
    (rate, site): (f64, &str),
) -> Tensor<4> {
    let options = SoftmaxOptions {
        scale: (query.dims()[3] as f64).powf(-0.5),
        causal: false,
        mask: Mask { padding: memory.padding.clone(), segments: None },
        dropout: context.dropout(rate, site),
    };
    softmax_attention(query, key, value, options)
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

/// Keys `[batch, m, heads, d_k]` and values `[batch, m, heads, d_v]`.
#[derive(Clone, Debug)]
pub(crate) struct Projected {
    key: Tensor<4>,
    value: Tensor<4>,
}

impl Projected {
    fn select(&self, rows: &Tensor<1, Int>) -> Self {
        let pick = |x: &Tensor<4>| x.clone().select(0, rows.clone());
        Projected { key: pick(&self.key), value: pick(&self.value) }
    }
}

impl Memory {
    /// Keys and values of one block: those computed beforehand, or new ones.
    fn projected(&self, block: usize, project: impl FnOnce(Tensor<3>) -> Projected) -> Projected {
        match &self.projected {
            Some(projected) => projected[block].clone(),
            None => project(self.states.clone()),
        }
    }

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
pub(crate) fn row_ids(rows: &[usize], device: &Device) -> Tensor<1, Int> {
    let ids: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    Tensor::from_data(TensorData::new(ids, [rows.len()]), (device, DType::I64))
}
