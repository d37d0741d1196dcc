//! The output projection from hidden vectors to vocabulary logits, and the readout of a whole sequence.

mod output;
pub(crate) mod pooling;
mod readout;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, linear};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::embed::Embedding;
use crate::{Builder, Initialiser, Role};

pub use output::Output;
pub use readout::{Pooling, Readout, ReadoutConfig};

/// The output projection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HeadConfig {
    /// Whether the projection is the token embedding itself.
    pub tied: bool,
    /// Whether each token has a bias.
    pub bias: bool,
}

impl Default for HeadConfig {
    fn default() -> Self {
        HeadConfig { tied: true, bias: false }
    }
}

impl HeadConfig {
    pub(crate) fn init(&self, vocabulary: usize, width: usize, builder: &Builder) -> Head {
        Head {
            weight: (!self.tied).then(|| builder.matrix("weight", [vocabulary, width], Role::Embedding)),
            bias: self.bias.then(|| builder.parameter("bias", [vocabulary], Initialiser::Zeros)),
        }
    }
}

/// What the output projection owns: nothing at all when tied and without bias.
#[derive(Module, Debug)]
pub struct Head {
    /// `[vocabulary, width]`, the layout of the embedding; absent when tied.
    weight: Option<Param<Tensor<2>>>,
    bias: Option<Param<Tensor<1>>>,
}

impl Head {
    /// The projection of a model with this embedding, to which it may be tied: matrix `[vocabulary, width]` and bias `[vocabulary]`.
    pub(crate) fn projection(&self, embedding: &Embedding) -> (Tensor<2>, Option<Tensor<1>>) {
        let own = self.weight.as_ref().map(Param::val);
        (own.unwrap_or_else(|| embedding.weight()), self.bias.as_ref().map(Param::val))
    }

    /// Logits `[batch, n, vocabulary]` of hidden vectors `[batch, n, width]`.
    pub(crate) fn logits(&self, embedding: &Embedding, hidden: Tensor<3>) -> Tensor<3> {
        let (weight, bias) = self.projection(embedding);
        // The kernel reads the matrix where it lies; the engine's product would copy its transpose for every token.
        linear(hidden, weight.transpose(), bias, Activation::Identity)
    }
}
