//! The gated linear unit family: `y = ((x·V + b) ⊙ f(x·W + c))·O + d`.
//!
//! One fused matrix holds V then W. Source: Shazeer, "GLU variants improve Transformer", 2020,
//! equations 5 and 6; Dauphin et al. 2017 for the sigmoid form.

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, glu};

use crate::dual::{Dual, DualActivation};
use crate::{Builder, Linear, Role};

/// Gated linear unit: `((x·V + b) ⊙ f(x·W + c))·O + d`.
#[derive(Module, Debug)]
pub struct GatedLinearUnit {
    up: Linear,
    down: Linear,
    #[module(skip)]
    activation: Activation,
}

impl GatedLinearUnit {
    /// A fused matrix `[width, 2·hidden]` (value, then gate) and `[hidden, width]`.
    pub fn new(width: usize, hidden: usize, activation: Activation, bias: bool, builder: &Builder) -> Self {
        let value = Role::Value { factors: 3 };
        GatedLinearUnit {
            up: Linear::fused(width, &[(hidden, value), (hidden, value)], bias, &builder.child("up")),
            down: Linear::new([hidden, width], Role::Output { factors: 3 }, bias, &builder.child("down")),
            activation,
        }
    }

    /// `[batch, n, width]` to the same shape.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let both = self.up.forward(x, Activation::Identity);
        self.down.forward(glu(both, self.activation), Activation::Identity)
    }

    /// The same on duals.
    pub fn forward_dual(&self, x: Dual<3>) -> Dual<3> {
        let hidden = self.down.shape()[0];
        let [value, gate] = self.up.forward_dual(x, Activation::Identity).halves(hidden);
        let gate = gate.activation(DualActivation::Other(self.activation));
        self.down.forward_dual(value.multiply(gate), Activation::Identity)
    }
}
