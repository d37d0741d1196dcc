//! The gated linear unit family: `y = ((x·V + b) ⊙ f(x·W + c))·O + d`.
//!
//! One fused matrix holds V then W. Source: Shazeer, "GLU variants improve Transformer", 2020,
//! equations 5 and 6; Dauphin et al. 2017 for the sigmoid form.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, glu, linear};

use crate::{Builder, Initialiser, Role};

/// Gated linear unit: `((x·V + b) ⊙ f(x·W + c))·O + d`.
#[derive(Module, Debug)]
pub struct GatedLinearUnit {
    up: Param<Tensor<2>>,
    up_bias: Option<Param<Tensor<1>>>,
    down: Param<Tensor<2>>,
    down_bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    activation: Activation,
}

impl GatedLinearUnit {
    /// A fused matrix `[width, 2·hidden]` (value, then gate) and `[hidden, width]`.
    pub fn new(width: usize, hidden: usize, activation: Activation, bias: bool, builder: &Builder) -> Self {
        let zeros = |name: &str, size| bias.then(|| builder.parameter(name, [size], Initialiser::Zeros));
        GatedLinearUnit {
            up: builder.fused_matrix("up", width, &[hidden, hidden], Role::Input),
            up_bias: zeros("up_bias", 2 * hidden),
            down: builder.matrix("down", [hidden, width], Role::Output),
            down_bias: zeros("down_bias", width),
            activation,
        }
    }

    /// `[batch, n, width]` to the same shape.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let both = linear(x, self.up.val(), self.up_bias.as_ref().map(Param::val), Activation::Identity);
        let hidden = glu(both, self.activation);
        linear(hidden, self.down.val(), self.down_bias.as_ref().map(Param::val), Activation::Identity)
    }
}
