//! The activations in plain tensor operations.

use burn::tensor::{Tensor, activation as burn_activation};

use super::Activation;

pub(crate) fn activation<const D: usize>(x: Tensor<D>, kind: Activation) -> Tensor<D> {
    match kind {
        Activation::Identity => x,
        Activation::Relu => burn_activation::relu(x),
        Activation::SquaredRelu => {
            let positive = burn_activation::relu(x);
            positive.clone() * positive
        }
        Activation::Gelu => {
            let distribution = x.clone().mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf().add_scalar(1.0);
            x * distribution.mul_scalar(0.5)
        }
        Activation::GeluTanh => {
            let cubic = x.clone() * x.clone() * x.clone();
            let inner =
                (x.clone() + cubic.mul_scalar(0.044715)).mul_scalar((2.0 / std::f64::consts::PI).sqrt());
            x * inner.tanh().add_scalar(1.0).mul_scalar(0.5)
        }
        Activation::Silu => x.clone() * burn_activation::sigmoid(x),
        Activation::Sigmoid => burn_activation::sigmoid(x),
        Activation::Tanh => x.tanh(),
        // exp(min(x, 0)) + max(x, 0): neither branch can overflow where it is not selected.
        Activation::EluPlusOne => x.clone().clamp_max(0.0).exp() + burn_activation::relu(x),
    }
}
