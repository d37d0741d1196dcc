//! A scope in which every operation is computed by its definition.

use std::cell::Cell;

thread_local! {
    /// Scopes that this thread is inside of.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Runs `work` with every operation that it calls computed by its portable definition instead of a kernel, and with
/// the backward pass of what it computes made of plain tensor operations too, wherever that runs.
///
/// This is how a whole model is compared with its meaning. The scope belongs to the calling thread and ends with
/// `work`, also by a panic; scopes nest.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use mixlab_kernels::{portable, softmax};
/// let x = Tensor::<2>::from_data([[0.0, 1.0, 2.0]], &Device::flex());
/// let (fast, plain) = (softmax(x.clone()), portable(|| softmax(x)));
/// assert!((fast - plain).abs().max().into_scalar::<f64>() < 1e-6);
/// ```
pub fn portable<R>(work: impl FnOnce() -> R) -> R {
    let _scope = Scope::enter();
    work()
}

/// Whether operations take their definitions now, on this thread.
pub(crate) fn in_portable_scope() -> bool {
    DEPTH.get() > 0
}

/// An entered scope. Dropping it leaves the scope.
struct Scope;

impl Scope {
    fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Scope
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use burn::tensor::{DType, Device, Int, Tensor};
    use mixlab_core::Precision;

    use super::*;
    use crate::harness::{Inputs, assert_close, evaluate};
    use crate::profile::{self, Pass};
    use crate::{
        Activation, LinearOptions, Mask, NormKind, SoftmaxOptions, TokenOptions, activation, embedding,
        fourier_mix, gated_product, linear, linear_attention, norm, softmax, softmax_attention, token_linear,
    };

    fn served() -> bool {
        crate::cpu::serves(&Tensor::<1>::zeros([3], (&Device::flex(), DType::F64)))
    }

    #[test]
    fn a_scope_ends_with_its_work() {
        assert!(served());
        portable(|| {
            assert!(!served());
            portable(|| assert!(!served()));
            assert!(!served(), "the outer scope goes on");
            assert!(std::thread::spawn(served).join().expect("a thread"), "a scope belongs to its thread");
        });
        assert!(served());
        assert!(catch_unwind(|| portable(|| panic!("inside"))).is_err());
        assert!(served(), "a panic leaves the scope too");
    }

    /// A value through one operation of nearly every kind.
    fn chain(t: &mut Inputs) -> Tensor<3> {
        let (batch, n, width) = (2, 5, 4);
        let weight = t.input("table", [7, width]);
        let ids = Tensor::<2, Int>::from_data([[1, 5, 1, 0, 2], [6, 6, 3, 4, 1]], t.device());
        let x = norm(embedding(weight, ids), NormKind::Layer, None, None, 1e-5);
        let x = linear(x, t.input("map", [width, width]), None, Activation::Silu);
        let x = token_linear(x, t.input("tokens", [n, n]), None, TokenOptions::default());
        let heads = |x: &Tensor<3>| x.clone().reshape([batch, n, 2, width / 2]);
        let options = SoftmaxOptions { scale: 0.5, causal: true, mask: Mask::default(), dropout: None };
        let attended = softmax_attention(heads(&x), heads(&x), heads(&x), options);
        let x = x + attended.reshape([batch, n, width]);
        let options = LinearOptions { causal: true, epsilon: Some(1e-6), chunk: 2, mask: Mask::default() };
        let positive = softmax(heads(&x));
        let x =
            x.clone() + linear_attention(positive.clone(), positive, heads(&x), options).reshape(x.dims());
        let gated = gated_product(x.clone(), activation(x, Activation::Gelu), Activation::Sigmoid);
        fourier_mix(gated, None)
    }

    /// Inside the scope no kernel runs, neither forward nor backward, and the numbers are those of the kernels.
    #[test]
    fn kernels_stay_out_of_both_passes() {
        let fast = evaluate(Precision::F64, chain);
        profile::open();
        let plain = profile::pass(Pass::Forward, || portable(|| evaluate(Precision::F64, chain)));
        let passes = profile::close();
        assert_eq!(passes[0].entries, [], "a kernel ran");
        assert_close("a chain of operations", &fast, &plain, 1e-11);
    }

    /// The backward pass is that of the forward pass, in whatever scope it runs.
    #[test]
    fn the_backward_pass_follows_the_forward_pass() {
        let x = || {
            let x =
                Tensor::<2>::from_data([[0.5, -1.0], [2.0, 0.0]], (&Device::flex().autodiff(), DType::F64));
            x.require_grad()
        };
        let operations = |value: Tensor<2>| {
            profile::open();
            profile::pass(Pass::Backward, || value.sum().backward());
            profile::close()[0].entries.len()
        };
        assert_eq!(operations(portable(|| softmax(x()))), 0);
        assert_eq!(operations(softmax(x())), 1);
    }
}
