use super::{NormKind, add_norm, norm, portable};
use crate::harness::{Inputs, SIZES, differentiate, fast_equals_portable, numbers};
use burn::tensor::{Device, Tensor};

const KINDS: [NormKind; 4] = [NormKind::Layer, NormKind::Rms, NormKind::ScaleClamp, NormKind::ScaleMean];

/// Large, so that the gradients of narrow rows do not vanish by cancellation.
const EPSILON: f64 = 0.1;

fn gain_width(kind: NormKind, width: usize) -> usize {
    if matches!(kind, NormKind::ScaleClamp | NormKind::ScaleMean) { 1 } else { width }
}

#[test]
fn norm_equals_the_portable_definition() {
    for kind in KINDS {
        for width in SIZES {
            // One number divided by its own size is ±1: the gradient is zero up to rounding.
            if kind == NormKind::ScaleClamp && width == 1 {
                continue;
            }
            let operands = |t: &mut Inputs| {
                let gain = t.input("gain", [gain_width(kind, width)]);
                (t.input("x", [3, 5, width]), Some(gain), Some(t.input("bias", [width])))
            };
            fast_equals_portable(
                &format!("{kind:?} width {width}"),
                |t| {
                    let (x, gain, bias) = operands(t);
                    norm(x, kind, gain, bias, EPSILON)
                },
                |t| {
                    let (x, gain, bias) = operands(t);
                    portable::norm(x, kind, gain, bias, EPSILON)
                },
            );
        }
    }
}

#[test]
fn add_norm_equals_the_portable_definition() {
    for (kind, scale) in KINDS.into_iter().zip([1.0, 1.7, 1.0, 0.3]) {
        // 700 rows of 100 make several blocks of work.
        for (rows, width) in [(1, 2), (7, 65), (700, 100)] {
            let operands = |t: &mut Inputs| (t.input("x", [rows, width]), t.input("branch", [rows, width]));
            fast_equals_portable(
                &format!("{kind:?} {rows} x {width}"),
                |t| {
                    let (x, branch) = operands(t);
                    let gain = Some(t.input("gain", [gain_width(kind, width)]));
                    add_norm(x, branch, scale, kind, gain, None, EPSILON)
                },
                |t| {
                    let (x, branch) = operands(t);
                    let gain = Some(t.input("gain", [gain_width(kind, width)]));
                    portable::add_norm(x, branch, scale, kind, gain, None, EPSILON)
                },
            );
        }
    }
}

#[test]
fn strided_input_and_no_parameters() {
    fast_equals_portable(
        "transposed",
        |t| norm(t.input("x", [6, 4]).transpose(), NormKind::Layer, None, None, 1e-5),
        |t| portable::norm(t.input("x", [6, 4]).transpose(), NormKind::Layer, None, None, 1e-5),
    );
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for kind in KINDS {
        differentiate(&format!("{kind:?}"), |t| {
            let gain = t.input("gain", [gain_width(kind, 9)]);
            let bias = t.input("bias", [9]);
            let (x, branch) = (t.input("x", [4, 9]), t.input("branch", [4, 9]));
            add_norm(x, branch, 1.3, kind, Some(gain), Some(bias), 1e-3)
        });
    }
}

#[test]
fn the_floor_of_scale_clamp_is_linear_below() {
    // Root mean square 1e-3 against a floor of 0.1: the norm is x / 0.1 there, and so is its gradient.
    let device = Device::flex().autodiff();
    let x = Tensor::<2>::from_floats([[1e-3, -1e-3, 1e-3, -1e-3]], &device).require_grad();
    let y = norm(x.clone(), NormKind::ScaleClamp, None, None, 0.1);
    let gradients = y.clone().sum().backward();
    assert!(numbers(y.inner()).iter().all(|y| (y.abs() - 1e-2).abs() < 1e-7));
    let gradient = numbers(x.grad(&gradients).expect("gradient of x"));
    assert!(gradient.iter().all(|g| (g - 10.0).abs() < 1e-4), "{gradient:?}");
}

#[test]
fn values_by_hand() {
    let device = Device::flex();
    let x = Tensor::<2>::from_floats([[1.0, 3.0]], &device);
    let layer = numbers(norm(x.clone(), NormKind::Layer, None, None, 0.0));
    assert_eq!(layer, [-1.0, 1.0]);
    let rms = numbers(norm(x, NormKind::Rms, None, None, 0.0));
    assert!((rms[0] - 1.0 / 5f64.sqrt()).abs() < 1e-7 && (rms[1] - 3.0 / 5f64.sqrt()).abs() < 1e-7);
}
