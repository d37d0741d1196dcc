use super::{add_scaled, affine, portable};
use crate::harness::{Inputs, SIZES, differentiate, fast_equals_portable, numbers};
use burn::tensor::{Device, Tensor};

/// 700 rows of 100 make several blocks of work.
const SHAPES: [[usize; 2]; 3] = [[1, 2], [7, 65], [700, 100]];

#[test]
fn affine_equals_the_portable_definition() {
    for width in SIZES {
        for (with_gain, with_bias) in [(true, true), (true, false), (false, true)] {
            let operands = |t: &mut Inputs| {
                let x = t.input("x", [3, 5, width]);
                let gain = with_gain.then(|| t.input("gain", [width]));
                (x, gain, with_bias.then(|| t.input("bias", [width])))
            };
            fast_equals_portable(
                &format!("width {width}, gain {with_gain}, bias {with_bias}"),
                |t| {
                    let (x, gain, bias) = operands(t);
                    affine(x, gain, bias)
                },
                |t| {
                    let (x, gain, bias) = operands(t);
                    portable::affine(x, gain, bias, None)
                },
            );
        }
    }
}

#[test]
fn scaled_sums_equal_the_portable_definition() {
    for [rows, width] in SHAPES {
        for factors in [1, width] {
            let operands = |t: &mut Inputs| {
                let x = t.input("x", [rows, width]);
                (x, t.input("gain", [factors]), t.input("branch", [rows, width]))
            };
            fast_equals_portable(
                &format!("{rows} x {width}, {factors} factors"),
                |t| {
                    let (x, gain, branch) = operands(t);
                    add_scaled(x, gain, branch)
                },
                |t| {
                    let (x, gain, branch) = operands(t);
                    portable::affine(branch, Some(gain), None, Some(x))
                },
            );
        }
    }
}

#[test]
fn strided_input() {
    fast_equals_portable(
        "transposed",
        |t| {
            let (x, gain) = (t.input("x", [6, 4]).transpose(), t.input("gain", [6]));
            add_scaled(x.clone(), gain, x)
        },
        |t| {
            let (x, gain) = (t.input("x", [6, 4]).transpose(), t.input("gain", [6]));
            portable::affine(x.clone(), Some(gain), None, Some(x))
        },
    );
}

#[test]
fn gradients_are_those_of_finite_differences() {
    differentiate("affine", |t| {
        let (x, gain, bias) = (t.input("x", [4, 9]), t.input("gain", [9]), t.input("bias", [9]));
        affine(x, Some(gain), Some(bias))
    });
    differentiate("scaled sum", |t| {
        let (x, gain, branch) = (t.input("x", [4, 9]), t.input("gain", [9]), t.input("branch", [4, 9]));
        add_scaled(x, gain, branch)
    });
}

#[test]
fn values_by_hand() {
    let device = Device::flex();
    let x = Tensor::<2>::from_floats([[1.0, 3.0]], &device);
    let gain = Tensor::<1>::from_floats([2.0, -1.0], &device);
    let bias = Tensor::<1>::from_floats([0.5, 0.25], &device);
    assert_eq!(numbers(affine(x.clone(), Some(gain.clone()), Some(bias))), [2.5, -2.75]);
    assert_eq!(numbers(add_scaled(x.clone(), gain, x)), [3.0, 0.0]);
}
