//! The output projection from hidden vectors to vocabulary logits, and the readout of a whole sequence.

pub(crate) mod pooling;
mod readout;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Builder, Initialiser, Role};

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
    /// The projection's own matrix, if it is not tied.
    pub fn weight(&self) -> Option<Tensor<2>> {
        self.weight.as_ref().map(Param::val)
    }

    /// Bias per token.
    pub fn bias(&self) -> Option<Tensor<1>> {
        self.bias.as_ref().map(Param::val)
    }
}
