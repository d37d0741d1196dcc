use burn::tensor::{Device, Tensor};
use mixlab_core::Precision;

use super::{BatchNormed, batch_norm, portable};
use crate::harness::{Inputs, differentiate, fast_equals_portable, normals, numbers, untracked};

const EPSILON: f64 = 1e-5;

type Operands<const D: usize> = (Tensor<D>, Tensor<1>, Tensor<1>);

fn operands<const D: usize>(t: &mut Inputs, shape: [usize; D]) -> Operands<D> {
    let channels = shape[D - 1];
    let x = t.input("x", shape).mul_scalar(0.5).add_scalar(1.0);
    (x, t.input("gain", [channels]), t.input("bias", [channels]))
}

fn compare<const D: usize>(shape: [usize; D]) {
    fast_equals_portable(
        &format!("{shape:?}"),
        |t| {
            let (x, gain, bias) = operands(t, shape);
            batch_norm(x, gain, bias, EPSILON).value
        },
        |t| {
            let (x, gain, bias) = operands(t, shape);
            portable::batch_norm(x, gain, bias, EPSILON).value
        },
    );
}

#[test]
fn equals_the_portable_definition() {
    compare([2, 3]);
    compare([65, 1]);
    compare([3, 4, 5, 7]);
    compare([2, 9, 16, 64]);
    // More than one block of rows, the last one shorter.
    compare([3, 11, 13, 100]);
    compare([20_000, 2]);
}

#[test]
fn gradients_are_those_of_differences() {
    differentiate("batch norm", |t| {
        let (x, gain, bias) = operands(t, [3, 2, 4]);
        batch_norm(x, gain, bias, EPSILON).value
    });
}

/// In single precision, with means a thousand times the deviation.
#[test]
fn moments_are_those_of_the_batch() {
    let (rows, channels) = (9_000, 3);
    let t = untracked(Precision::F32);
    let values: Vec<f64> = normals("x", rows * channels).iter().map(|x| x + 1000.0).collect();
    let x: Tensor<2> = t.constant(values, [rows, channels]);
    let ones = || Tensor::ones([channels], &Device::flex());
    let BatchNormed { mean, variance, .. } = batch_norm(x.clone(), ones(), ones(), EPSILON);
    let x = numbers(x);
    for (channel, (mean, variance)) in numbers(mean).into_iter().zip(numbers(variance)).enumerate() {
        let column = || x[channel..].iter().step_by(channels);
        let expected = column().sum::<f64>() / rows as f64;
        let squares: f64 = column().map(|x| (x - expected) * (x - expected)).sum();
        assert!((mean / expected - 1.0).abs() < 1e-6, "mean {mean}, not {expected}");
        let ratio = variance / (squares / rows as f64);
        assert!((ratio - 1.0).abs() < 1e-4, "variance {variance} is {ratio} of its own");
    }
}

#[test]
#[should_panic(expected = "moments of no row")]
fn an_empty_batch_is_refused() {
    let parameter = || Tensor::ones([2], &Device::flex());
    batch_norm(Tensor::<2>::zeros([0, 2], &Device::flex()), parameter(), parameter(), EPSILON);
}
