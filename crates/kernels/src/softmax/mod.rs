//! Softmax over the last axis.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::cpu::serves;
use backend::SoftmaxBackend;

/// `y_i = exp(x_i) / Σ_j exp(x_j)` over the last axis; the shape stays.
///
/// An entry of −∞ gives 0 and gets no gradient; a row of nothing else gives zeros. The gradient is
/// `dx = y ⊙ (dy − Σ_j dy_j·y_j)`.
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !serves(&x) {
        return portable::softmax(x);
    }
    Tensor::from_dispatch(Dispatch::fused_softmax(x.into_dispatch()))
}
