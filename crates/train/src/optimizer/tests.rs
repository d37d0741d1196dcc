use super::*;

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamWConfig, LambConfig as BurnLambConfig, SgdConfig as BurnSgdConfig};
use burn::tensor::TensorData;

const SIZE: usize = 37;
const STEPS: usize = 6;

fn parameter(path: &str) -> NamedParameter {
    NamedParameter { path: path.into(), shape: vec![1, SIZE], identity: 1 }
}

fn vector(phase: f64) -> Tensor<1> {
    let values: Vec<f64> = (0..SIZE).map(|i| (i as f64 * 0.37 + phase).sin()).collect();
    Tensor::from_data(TensorData::new(values, [SIZE]), (&Device::flex(), Precision::F32.dtype()))
}

fn gradient(step: usize) -> Tensor<1> {
    vector(1.0 + 2.0 * step as f64) * (1.0 + step as f64)
}

fn optimizer(config: &OptimizerConfig) -> Optimizer {
    Optimizer::new(config, &[parameter("w")], &Device::flex(), Precision::F32)
}

fn map(tensor: Tensor<1>) -> BTreeMap<String, Tensor<1>> {
    BTreeMap::from([("w".to_owned(), tensor)])
}

fn ours(config: &OptimizerConfig, rate: f64) -> Vec<f32> {
    let mut optimizer = optimizer(config);
    let mut value = vector(0.0);
    for step in 0..STEPS {
        value = optimizer.step(map(value), map(gradient(step)), 1.0, rate).remove("w").unwrap();
    }
    value.into_data().try_to_vec().unwrap()
}

fn burns<O: burn::optim::Optimizer>(optimizer: &O, rate: f64) -> Vec<f32> {
    let (mut value, mut state) = (vector(0.0), None);
    for step in 0..STEPS {
        (value, state) = optimizer.step(rate, value, gradient(step), state);
    }
    value.into_data().try_to_vec().unwrap()
}

fn assert_close(ours: &[f32], theirs: &[f32]) {
    for (index, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!((a - b).abs() <= 2e-6 * b.abs().max(1.0), "at {index}: {a} against {b}");
    }
}

#[test]
fn adamw_equals_burns() {
    let config = OptimizerConfig::Adamw(AdamwConfig { weight_decay: 0.3, ..AdamwConfig::default() });
    let theirs = AdamWConfig::new().with_beta_2(0.98).with_epsilon(1e-8).with_weight_decay(0.3);
    assert_close(&ours(&config, 0.02), &burns(&theirs.build(), 0.02));
}

#[test]
fn lamb_equals_burns() {
    let config = OptimizerConfig::Lamb(LambConfig { weight_decay: 0.1, ..LambConfig::default() });
    let theirs = BurnLambConfig::new().with_epsilon(1e-8).with_weight_decay(0.1);
    assert_close(&ours(&config, 0.02), &burns(&theirs.build(), 0.02));
}

#[test]
fn sgd_equals_burns_with_momentum_and_nesterov() {
    for nesterov in [false, true] {
        let config = OptimizerConfig::Sgd(SgdConfig { nesterov, weight_decay: 0.05, ..SgdConfig::default() });
        let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0).with_nesterov(nesterov);
        let decay = WeightDecayConfig::new(0.05);
        let theirs = BurnSgdConfig::new().with_momentum(Some(momentum)).with_weight_decay(Some(decay));
        assert_close(&ours(&config, 0.02), &burns(&theirs.build(), 0.02));
    }
}

/// Without correction the first step of Adam is η(1−β₁)/√(1−β₂) times the sign of the gradient.
#[test]
fn bias_correction_can_be_turned_off() {
    let config = AdamwConfig { bias_correction: false, weight_decay: 0.0, ..AdamwConfig::default() };
    let mut optimizer = optimizer(&OptimizerConfig::Adamw(config));
    let ones: Tensor<1> = Tensor::ones([SIZE], (&Device::flex(), Precision::F32.dtype()));
    let moved = optimizer.step(map(ones.clone()), map(ones), 1.0, 0.01).remove("w").unwrap();
    let first = moved.into_data().try_to_vec::<f32>().unwrap()[0];
    let expected = 1.0 - 0.01 * 0.1 / (0.02f64).sqrt();
    assert!((f64::from(first) - expected).abs() < 1e-6, "{first} against {expected}");
}

#[test]
fn the_scale_multiplies_the_gradient() {
    let config = OptimizerConfig::Sgd(SgdConfig { momentum: 0.0, ..SgdConfig::default() });
    let run = |scale: f64, gradient: Tensor<1>| {
        let updated = optimizer(&config).step(map(vector(0.0)), map(gradient), scale, 0.1);
        updated["w"].to_data().try_to_vec::<f32>().unwrap()
    };
    assert_close(&run(0.25, gradient(1)), &run(1.0, gradient(1) * 0.25));
}

#[test]
fn a_parameter_without_gradient_stays() {
    let config = OptimizerConfig::default();
    let parameters = [parameter("w"), parameter("unused")];
    let mut optimizer = Optimizer::new(&config, &parameters, &Device::flex(), Precision::F32);
    let mut values = map(vector(0.0));
    values.insert("unused".into(), vector(3.0));
    let updated = optimizer.step(values, map(gradient(0)), 1.0, 0.1);
    assert_eq!(updated.into_keys().collect::<Vec<_>>(), ["w"]);
}

#[test]
fn decay_groups_follow_the_patterns() {
    let parameters =
        ["embedding.weight", "blocks.0.norm.gain", "head.bias", "blocks.0.mixer.output"].map(parameter);
    let optimizer = Optimizer::new(&OptimizerConfig::default(), &parameters, &Device::flex(), Precision::F32);
    assert_eq!(optimizer.decaying().collect::<Vec<_>>(), ["blocks.0.mixer.output"]);
}

#[test]
fn a_restored_state_goes_on_bit_for_bit_and_refuses_what_does_not_fit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("optimizer.safetensors");
    let config = OptimizerConfig::default();
    let mut first = optimizer(&config);
    first.step(map(vector(0.0)), map(gradient(0)), 1.0, 0.1);
    std::fs::write(&path, crate::tensor_file::encode(first.tensors(), &path).unwrap()).unwrap();

    let mut second = optimizer(&config);
    second.restore(&path, first.updates()).unwrap();
    let go_on = |optimizer: &mut Optimizer| {
        optimizer.step(map(vector(0.0)), map(gradient(1)), 1.0, 0.1)["w"]
            .to_data()
            .try_to_vec::<f32>()
            .unwrap()
    };
    assert_eq!(go_on(&mut first), go_on(&mut second));

    let device = Device::flex();
    let other = |parameters: &[NamedParameter]| Optimizer::new(&config, parameters, &device, Precision::F32);
    let error = |parameters: &[NamedParameter]| other(parameters).restore(&path, 1).unwrap_err().to_string();
    assert!(error(&[parameter("v")]).ends_with("has no tensor `v.first_moment`"));
    assert!(error(&[]).contains("has a tensor `w.first_moment`"));
    let wider = NamedParameter { shape: vec![2, SIZE], ..parameter("w") };
    assert!(error(&[wider]).contains("`w.first_moment`"));
}
