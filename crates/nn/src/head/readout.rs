//! From the vectors of a sequence to one vector and its class logits.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, linear};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pooling::mean;
use crate::{Builder, Initialiser, Linear, Role};

/// Which vector stands for a sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The mean of all real positions.
    #[default]
    Mean,
    /// The first position: for images a learned vector in front of the patches, for text the token that begins it.
    ClassToken,
}

/// How a classifier reads its backbone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ReadoutConfig {
    /// Which vector stands for the sequence.
    pub pooling: Pooling,
    /// Whether a dense map with tanh follows, as the poolers of BERT and FNet.
    pub dense: bool,
}

impl ReadoutConfig {
    pub(crate) fn init(&self, width: usize, classes: usize, builder: &Builder) -> Readout {
        let dense =
            self.dense.then(|| Linear::new([width, width], Role::Input, true, &builder.child("dense")));
        Readout {
            dense,
            // Zero, as in the original MLP-Mixer: all classes start equally likely.
            weight: builder.parameter("weight", [width, classes], Initialiser::Zeros),
            bias: builder.parameter("bias", [classes], Initialiser::Zeros),
            pooling: self.pooling,
        }
    }
}

/// Pooling, an optional dense map, and an affine map to the classes.
#[derive(Module, Debug)]
pub struct Readout {
    dense: Option<Linear>,
    /// `[d, classes]`.
    weight: Param<Tensor<2>>,
    /// `[classes]`.
    bias: Param<Tensor<1>>,
    #[module(skip)]
    pooling: Pooling,
}

impl Readout {
    /// One vector a sequence: `[b, n, d]` to `[b, d]`. `real` tells padding apart, `[b · n]`.
    pub fn pooled(&self, hidden: Tensor<3>, real: Option<&Arc<[bool]>>) -> Tensor<2> {
        let [batch, _, width] = hidden.dims();
        let pooled = match (self.pooling, real) {
            (Pooling::ClassToken, _) => hidden.narrow(1, 0, 1),
            (Pooling::Mean, real) => mean(hidden, real),
        };
        let pooled = match &self.dense {
            Some(dense) => dense.forward(pooled, Activation::Tanh),
            None => pooled,
        };
        pooled.reshape([batch, width])
    }

    /// Logits `[b, classes]` of pooled vectors `[b, d]`.
    pub fn logits(&self, pooled: Tensor<2>) -> Tensor<2> {
        linear(pooled, self.weight.val(), Some(self.bias.val()), Activation::Identity)
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.bias.lazy_shape()[0]
    }
}
