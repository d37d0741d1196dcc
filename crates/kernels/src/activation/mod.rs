//! Element-wise activations.

mod backend;
mod cpu;
pub(crate) mod functions;
pub(crate) mod portable;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::cpu::serves;
use backend::ActivationBackend;

/// An element-wise function f.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// f(x) = x.
    Identity,
    /// f(x) = max(x, 0).
    Relu,
    /// f(x) = max(x, 0)².
    SquaredRelu,
    /// f(x) = x · Φ(x) with the exact normal distribution function (Hendrycks and Gimpel 2016).
    Gelu,
    /// f(x) = x/2 · (1 + tanh(sqrt(2/π) · (x + 0.044715·x³))).
    GeluTanh,
    /// f(x) = x · σ(x), also called Swish.
    Silu,
    /// f(x) = σ(x) = 1 / (1 + exp(−x)).
    Sigmoid,
    /// f(x) = tanh(x).
    Tanh,
    /// f(x) = elu(x) + 1: x + 1 for x > 0, exp(x) elsewhere. The positive feature map of linear
    /// attention (Katharopoulos et al. 2020, equation 7).
    EluPlusOne,
}

/// `f(x)`, element by element; the shape stays.
pub fn activation<const D: usize>(x: Tensor<D>, kind: Activation) -> Tensor<D> {
    if kind == Activation::Identity || !serves(&x) {
        return portable::activation(x, kind);
    }
    Tensor::from_dispatch(Dispatch::fused_activation(x.into_dispatch(), kind))
}
