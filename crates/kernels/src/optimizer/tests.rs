use super::{AdaptiveMoments, Slot, UpdateRule, UpdateStep, global_norm, optimizer_update, portable};
use crate::harness::{Evaluation, PRECISIONS, assert_close, normals, numbers, same_bits};
use burn::tensor::{Device, Tensor, TensorData};
use mixlab_core::Precision;

const ADAPTIVE: AdaptiveMoments =
    AdaptiveMoments { beta1: 0.9, beta2: 0.98, epsilon: 1e-6, bias_correction: true };
const RULES: [UpdateRule; 6] = [
    UpdateRule::AdamW(ADAPTIVE),
    UpdateRule::AdamW(AdaptiveMoments { bias_correction: false, ..ADAPTIVE }),
    UpdateRule::Lamb(ADAPTIVE),
    UpdateRule::Sgd { momentum: 0.0, nesterov: false },
    UpdateRule::Sgd { momentum: 0.9, nesterov: false },
    UpdateRule::Sgd { momentum: 0.9, nesterov: true },
];
/// The last one is cut into several blocks of work.
const LENGTHS: [usize; 7] = [1, 2, 63, 64, 65, 100, 40_000];

fn vector(name: &str, length: usize, precision: Precision) -> Tensor<1> {
    let data = TensorData::new(normals(name, length), [length]);
    Tensor::from_data(data, (&Device::flex(), precision.dtype()))
}

fn slots(rule: UpdateRule, precision: Precision) -> Vec<Slot> {
    let slot = |(i, &length): (usize, &usize)| Slot {
        parameter: vector(&format!("parameter {i}"), length, precision),
        gradient: vector(&format!("gradient {i}"), length, precision),
        moments: rule
            .moment_names()
            .iter()
            .map(|name| vector(name, length, precision).abs().mul_scalar(0.1))
            .collect(),
        weight_decay: if i % 2 == 0 { 0.1 } else { 0.0 },
    };
    LENGTHS.iter().enumerate().map(slot).collect()
}

fn step(rule: UpdateRule) -> UpdateStep {
    UpdateStep { rule, learning_rate: 0.01, step: 3, gradient_scale: 0.5 }
}

fn evaluation(updated: Vec<super::Updated>) -> Evaluation {
    let name = |slot: usize, tensor: usize| format!("slot {slot} tensor {tensor}");
    let mut result = Vec::new();
    for (slot, updated) in updated.into_iter().enumerate() {
        for (i, tensor) in std::iter::once(updated.parameter).chain(updated.moments).enumerate() {
            result.push((name(slot, i), numbers(tensor)));
        }
    }
    result
}

#[test]
fn the_pass_over_all_equals_the_portable_updates() {
    for rule in RULES {
        for (precision, tolerance) in PRECISIONS {
            let fast = || evaluation(optimizer_update(slots(rule, precision), &step(rule)));
            let portable = slots(rule, precision).into_iter().map(|slot| portable::update(slot, &step(rule)));
            let name = format!("{rule:?} {precision:?}");
            assert_close(&name, &fast(), &evaluation(portable.collect()), tolerance);
            same_bits(&name, fast);
        }
    }
}

#[test]
fn shared_tensors_are_left_as_they_were() {
    let rule = UpdateRule::AdamW(ADAPTIVE);
    let before = slots(rule, Precision::F32);
    let updated = optimizer_update(before.clone(), &step(rule));
    assert_ne!(numbers(updated[3].parameter.clone()), numbers(before[3].parameter.clone()));
    let again = slots(rule, Precision::F32);
    assert_eq!(numbers(before[3].parameter.clone()), numbers(again[3].parameter.clone()));
    assert_eq!(numbers(before[3].moments[1].clone()), numbers(again[3].moments[1].clone()));
}

#[test]
fn a_view_of_a_larger_tensor_is_updated_alone() {
    let rule = UpdateRule::Sgd { momentum: 0.0, nesterov: false };
    let large = vector("large", 10, Precision::F64);
    let slot = Slot {
        parameter: large.clone().narrow(0, 3, 4),
        gradient: Tensor::ones([4], (&large.device(), large.dtype())),
        moments: Vec::new(),
        weight_decay: 0.0,
    };
    let step = UpdateStep { rule, learning_rate: 1.0, step: 1, gradient_scale: 1.0 };
    let updated = numbers(optimizer_update(vec![slot], &step).remove(0).parameter);
    let expected: Vec<f64> = numbers(large)[3..7].iter().map(|x| x - 1.0).collect();
    assert_eq!(updated, expected);
}

#[test]
fn lamb_leaves_the_ratio_at_one_for_a_zero_parameter() {
    let rule = UpdateRule::Lamb(AdaptiveMoments { epsilon: 0.0, ..ADAPTIVE });
    let device = Device::flex();
    let zeros = || Tensor::<1>::zeros([3], &device);
    let slot = Slot {
        parameter: zeros(),
        gradient: Tensor::ones([3], &device),
        moments: vec![zeros(), zeros()],
        weight_decay: 0.0,
    };
    let step = UpdateStep { rule, learning_rate: 0.1, step: 1, gradient_scale: 1.0 };
    let updated = numbers(optimizer_update(vec![slot], &step).remove(0).parameter);
    assert!(updated.iter().all(|p| (p + 0.1).abs() < 1e-6), "{updated:?}");
}

#[test]
fn the_global_norm_is_exact_enough_and_does_not_overflow() {
    for (precision, _) in PRECISIONS {
        let tensors: Vec<_> = LENGTHS.iter().map(|&length| vector("norm", length, precision)).collect();
        let expected: f64 = tensors.iter().flat_map(|x| numbers(x.clone())).map(|x| x * x).sum();
        assert!((global_norm(&tensors) / expected.sqrt() - 1.0).abs() < 1e-12);
    }
    let large = Tensor::<1>::full([4], 1e30, &Device::flex());
    assert!((global_norm(&[large]) / 2e30 - 1.0).abs() < 1e-6);
    assert_eq!(global_norm(&[]), 0.0);
}

/// One LAMB step worked out by hand: the direction is (1.1, −1.2, 1.3) up to ε, the ratio
/// sqrt(14)/sqrt(4.34) = 1.79605.
#[test]
fn lamb_takes_the_published_step() {
    let vector =
        |x: [f64; 3]| Tensor::<1>::from_data(TensorData::from(x), (&Device::flex(), Precision::F64.dtype()));
    let slot = Slot {
        parameter: vector([1.0, -2.0, 3.0]),
        gradient: vector([0.1, -0.2, 0.3]),
        moments: vec![vector([0.0; 3]), vector([0.0; 3])],
        weight_decay: 0.1,
    };
    let rule = UpdateRule::Lamb(AdaptiveMoments { beta2: 0.999, ..ADAPTIVE });
    let step = UpdateStep { rule, learning_rate: 0.01, step: 1, gradient_scale: 1.0 };
    let found = numbers(optimizer_update(vec![slot], &step).remove(0).parameter);
    for (found, expected) in found.into_iter().zip([1.0 - 0.0197566, -2.0 + 0.0215526, 3.0 - 0.0233487]) {
        assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
    }
}
