//! The two-matrix channel mixer: `y = f(x·W1 + b1)·W2 + b2`.
//!
//! Source: Vaswani et al. 2017, section 3.3 (relu); GELU, tanh-GELU and squared relu as options
//! (So et al., "Primer", 2021).

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, linear};

use crate::{Builder, Initialiser, Role};

/// Two matrices with an activation between them: `f(x·W1 + b1)·W2 + b2`.
#[derive(Module, Debug)]
pub struct Mlp {
    up: Param<Tensor<2>>,
    up_bias: Option<Param<Tensor<1>>>,
    down: Param<Tensor<2>>,
    down_bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    /// Matrices `[width, hidden]` and `[hidden, width]`.
    pub fn new(width: usize, hidden: usize, activation: Activation, bias: bool, builder: &Builder) -> Self {
        let zeros = |name: &str, size| bias.then(|| builder.parameter(name, [size], Initialiser::Zeros));
        Mlp {
            up: builder.matrix("up", [width, hidden], Role::Input),
            up_bias: zeros("up_bias", hidden),
            down: builder.matrix("down", [hidden, width], Role::Output),
            down_bias: zeros("down_bias", width),
            activation,
        }
    }

    /// `[batch, n, width]` to the same shape.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let hidden = linear(x, self.up.val(), self.up_bias.as_ref().map(Param::val), self.activation);
        linear(hidden, self.down.val(), self.down_bias.as_ref().map(Param::val), Activation::Identity)
    }
}
