//! The CPU updates equal the portable ones; the rules are the published ones.

use burn::backend::Flex;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burn_flex::FlexTensor;
use mixlab_core::{Key, Purpose};

use super::*;

fn vector(size: usize, site: &str, dtype: DType) -> Tensor<1> {
    let stream = Key::root(5).purpose(Purpose::Synthetic).site(site).sample(0);
    let values: Vec<f64> = (0..size as u64).map(|i| stream.normal(i)).collect();
    Tensor::from_data(TensorData::new(values, [size]), (&Device::flex(), dtype))
}

fn flex(tensor: &Tensor<1>, dtype: DType) -> FlexTensor {
    FlexTensor::from_data(tensor.to_data().convert_dtype(dtype))
}

fn values(tensor: FlexTensor) -> Vec<f64> {
    tensor.into_data().convert::<f64>().try_into_vec().expect("converted to f64 above")
}

fn rules() -> Vec<UpdateRule> {
    let moments =
        |bias_correction| AdaptiveMoments { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, bias_correction };
    vec![
        UpdateRule::AdamW(moments(true)),
        UpdateRule::AdamW(moments(false)),
        UpdateRule::Lamb(moments(true)),
        UpdateRule::Lamb(moments(false)),
        UpdateRule::Sgd { momentum: 0.9, nesterov: false },
        UpdateRule::Sgd { momentum: 0.9, nesterov: true },
        UpdateRule::Sgd { momentum: 0.0, nesterov: false },
    ]
}

fn assert_close(name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * (1.0 + e.abs()), "{name}[{i}]: {f} instead of {e}");
    }
}

#[test]
fn fast_equals_portable() {
    for (dtype, tolerance) in [(DType::F64, 1e-13), (DType::F32, 2e-6)] {
        for size in [1, 2, 63, 64, 65, 100, BLOCK_AND_A_BIT] {
            for rule in rules() {
                for step in [1, 7] {
                    let step = UpdateStep { rule, learning_rate: 0.05, step, gradient_scale: 0.7 };
                    compare(size, dtype, tolerance, Coefficients { step, weight_decay: 0.1 });
                }
            }
        }
    }
}

/// More than one block of the kernel, and not a whole number of them.
const BLOCK_AND_A_BIT: usize = (1 << 14) + 3;

fn compare(size: usize, dtype: DType, tolerance: f64, coefficients: Coefficients) {
    let tensor = |site| flex(&vector(size, site, dtype), dtype);
    let positive = flex(&vector(size, "v", dtype).abs(), dtype);
    let (p, g, m) = (tensor("p"), tensor("g"), tensor("m"));
    match coefficients.step.rule {
        UpdateRule::AdamW(_) | UpdateRule::Lamb(_) => {
            let inputs = || [p.clone(), g.clone(), m.clone(), positive.clone()];
            let fast = cpu::adaptive_update(inputs(), coefficients);
            let slow = portable::adaptive_update::<Flex>(inputs(), coefficients);
            assert_close("parameter", &values(fast.0), &values(slow.0), tolerance);
            assert_close("first", &values(fast.1), &values(slow.1), tolerance);
            assert_close("second", &values(fast.2), &values(slow.2), tolerance);
        }
        UpdateRule::Sgd { momentum, .. } if momentum != 0.0 => {
            let inputs = || [p.clone(), g.clone(), m.clone()];
            let fast = cpu::momentum_update(inputs(), coefficients);
            let slow = portable::momentum_update::<Flex>(inputs(), coefficients);
            assert_close("parameter", &values(fast.0), &values(slow.0), tolerance);
            assert_close("velocity", &values(fast.1), &values(slow.1), tolerance);
        }
        UpdateRule::Sgd { .. } => {
            let fast = cpu::plain_update(p.clone(), g.clone(), coefficients);
            let slow = portable::plain_update::<Flex>(p, g, coefficients);
            assert_close("parameter", &values(fast), &values(slow), tolerance);
        }
    }
}

/// Two LAMB steps of the reference the method's authors' formula gives for these numbers (computed by
/// hand from the algorithm: ε 1e-6, decay 0.1, learning rate 0.01).
#[test]
fn lamb_takes_the_published_steps() {
    let device = Device::flex();
    let vector = |x: [f64; 3]| Tensor::<1>::from_data(TensorData::from(x), (&device, DType::F64));
    let moments = AdaptiveMoments { beta1: 0.9, beta2: 0.999, epsilon: 1e-6, bias_correction: true };
    let zero = || vector([0.0; 3]);
    let slot = Slot {
        parameter: vector([1.0, -2.0, 3.0]),
        gradient: vector([0.1, -0.2, 0.3]),
        moments: vec![zero(), zero()],
        weight_decay: 0.1,
    };
    let step =
        UpdateStep { rule: UpdateRule::Lamb(moments), learning_rate: 0.01, step: 1, gradient_scale: 1.0 };
    let updated = optimizer_update(vec![slot], &step).remove(0);
    // Direction (1.1, −1.2, 1.3) up to ε, ratio sqrt(14)/sqrt(4.34) = 1.79605.
    let expected = [1.0 - 0.0197566, -2.0 + 0.0215526, 3.0 - 0.0233487];
    let found: Vec<f64> = updated.parameter.into_data().try_into_vec().expect("f64");
    assert_close("parameter", &found, &expected, 1e-6);
}

#[test]
fn same_bits_with_one_and_two_threads() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
        pool.install(|| {
            let moments = AdaptiveMoments { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, bias_correction: true };
            let step = UpdateStep {
                rule: UpdateRule::Lamb(moments),
                learning_rate: 0.1,
                step: 3,
                gradient_scale: 1.0,
            };
            let tensor = |site| flex(&vector(50_000, site, DType::F32), DType::F32);
            let inputs = [
                tensor("p"),
                tensor("g"),
                tensor("m"),
                flex(&vector(50_000, "v", DType::F32).abs(), DType::F32),
            ];
            values(cpu::adaptive_update(inputs, Coefficients { step, weight_decay: 0.1 }).0)
        })
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn global_norm_is_over_all_tensors() {
    let device = Device::flex();
    let vector = |x: &[f32]| Tensor::<1>::from_data(TensorData::new(x.to_vec(), [x.len()]), &device);
    assert_eq!(global_norm(&[vector(&[3.0]), vector(&[0.0, 4.0])]), 5.0);
}
