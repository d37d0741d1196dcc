//! The two-matrix channel mixer: `y = f(x·W1 + b1)·W2 + b2`.
//!
//! Source: Vaswani et al. 2017, section 3.3 (relu); GELU, tanh-GELU and squared relu as options
//! (So et al., "Primer", 2021).

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_kernels::Activation;

use crate::dual::Dual;
use crate::{Builder, Linear, Role};

/// Two matrices with an activation between them: `f(x·W1 + b1)·W2 + b2`.
#[derive(Module, Debug)]
pub struct Mlp {
    up: Linear,
    down: Linear,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    /// Matrices `[width, hidden]` and `[hidden, width]`.
    pub fn new(width: usize, hidden: usize, activation: Activation, bias: bool, builder: &Builder) -> Self {
        Mlp {
            up: Linear::new([width, hidden], Role::Value { factors: 2 }, bias, &builder.child("up")),
            down: Linear::new([hidden, width], Role::Output { factors: 2 }, bias, &builder.child("down")),
            activation,
        }
    }

    /// `[batch, n, width]` to the same shape.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.down.forward(self.up.forward(x, self.activation), Activation::Identity)
    }

    /// The same on duals.
    pub fn forward_dual(&self, x: Dual<3>) -> Dual<3> {
        self.down.forward_dual(self.up.forward_dual(x, self.activation), Activation::Identity)
    }
}
