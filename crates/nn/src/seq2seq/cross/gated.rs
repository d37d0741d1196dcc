//! Cross-attention as a gated unit: `(U ⊙ A·V)·W_o` with U and the queries from the decoder, V and the keys from the
//! encoder's output.
//!
//! ```text
//! U = silu(X·W_u)   Z = silu(X·W_z)   Q = Z ⊙ γ_1 + β_1
//! V = silu(M·W_v)   Y = silu(M·W_y)   K = Y ⊙ γ_2 + β_2      A = softmax(QKᵀ/√s)
//! ```
//!
//! The paper of the unit has self-attention only, whose one Z becomes two here: queries and keys no longer come from the
//! same sequence. A is a softmax because sources are of many lengths, and the weights of a row should sum to one at each.
//! Source: Hua et al., "Transformer quality in linear time", 2022, section 2.2, for the unit itself.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, affine_rotary, gated_product};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Memory, Projected, read};
use crate::config::check_rate;
use crate::{Builder, Context, Initialiser, Linear, ModelError, Role};

/// Options of a gated unit that reads the encoder's output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GatedCrossConfig {
    /// Expanded width e as a multiple of the model width.
    pub expansion: f64,
    /// Width s of queries and keys.
    pub key_width: usize,
    /// Dropout of attention weights, after the softmax, in [0, 1).
    pub attention_dropout: f64,
}

impl Default for GatedCrossConfig {
    fn default() -> Self {
        GatedCrossConfig { expansion: 2.0, key_width: 128, attention_dropout: 0.0 }
    }
}

impl GatedCrossConfig {
    pub(super) fn expanded(&self, width: usize) -> usize {
        (self.expansion * width as f64).round() as usize
    }

    /// # Errors
    /// An expansion, a key width or a rate outside its range.
    pub fn validate(&self, width: usize) -> Result<(), ModelError> {
        if !(self.expansion.is_finite() && self.expansion <= 64.0 && self.expanded(width) >= 1) {
            let range = "above 0 and at most 64";
            return Err(ModelError::out_of_range("model.encoder.cross.expansion", self.expansion, range));
        }
        if self.key_width == 0 || self.key_width > 1 << 16 {
            let key = "model.encoder.cross.key_width";
            return Err(ModelError::out_of_range(key, self.key_width, "1 to 65536"));
        }
        check_rate("model.encoder.cross.attention_dropout", self.attention_dropout)
    }
}

/// A gated attention unit between two sequences.
#[derive(Module, Debug)]
pub struct GatedCross {
    /// `[d, e + s]`: W_u and W_z side by side.
    input: Linear,
    /// `[d, e + s]`: W_v and W_y side by side.
    source: Linear,
    /// γ of queries and of keys, `[2, s]`.
    gamma: Param<Tensor<2>>,
    /// β of queries and of keys, `[2, s]`.
    beta: Param<Tensor<2>>,
    /// `[e, d]`.
    output: Linear,
    #[module(skip)]
    block: usize,
    #[module(skip)]
    site: String,
    #[module(skip)]
    config: GatedCrossConfig,
}

impl GatedCross {
    pub(super) fn new(config: &GatedCrossConfig, width: usize, block: usize, builder: &Builder) -> Self {
        let (expanded, shape) = (config.expanded(width), [2, config.key_width]);
        let parts = [(expanded, Role::Value { factors: 3 }), (config.key_width, Role::Input)];
        let output = Role::Output { factors: 3 };
        GatedCross {
            input: Linear::fused(width, &parts, false, &builder.child("input")),
            source: Linear::fused(width, &parts, false, &builder.child("source")),
            gamma: builder.parameter("gamma", shape, Initialiser::Ones),
            beta: builder.parameter("beta", shape, Initialiser::Zeros),
            output: Linear::new([expanded, width], output, false, &builder.child("output")),
            block,
            site: format!("{}.scores", builder.path()),
            config: config.clone(),
        }
    }

    /// What the positions of `x` `[b, n, d]` read in `memory`, `[b, n, d]`.
    pub fn forward(&self, x: Tensor<3>, memory: &Memory, context: &Context) -> Tensor<3> {
        let (e, [_, total]) = (self.output.shape()[0], self.input.shape());
        let gate = self.input.forward_columns(x.clone(), 0..e, Activation::Identity);
        let query = self.affine(self.input.forward_columns(x, e..total, Activation::Silu), 0);
        let projected = memory.projected(self.block, |states| self.project(states));
        let dropout = (self.config.attention_dropout, self.site.as_str());
        let read = read(query.unsqueeze_dim(2), projected, memory, context, dropout);
        let gated = gated_product(read.squeeze_dim(2), gate, Activation::Silu);
        self.output.forward(gated, Activation::Identity)
    }

    pub(super) fn project(&self, states: Tensor<3>) -> Projected {
        let (e, [_, total]) = (self.output.shape()[0], self.source.shape());
        let value = self.source.forward_columns(states.clone(), 0..e, Activation::Silu);
        let key = self.affine(self.source.forward_columns(states, e..total, Activation::Silu), 1);
        Projected { key: key.unsqueeze_dim(2), value: value.unsqueeze_dim(2) }
    }

    fn affine(&self, shared: Tensor<3>, row: usize) -> Tensor<3> {
        affine_rotary(shared, self.gamma.val(), Some(self.beta.val()), row, None, 0)
    }
}
