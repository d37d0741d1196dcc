//! Norms, activations, rotation and the loss, operation by operation.

use burn::tensor::{Device, Tensor};
use mixlab_core::Precision;
use mixlab_kernels::{
    Activation, NormKind, RotaryLayout, RotaryOptions, activation, cross_entropy, norm, rotary,
};

use crate::fixture::{Fixture, PRECISIONS, vector};

fn device() -> Device {
    Device::flex().autodiff()
}

#[test]
fn norms() {
    let fixture = Fixture::load("norms");
    for precision in PRECISIONS {
        check_norm(&fixture, "layer", NormKind::Layer, 1e-5, precision);
        check_norm(&fixture, "scale_clamp", NormKind::ScaleClamp, 1e-5, precision);
        check_norm(&fixture, "scale_mean", NormKind::ScaleMean, 1e-5, precision);
        check_norm(&fixture, "rms_gainless", NormKind::Rms, 1e-12, precision);
        check_norm(&fixture, "rms_gain_f32", NormKind::Rms, 1e-6, precision);
    }
}

fn check_norm(fixture: &Fixture, name: &str, kind: NormKind, epsilon: f64, precision: Precision) {
    let device = device();
    let weights: Vec<_> =
        fixture.under(&format!("{name}/weight/")).map(|(part, _)| part.to_owned()).collect();
    let weight = |bias: bool| {
        let part = weights.iter().find(|part| (*part == "bias") == bias)?;
        Some(fixture.tensor::<1>(&format!("{name}/weight/{part}"), precision, &device).require_grad())
    };
    let (gain, bias) = (weight(false), weight(true));
    let x: Tensor<2> = fixture.tensor("input", precision, &device).require_grad();
    let y = norm(x.clone(), kind, gain.clone(), bias.clone(), epsilon);
    let gradients = (y.clone() * fixture.tensor("cotangent", precision, &device)).sum().backward();
    fixture.check(&format!("{name}/output"), &vector(y), precision);
    fixture.check(&format!("{name}/gradient/input"), &vector(x.grad(&gradients).unwrap()), precision);
    for (part, parameter) in weights.iter().map(|part| (part, if part == "bias" { &bias } else { &gain })) {
        let gradient = parameter.as_ref().unwrap().grad(&gradients).unwrap();
        fixture.check(&format!("{name}/gradient/{part}"), &vector(gradient), precision);
    }
}

#[test]
fn activations() {
    let fixture = Fixture::load("activations");
    let kinds = [
        ("relu", Activation::Relu),
        ("squared_relu", Activation::SquaredRelu),
        ("gelu", Activation::Gelu),
        ("gelu_tanh", Activation::GeluTanh),
        ("silu", Activation::Silu),
        ("sigmoid", Activation::Sigmoid),
        ("tanh", Activation::Tanh),
        ("elu_plus_one", Activation::EluPlusOne),
    ];
    for (name, kind) in kinds {
        for precision in PRECISIONS {
            let x: Tensor<1> = fixture.tensor("input", precision, &device()).require_grad();
            let y = activation(x.clone(), kind);
            let gradients = y.clone().sum().backward();
            fixture.check(&format!("{name}/output"), &vector(y), precision);
            fixture.check(&format!("{name}/gradient"), &vector(x.grad(&gradients).unwrap()), precision);
        }
    }
}

/// Golden values: a test of relative positions alone would pass with a wrong sign of the exponent.
#[test]
fn rotations() {
    let fixture = Fixture::load("rotary");
    for (name, layout) in
        [("interleaved", RotaryLayout::Interleaved), ("split_half", RotaryLayout::SplitHalf)]
    {
        let options = RotaryOptions { layout, width: 6, base: 10_000.0 };
        for start in [0, 1000] {
            let x: Tensor<4> = fixture.tensor("input", Precision::F64, &device());
            let turned = vector(rotary(x.clone(), options, start));
            fixture.check(&format!("{name}_from_{start}"), &turned, Precision::F64);
            let turned = vector(rotary(x.cast(Precision::F32.dtype()), options, start));
            fixture.check(&format!("{name}_from_{start}"), &turned, Precision::F32);
        }
    }
    let ones = Tensor::<4>::ones([1, 5, 1, 8], (&device(), Precision::F32.dtype()));
    let options = RotaryOptions { layout: RotaryLayout::Interleaved, width: 8, base: 10_000.0 };
    let turned = vector(rotary(ones, options, 0));
    fixture.check("interleaved_ones_f32", &turned, Precision::F32);
}

#[test]
fn projected_cross_entropy() {
    let fixture = Fixture::load("cross_entropy");
    let device = device();
    for precision in PRECISIONS {
        let hidden: Tensor<2> = fixture.tensor("hidden", precision, &device).require_grad();
        let weight: Tensor<2> = fixture.tensor("weight", precision, &device).require_grad();
        let bias: Tensor<1> = fixture.tensor("bias", precision, &device).require_grad();
        let weights = fixture.tensor("weights", precision, &device);
        let targets = fixture.ids("targets", &device);
        let loss = cross_entropy(hidden.clone(), weight.clone(), Some(bias.clone()), targets, weights);
        let gradients = loss.backward();
        fixture.check("loss", &vector(loss), precision);
        fixture.check("gradient/hidden", &vector(hidden.grad(&gradients).unwrap()), precision);
        fixture.check("gradient/weight", &vector(weight.grad(&gradients).unwrap()), precision);
        fixture.check("gradient/bias", &vector(bias.grad(&gradients).unwrap()), precision);
    }
}
