//! The activations as functions of one number, with their derivatives.

use super::Activation;
use crate::cpu::Real;

/// An element-wise function. What is not a number stays so, as in the portable definition.
pub(crate) trait Function {
    fn value<T: Real>(x: T) -> T;
    /// Value and derivative.
    fn both<T: Real>(x: T) -> (T, T);
    /// The derivative, for gradients: far out, where it is next to nothing, it is nothing. Without norms, whole layers drift
    /// there, and their gradients would be denormal numbers.
    #[inline(always)]
    fn slope<T: Real>(x: T) -> T {
        Self::both(x).1.settled()
    }
}

/// Runs an expression with a type name bound to the [`Function`] of an activation, so that the choice is
/// made once and not for every element.
macro_rules! with_function {
    ($activation:expr, $function:ident => $body:expr) => {{
        use $crate::activation::functions;
        match $activation {
            $crate::Activation::Identity => {
                type $function = functions::Identity;
                $body
            }
            $crate::Activation::Relu => {
                type $function = functions::Relu;
                $body
            }
            $crate::Activation::SquaredRelu => {
                type $function = functions::SquaredRelu;
                $body
            }
            $crate::Activation::Gelu => {
                type $function = functions::Gelu;
                $body
            }
            $crate::Activation::GeluTanh => {
                type $function = functions::GeluTanh;
                $body
            }
            $crate::Activation::Silu => {
                type $function = functions::Silu;
                $body
            }
            $crate::Activation::Sigmoid => {
                type $function = functions::Sigmoid;
                $body
            }
            $crate::Activation::Tanh => {
                type $function = functions::Tanh;
                $body
            }
            $crate::Activation::EluPlusOne => {
                type $function = functions::EluPlusOne;
                $body
            }
        }
    }};
}

pub(crate) use with_function;

pub(crate) struct Identity;

impl Function for Identity {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x
    }
    #[inline(always)]
    fn both<T: Real>(x: T) -> (T, T) {
        (x, T::ONE)
    }
}

pub(crate) struct Relu;

impl Function for Relu {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        if x < T::ZERO { T::ZERO } else { x }
    }
    #[inline(always)]
    fn both<T: Real>(x: T) -> (T, T) {
        (Self::value(x), if x > T::ZERO { T::ONE } else { T::ZERO })
    }
}

pub(crate) struct SquaredRelu;

impl Function for SquaredRelu {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        let positive = Relu::value(x);
        positive * positive
    }
    #[inline(always)]
    fn both<T: Real>(x: T) -> (T, T) {
        let positive = Relu::value(x);
        (positive * positive, positive + positive)
    }
}

pub(crate) struct Gelu;

impl Gelu {
    /// Φ(x).
    #[inline(always)]
    fn distribution<T: Real>(x: T) -> T {
        let half = T::of(0.5);
        half.mul_add((x * T::of(std::f64::consts::FRAC_1_SQRT_2)).erf(), half)
    }
}

impl Function for Gelu {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x * Self::distribution(x)
    }
    #[inline(always)]
    fn both<T: Real>(x: T) -> (T, T) {
        let distribution = Self::distribution(x);
        // 1/sqrt(2π).
        let density = T::of(0.398_942_280_401_432_7) * (T::of(-0.5) * x * x).exp();
        (x * distribution, x.mul_add(density, distribution))
    }
}

pub(crate) struct GeluTanh;

impl GeluTanh {
    /// (1 + tanh(u))/2 = σ(2u) with u = sqrt(2/π)·(x + 0.044715·x³).
    #[inline(always)]
    fn gate<T: Real>(x: T) -> T {
        (x * (x * x).mul_add(T::of(2.0 * ROOT_2_OVER_PI * CUBIC), T::of(2.0 * ROOT_2_OVER_PI))).sigmoid()
    }
}

const ROOT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
const CUBIC: f64 = 0.044_715;

impl Function for GeluTanh {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x * Self::gate(x)
    }
    #[inline(always)]
    fn both<T: Real>(x: T) -> (T, T) {
        let gate = Self::gate(x);
        let inner = (x * x).mul_add(T::of(6.0 * ROOT_2_OVER_PI * CUBIC), T::of(2.0 * ROOT_2_OVER_PI));
        (x * gate, (x * inner * (T::ONE - gate)).mul_add(gate, gate))
    }
}

pub(crate) struct Silu;

impl Function for Silu {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x * x.sigmoid()
    }
    #[inline(always)]
    fn both<T: Real>(x: T) -> (T, T) {
        let gate = x.sigmoid();
        (x * gate, gate * x.mul_add(T::ONE - gate, T::ONE))
    }
}

pub(crate) struct Sigmoid;

impl Function for Sigmoid {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.sigmoid()
    }
    #[inline(always)]
    fn both<T: Real>(x: T) -> (T, T) {
        let value = x.sigmoid();
        (value, value * (T::ONE - value))
    }
}

pub(crate) struct Tanh;

impl Function for Tanh {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.tanh()
    }
    #[inline(always)]
    fn both<T: Real>(x: T) -> (T, T) {
        let value = x.tanh();
        (value, (-value).mul_add(value, T::ONE))
    }
}

pub(crate) struct EluPlusOne;

impl EluPlusOne {
    /// exp(min(x, 0)): the branch not taken cannot overflow.
    #[inline(always)]
    fn exponential<T: Real>(x: T) -> T {
        (if x > T::ZERO { T::ZERO } else { x }).exp()
    }
}

impl Function for EluPlusOne {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        let exponential = Self::exponential(x);
        if x > T::ZERO { x + T::ONE } else { exponential }
    }
    #[inline(always)]
    fn both<T: Real>(x: T) -> (T, T) {
        let exponential = Self::exponential(x);
        if x > T::ZERO { (x + T::ONE, T::ONE) } else { (exponential, exponential) }
    }
}

/// `x ← f(x)`.
pub(crate) fn apply<T: Real>(activation: Activation, x: &mut [T]) {
    if activation != Activation::Identity {
        with_function!(activation, F => apply_function::<T, F>(x));
    }
}

/// `dy ← dy ⊙ f'(x)`.
pub(crate) fn apply_slope<T: Real>(activation: Activation, dy: &mut [T], x: &[T]) {
    if activation != Activation::Identity {
        with_function!(activation, F => apply_derivative::<T, F>(dy, x));
    }
}

crate::cpu::vectorised! {
    fn apply_function<T: Real, F: Function>(x: &mut [T]) {
        for x in x.iter_mut() {
            *x = F::value(*x);
        }
    }
}

crate::cpu::vectorised! {
    fn apply_derivative<T: Real, F: Function>(dy: &mut [T], x: &[T]) {
        for (dy, &x) in dy.iter_mut().zip(x) {
            *dy = *dy * F::slope(x);
        }
    }
}
