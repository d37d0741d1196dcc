//! Rectifiers, and the gate that they are for a tangent or a gradient.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::cpu::serves;
use backend::RectifierBackend;

pub(crate) use cpu::pass;

/// `max(x, 0) + slope·min(x, 0)`, with the slope of the negative side at 0. ReLU for a slope of 0; Maas, Hannun and Ng, 2013.
///
/// # Panics
/// If the slope is negative.
pub fn leaky_relu<const D: usize>(x: Tensor<D>, slope: f64) -> Tensor<D> {
    assert!(slope >= 0.0, "a rectifier does not turn its input around");
    if !serves(&x) {
        return portable::leaky_relu(x, slope);
    }
    Tensor::from_dispatch(Dispatch::fused_leaky_relu(x.into_dispatch(), slope))
}

/// `x` where `rectified` is positive, `slope·x` elsewhere: what a rectifier whose output is `rectified` does to first order. No gradient
/// goes to `rectified`.
pub fn rectifier_gate<const D: usize>(x: Tensor<D>, rectified: Tensor<D>, slope: f64) -> Tensor<D> {
    assert_eq!(x.dims(), rectified.dims(), "shapes of a gate");
    if !serves(&x) {
        return portable::gate(x, rectified, slope);
    }
    Tensor::from_dispatch(Dispatch::fused_rectifier_gate(x.into_dispatch(), rectified.into_dispatch(), slope))
}
