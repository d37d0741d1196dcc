//! A skipped update changes nothing.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_nn::parameter_values;

use super::resolved;
use crate::storage::StagedFolder;
use crate::{Config, Learner, TrainError, prepare};

fn learner(config: &Config) -> Learner<mixlab_nn::LanguageModel> {
    let device = config.run.device.device();
    let model = config.model.build(259, 1, &device, config.run.precision).unwrap().train();
    Learner::new(model, config, &device)
}

fn bytes(learner: &Learner<mixlab_nn::LanguageModel>, folder: &std::path::Path) -> Vec<Vec<u8>> {
    let mut staged = StagedFolder::new(&folder.join("state")).unwrap();
    learner.save(&mut staged).unwrap();
    let mut parts: Vec<Vec<u8>> = ["optimizer.safetensors", "ema.safetensors"]
        .map(|name| std::fs::read(staged.path().join(name)).unwrap())
        .into();
    for value in parameter_values(learner.model()).into_values() {
        parts.push(value.into_data().as_bytes().to_vec());
    }
    parts
}

#[test]
fn a_skipped_update_leaves_parameters_moments_and_average_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let config = resolved(dir.path(), &["train.guard.patience=3"]).value;
    let mut learner = learner(&config);
    let gradients = |factor: f64| -> BTreeMap<String, Tensor<1>> {
        parameter_values(learner.model()).into_iter().map(|(path, value)| (path, value * factor)).collect()
    };
    let (good, bad) = (gradients(0.5), gradients(f64::NAN));
    assert_eq!(learner.apply(0, 2.0, good.clone(), 0.1).unwrap().skipped, None);
    let before = bytes(&learner, dir.path());
    assert!(learner.apply(1, 2.0, bad.clone(), 0.1).unwrap().skipped.is_some());
    assert!(learner.apply(2, f64::NAN, good.clone(), 0.1).unwrap().skipped.is_some());
    assert!(before == bytes(&learner, dir.path()));
    let error = learner.apply(3, 2.0, bad, 0.1).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { step: 3, count: 3, .. }));
    learner.apply(4, 2.0, good, 0.1).unwrap();
    assert!(before != bytes(&learner, dir.path()));
}

#[test]
fn the_update_does_not_depend_on_how_far_a_long_gradient_exceeds_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let sets = ["optimizer.kind=sgd", "train.clip=0.5", "train.ema.decay=0"];
    let config = resolved(dir.path(), &sets).value;
    let moved = |factor: f64| {
        let mut learner = learner(&config);
        let values = parameter_values(learner.model());
        let gradients = values.into_iter().map(|(path, value)| (path, value * factor)).collect();
        let applied = learner.apply(0, 1.0, gradients, 0.1).unwrap();
        assert!(applied.grad_norm > 0.5);
        let values = parameter_values(learner.model()).into_values();
        values.flat_map(|value| value.into_data().iter::<f64>().collect::<Vec<_>>()).collect::<Vec<f64>>()
    };
    for (a, b) in moved(10.0).into_iter().zip(moved(1000.0)) {
        assert!((a - b).abs() < 1e-6);
    }
}

#[test]
fn a_run_that_diverges_says_at_which_step() {
    let dir = tempfile::tempdir().unwrap();
    let config = resolved(dir.path(), &["optimizer.learning_rate=1e30", "train.guard.patience=2"]);
    let mut task = prepare::task(&config.value, None, &mut crate::Silent).unwrap();
    let outcome =
        crate::run_task(&config.value, dir.path(), &mut *task, &mut crate::Silent, &crate::Interrupt::new());
    let failed = matches!(outcome, Err(TrainError::Diverged { .. } | TrainError::EvaluationNotFinite { .. }));
    assert!(failed, "{outcome:?}");
}
