//! Cross-attention: `softmax(QKᵀ/√d_h)·V` with queries from the decoder, keys and values from the encoder's output.
//!
//! Source: Vaswani et al. 2017, section 3.2.3.

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_kernels::Activation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Memory, Projected, read};
use crate::config::check_rate;
use crate::mixer::check_divides;
use crate::{Builder, Context, Linear, ModelError, Role};

/// Options of softmax attention to the encoder's output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SoftmaxCrossConfig {
    /// Number of heads; divides the model width.
    pub heads: usize,
    /// Dropout of attention weights, after the softmax, in [0, 1).
    pub attention_dropout: f64,
}

impl Default for SoftmaxCrossConfig {
    fn default() -> Self {
        SoftmaxCrossConfig { heads: 4, attention_dropout: 0.0 }
    }
}

impl SoftmaxCrossConfig {
    /// # Errors
    /// Heads that do not divide the width, or a rate outside [0, 1).
    pub fn validate(&self, width: usize) -> Result<(), ModelError> {
        check_divides(("model.encoder.cross.heads", self.heads), ("model.width", width))?;
        check_rate("model.encoder.cross.attention_dropout", self.attention_dropout)
    }
}

/// Softmax attention of one sequence to another.
#[derive(Module, Debug)]
pub struct SoftmaxCross {
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
    config: SoftmaxCrossConfig,
}

impl SoftmaxCross {
    pub(super) fn new(config: &SoftmaxCrossConfig, width: usize, block: usize, builder: &Builder) -> Self {
        let part = |name: &str, role| Linear::new([width, width], role, false, &builder.child(name));
        SoftmaxCross {
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
        let shape = x.dims();
        let query = self.heads(self.query.forward(x, Activation::Identity));
        let projected = memory.projected(self.block, |states| self.project(states));
        let dropout = (self.config.attention_dropout, self.site.as_str());
        let read = read(query, projected, memory, context, dropout);
        self.output.forward(read.reshape(shape), Activation::Identity)
    }

    pub(super) fn project(&self, states: Tensor<3>) -> Projected {
        let part = |linear: &Linear| self.heads(linear.forward(states.clone(), Activation::Identity));
        Projected { key: part(&self.key), value: part(&self.value) }
    }

    fn heads(&self, x: Tensor<3>) -> Tensor<4> {
        let [b, n, d] = x.dims();
        x.reshape([b, n, self.config.heads, d / self.config.heads])
    }
}
