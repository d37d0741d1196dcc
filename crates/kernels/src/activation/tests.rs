use super::{Activation, activation, portable};
use crate::harness::{Inputs, SIZES, differentiate, fast_equals_portable, numbers};
use burn::tensor::{Device, Tensor};

const KINDS: [Activation; 9] = [
    Activation::Identity,
    Activation::Relu,
    Activation::SquaredRelu,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::EluPlusOne,
];

/// Normals times four reach the tails of every function.
fn wide<const D: usize>(t: &mut Inputs, shape: [usize; D]) -> Tensor<D> {
    t.input("x", shape).mul_scalar(4.0)
}

#[test]
fn every_kind_equals_the_portable_definition() {
    for kind in KINDS {
        // The last length makes several blocks of work.
        for length in SIZES.into_iter().chain([20_001]) {
            fast_equals_portable(
                &format!("{kind:?} of {length}"),
                |t| activation(wide(t, [2, length]), kind),
                |t| portable::activation(wide(t, [2, length]), kind),
            );
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for kind in KINDS {
        differentiate(&format!("{kind:?}"), |t| activation(t.input("x", [3, 8]), kind));
    }
}

#[test]
fn tails_and_what_is_not_a_number() {
    let ends = [-1e30, -100.0, -0.0, 0.0, 100.0, 1e18, f32::NAN];
    for kind in KINDS {
        let x = Tensor::<1>::from_floats(ends, &Device::flex());
        let fast = numbers(activation(x.clone(), kind));
        let portable = numbers(portable::activation(x, kind));
        for (i, (a, b)) in fast.into_iter().zip(portable).enumerate() {
            assert!(
                a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-30,
                "{kind:?} {i}: {a} and {b}"
            );
        }
    }
}

/// A denormal gradient slows the products behind it; GELU's would be one from -13 on.
#[test]
fn gradients_far_out_are_zero_or_normal() {
    let device = Device::flex().autodiff();
    for kind in KINDS {
        let x: Vec<f32> = (-2000..2000).map(|i| i as f32 / 100.0).collect();
        let x = Tensor::<1>::from_floats(x.as_slice(), &device).require_grad();
        // As small as the gradients of a batch of 64 × 49 positions are.
        let gradients = activation(x.clone(), kind).mul_scalar(1e-5).sum().backward();
        let gradient = x.grad(&gradients).expect("gradient of x").into_data().try_to_vec::<f32>().unwrap();
        assert!(gradient.iter().all(|g| *g == 0.0 || g.is_normal()), "{kind:?}");
    }
}

#[test]
fn values_by_hand() {
    let at = |kind, x: f32| numbers(activation(Tensor::<1>::from_floats([x], &Device::flex()), kind))[0];
    assert_eq!(at(Activation::SquaredRelu, 3.0), 9.0);
    assert_eq!(at(Activation::EluPlusOne, 2.0), 3.0);
    assert!((at(Activation::Gelu, 1.0) - 0.841_344_75).abs() < 1e-6);
    assert!((at(Activation::GeluTanh, 1.0) - 0.841_191_99).abs() < 1e-6);
    assert!((at(Activation::Silu, 1.0) - 0.731_058_58).abs() < 1e-6);
}
