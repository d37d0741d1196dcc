//! AdamW and SGD against torch, step by step.

use burn::tensor::{Device, Tensor, TensorData};
use mixlab_kernels::{AdaptiveMoments, Slot, UpdateRule, UpdateStep, optimizer_update};

use crate::fixture::{Fixture, PRECISIONS, vector};

#[test]
fn adamw() {
    let moments = AdaptiveMoments { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, bias_correction: true };
    check("adamw", UpdateRule::AdamW(moments), 0.01, 0.1);
}

#[test]
fn sgd() {
    check("sgd_momentum", UpdateRule::Sgd { momentum: 0.9, nesterov: false }, 0.05, 0.0);
    check("sgd_nesterov", UpdateRule::Sgd { momentum: 0.9, nesterov: true }, 0.05, 0.0);
}

fn check(name: &str, rule: UpdateRule, learning_rate: f64, weight_decay: f64) {
    let fixture = Fixture::load("optimizers");
    let device = Device::flex();
    for precision in PRECISIONS {
        let tensor = |values: &[f64]| -> Tensor<1> {
            Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), (&device, precision.dtype()))
        };
        let start = &fixture.values("start").data;
        let mut parameter = tensor(start);
        let mut moments = vec![tensor(&vec![0.0; start.len()]); rule.moment_names().len()];
        let mut trace = Vec::new();
        for (step, gradient) in (1..).zip(fixture.values("gradients").data.chunks_exact(start.len())) {
            let slot = Slot { parameter, gradient: tensor(gradient), moments, weight_decay };
            let step = UpdateStep { rule, learning_rate, step, gradient_scale: 1.0 };
            let updated = optimizer_update(vec![slot], &step).remove(0);
            (parameter, moments) = (updated.parameter, updated.moments);
            trace.extend(vector(parameter.clone()));
        }
        fixture.check(&format!("{name}/trace"), &trace, precision);
    }
}
