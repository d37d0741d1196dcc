//! Values with their derivative along one direction: forward mode.
//!
//! A dual number of f at x is (f(x), ḟ) with ḟ = d/dt f(x + t·u) at 0. It is made of ordinary operations, so that an ordinary backward pass
//! through ḟ gives the parameter gradient of a directional derivative: what critics with a gradient in their loss need, without a second-order
//! autodiff. A layer that is written on duals once is the plain layer too, where there is no tangent to carry.
//! Source: Griewank and Walther, "Evaluating derivatives", 2008, chapter 3.

use std::ops::Add;

use burn::tensor::{Tensor, activation as element_wise};
use mixlab_kernels::{Activation, activation, leaky_relu};

/// A tensor and, if one is carried, its derivative along a direction, of the same shape.
#[derive(Clone, Debug)]
pub struct Dual<const D: usize> {
    /// The value.
    pub value: Tensor<D>,
    /// Its derivative; absent: nobody asks.
    pub tangent: Option<Tensor<D>>,
}

impl<const D: usize> From<Tensor<D>> for Dual<D> {
    /// A value without a tangent.
    fn from(value: Tensor<D>) -> Self {
        Dual { value, tangent: None }
    }
}

impl<const D: usize> Dual<D> {
    /// A value that moves along `tangent`.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn new(value: Tensor<D>, tangent: Tensor<D>) -> Self {
        assert_eq!(value.dims(), tangent.dims(), "shapes of a value and its tangent");
        Dual { value, tangent: Some(tangent) }
    }

    /// A linear map: the tangent goes the same way.
    pub fn linear<const E: usize>(self, map: impl Fn(Tensor<D>) -> Tensor<E>) -> Dual<E> {
        Dual { value: map(self.value), tangent: self.tangent.map(map) }
    }

    /// An affine map and its linear part.
    pub fn affine<const E: usize>(
        self,
        map: impl FnOnce(Tensor<D>) -> Tensor<E>,
        linear: impl FnOnce(Tensor<D>) -> Tensor<E>,
    ) -> Dual<E> {
        Dual { value: map(self.value), tangent: self.tangent.map(linear) }
    }

    /// f(x), with tangent f'(x) ⊙ ẋ.
    pub fn activation(self, kind: DualActivation) -> Self {
        let tangent = self.tangent.map(|tangent| kind.slope(self.value.clone()) * tangent);
        Dual { value: kind.value(self.value), tangent }
    }

    /// The product element by element: ȧ·b + a·ḃ.
    pub fn multiply(self, other: Self) -> Self {
        let tangent = match (self.tangent, other.tangent) {
            (Some(a), Some(b)) => Some(a * other.value.clone() + self.value.clone() * b),
            (Some(a), None) => Some(a * other.value.clone()),
            (None, Some(b)) => Some(self.value.clone() * b),
            (None, None) => None,
        };
        Dual { value: self.value * other.value, tangent }
    }

    /// The first `width` numbers of the last axis, and the others.
    pub fn halves(self, width: usize) -> [Self; 2] {
        let all = self.value.dims()[D - 1];
        [(0, width), (width, all - width)]
            .map(|(start, length)| self.clone().linear(|x| x.narrow(D - 1, start, length)))
    }

    /// (x − mean)/√(variance + ε) over the last axis. With v = x − mean and s = √(mean v² + ε), the tangent is v̇/s − v·mean(v·v̇)/s³.
    pub fn layer_norm(self, epsilon: f64) -> Self {
        let centred = self.linear(|x| x.clone() - x.mean_dim(D - 1));
        let mean_square = (centred.value.clone() * centred.value.clone()).mean_dim(D - 1);
        let deviation = mean_square.add_scalar(epsilon).sqrt();
        let normal = centred.value.clone() / deviation.clone();
        let tangent = centred.tangent.map(|tangent| {
            let along = (normal.clone() * tangent.clone()).mean_dim(D - 1);
            (tangent - normal.clone() * along) / deviation
        });
        Dual { value: normal, tangent }
    }
}

impl<const D: usize> Add for Dual<D> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let tangent = match (self.tangent, other.tangent) {
            (Some(a), Some(b)) => Some(a + b),
            (one, other) => one.or(other),
        };
        Dual { value: self.value + other.value, tangent }
    }
}

/// An element-wise function with a slope that can be differentiated again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DualActivation {
    /// max(x, 0) + slope·min(x, 0): ReLU for a slope of 0.
    LeakyRelu {
        /// Slope for negative numbers.
        slope: f64,
    },
    /// log(1 + eˣ).
    Softplus,
    /// Any other: what the layers of sequence models use.
    Other(Activation),
}

impl DualActivation {
    /// max(x, 0).
    pub const RELU: Self = DualActivation::LeakyRelu { slope: 0.0 };

    /// The slope of the negative side of a rectifier.
    pub fn rectifier(self) -> Option<f64> {
        match self {
            DualActivation::LeakyRelu { slope } => Some(slope),
            DualActivation::Softplus | DualActivation::Other(_) => None,
        }
    }

    /// Whether the function is linear but for kinks.
    pub fn is_piecewise_linear(self) -> bool {
        match self {
            DualActivation::LeakyRelu { .. } => true,
            DualActivation::Softplus => false,
            DualActivation::Other(kind) => matches!(kind, Activation::Relu | Activation::Identity),
        }
    }

    /// f(x).
    pub fn value<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            DualActivation::LeakyRelu { slope } => leaky_relu(x, slope),
            // −log σ(−x): nothing overflows.
            DualActivation::Softplus => element_wise::log_sigmoid(x.neg()).neg(),
            DualActivation::Other(kind) => activation(x, kind),
        }
    }

    /// f'(x), in operations whose own gradient is f''(x); 0 or `slope` at a kink.
    pub fn slope<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            DualActivation::LeakyRelu { slope } => step(x, slope),
            DualActivation::Softplus => element_wise::sigmoid(x),
            DualActivation::Other(kind) => slope_of(x, kind),
        }
    }
}

/// 1 where x > 0, `slope` elsewhere; without a graph.
fn step<const D: usize>(x: Tensor<D>, slope: f64) -> Tensor<D> {
    let positive = x.clone().detach().greater_elem(0.0).float().cast(x.dtype());
    if slope == 0.0 { positive } else { positive.mul_scalar(1.0 - slope).add_scalar(slope) }
}

fn slope_of<const D: usize>(x: Tensor<D>, kind: Activation) -> Tensor<D> {
    match kind {
        Activation::Identity => x.ones_like(),
        Activation::Relu => step(x, 0.0),
        Activation::SquaredRelu => element_wise::relu(x).mul_scalar(2.0),
        // Φ(x) + x·φ(x).
        Activation::Gelu => {
            let distribution = x.clone().mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf().add_scalar(1.0);
            let density = (x.clone() * x.clone()).mul_scalar(-0.5).exp();
            let root = (2.0 * std::f64::consts::PI).sqrt();
            distribution.mul_scalar(0.5) + (x * density).mul_scalar(1.0 / root)
        }
        // With u = √(2/π)·(x + 0.044715·x³) and t = tanh u: (1 + t)/2 + x·(1 − t²)/2·u'.
        Activation::GeluTanh => {
            let root = (2.0 / std::f64::consts::PI).sqrt();
            let square = x.clone() * x.clone();
            let inner = square.clone().mul_scalar(0.044715).add_scalar(1.0) * x.clone();
            let tanh = inner.mul_scalar(root).tanh();
            let rest = (tanh.clone() * tanh.clone()).neg().add_scalar(1.0);
            let inner_slope = square.mul_scalar(3.0 * 0.044715).add_scalar(1.0).mul_scalar(root);
            tanh.add_scalar(1.0).mul_scalar(0.5) + (x * rest * inner_slope).mul_scalar(0.5)
        }
        Activation::Silu => {
            let gate = element_wise::sigmoid(x.clone());
            gate.clone() * (x * gate.neg().add_scalar(1.0)).add_scalar(1.0)
        }
        Activation::Sigmoid => {
            let value = element_wise::sigmoid(x);
            value.clone() * value.neg().add_scalar(1.0)
        }
        Activation::Tanh => {
            let value = x.tanh();
            (value.clone() * value).neg().add_scalar(1.0)
        }
        Activation::EluPlusOne => x.clamp_max(0.0).exp(),
    }
}
