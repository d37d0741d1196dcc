//! Whole runs of tiny classifiers of images and texts.

use std::fs;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use mixlab_core::config::{Resolved, resolve};

use super::{go_on, timeless_metrics};
use crate::{
    ClassifierFolder, Config, Interrupt, ModelFolder, Outcome, Silent, TrainError, classification_task, run,
};

/// Ten images of 4 × 4 in each of two classes: bright above and bright below.
pub(super) fn write_images(folder: &Path) {
    let mut images = vec![0, 0, 8, 3];
    for size in [20u32, 4, 4] {
        images.extend(size.to_be_bytes());
    }
    let mut labels = vec![0, 0, 8, 1];
    labels.extend(20u32.to_be_bytes());
    for i in 0..20u8 {
        let above = i % 2;
        labels.push(above);
        images.extend((0..16u8).map(|p| if (p < 8) == (above == 1) { 200 + i } else { 3 * i }));
    }
    fs::write(folder.join("t-images-idx3-ubyte"), images).unwrap();
    fs::write(folder.join("t-labels-idx1-ubyte"), labels).unwrap();
}

fn write_texts(folder: &Path) {
    let line = |i: usize| {
        let (label, animal) = if i.is_multiple_of(2) { ("purrs", "cat") } else { ("barks", "dog") };
        format!("{{\"text\": \"number {i}: a {animal}\", \"label\": \"{label}\"}}\n")
    };
    fs::write(folder.join("t.jsonl"), (0..40).map(line).collect::<String>()).unwrap();
}

fn resolved(folder: &Path, file: &str, sets: &[&str]) -> Resolved<Config> {
    let toml = format!(
        r#"
        data.train = ["{}"]
        data.evaluate_fraction = 0.2
        tokenizer.kind = "byte"
        objective.kind = "classification"
        model = {{ width = 16, depth = 2, max_length = 32, patch.size = 2, position = {{ kind = "learned" }}, mixer = {{ kind = "external_attention", slots = 4 }}, dropout = {{ branch = 0.1, stochastic_depth = 0.2 }} }}
        optimizer = {{ kind = "adamw", learning_rate = 1e-2 }}
        schedule = {{ kind = "cosine", warmup = 2 }}
        train = {{ steps = 40, batch = 4, length = 32, accumulation = 2, log_every = 4, ema = {{ decay = 0.9 }} }}
        evaluate = {{ every = 10, batch = 4 }}
        checkpoint = {{ every = 9, keep = 2 }}
        "#,
        folder.join(file).display()
    );
    let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
    resolve(&[("test.toml".into(), toml)], &sets).unwrap()
}

const IMAGES: &str = "t-images-idx3-ubyte";

fn train(folder: &Path, file: &str, out: &str, sets: &[&str]) -> Result<Outcome, TrainError> {
    run(&resolved(folder, file, sets), &folder.join(out), &mut Silent, &Interrupt::new())
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_images(dir.path());
    write_texts(dir.path());
    dir
}

/// Both kinds of examples are easy, and learned.
#[test]
fn images_and_texts_are_told_apart() {
    let dir = folder();
    for (file, out) in [(IMAGES, "images"), ("t.jsonl", "texts")] {
        train(dir.path(), file, out, &["train.steps=60"]).unwrap();
        let out = dir.path().join(out);
        let accuracies: Vec<f64> =
            timeless_metrics(&out).iter().filter_map(|line| line["accuracy"].as_f64()).collect();
        assert_eq!(accuracies.last(), Some(&1.0), "{file}: {accuracies:?}");
        let picture = fs::read_to_string(out.join("confusion.svg")).unwrap();
        assert!(picture.contains("accuracy 100.0 %"), "{file}");
        let model = ClassifierFolder::load(&out.join("model"), &Device::flex()).unwrap();
        assert_eq!(model.config.classes.len(), 2);
        assert_eq!(model.tokenizer.is_some(), file == "t.jsonl");
    }
}

/// A run that was stopped and one that was not end in the same bytes.
#[test]
fn a_resumed_classifier_is_the_same_to_the_byte() {
    let dir = folder();
    train(dir.path(), IMAGES, "whole", &["checkpoint.keep=9"]).unwrap();
    train(dir.path(), IMAGES, "halves", &["checkpoint.keep=9"]).unwrap();
    let halves = dir.path().join("halves");
    // As if killed after the checkpoint of step 30, the best so far: what came later is forgotten.
    for step in ["step-00000036", "step-00000040"] {
        let _ = fs::remove_dir_all(halves.join("checkpoints").join(step));
    }
    fs::remove_dir_all(halves.join("model")).unwrap();
    // A run that began anew would end in the same bytes too.
    let found = crate::checkpoint::find(&halves).unwrap();
    assert_eq!((found.good.map(|good| good.state.step), found.damaged.len()), (Some(30), 0));
    assert!(matches!(go_on(&halves).unwrap(), Outcome::Finished(_)));
    let read = |run: &str, name: &str| fs::read(dir.path().join(run).join(name)).unwrap();
    for name in ["model/model.safetensors", "model/config.json", "confusion.svg"] {
        assert!(read("whole", name) == read("halves", name), "{name} differs");
    }
    assert_eq!(timeless_metrics(&dir.path().join("whole")), timeless_metrics(&halves));
}

/// One batch of eight, two of four, and blocks computed again: the same gradient, noise included.
#[test]
fn the_gradient_does_not_depend_on_how_it_is_computed() {
    let dir = folder();
    let gradient = |sets: &[&str]| {
        let config = resolved(dir.path(), IMAGES, &[sets, &["run.precision=f64"]].concat()).value;
        let task = classification_task(&config, None, &mut Silent).unwrap();
        task.gradient(3).1
    };
    let whole = gradient(&["train.batch=8", "train.accumulation=1"]);
    for sets in [
        &["train.batch=4", "train.accumulation=2"][..],
        &["train.batch=1", "train.accumulation=8"],
        &["train.batch=8", "train.accumulation=1", "model.recompute=1"],
    ] {
        let other = gradient(sets);
        assert_eq!(whole.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
        for (path, expected) in &whole {
            let difference: Tensor<1> = (expected.clone() - other[path].clone()).abs().max();
            assert!(difference.into_scalar::<f64>() < 1e-13, "{path}, {sets:?}");
        }
    }
}

#[test]
fn label_smoothing_raises_the_loss_of_sure_models() {
    let dir = folder();
    let loss = |smoothing: &str| {
        let config = resolved(dir.path(), IMAGES, &[smoothing]).value;
        classification_task(&config, None, &mut Silent).unwrap().gradient(0).0.loss
    };
    // A readout that starts at 0 holds all classes for equally likely, whatever the targets.
    let expected = 2f64.ln();
    for smoothing in ["objective.label_smoothing=0", "objective.label_smoothing=0.3"] {
        assert!((loss(smoothing) - expected).abs() < 1e-6, "{smoothing}");
    }
    let bad = resolved(dir.path(), IMAGES, &["objective.label_smoothing=1"]).value;
    assert!(matches!(bad.validate(), Err(TrainError::OutOfRange { key: "objective.label_smoothing", .. })));
}

#[test]
fn a_model_of_the_other_kind_is_named_as_such() {
    let dir = folder();
    train(dir.path(), "t.jsonl", "run", &["train.steps=2"]).unwrap();
    let model = dir.path().join("run/model");
    let Err(error) = <ModelFolder>::load(&model, &Device::flex()) else {
        panic!("a classifier does not speak")
    };
    assert!(error.to_string().contains("describes a classifier, expected a language model"), "{error}");
}

/// A class token in front, and mixers of a fixed length made for the patches there are.
#[test]
fn patches_decide_the_length_of_fixed_mixers() {
    let dir = folder();
    for pooling in ["mean", "class_token"] {
        let sets = ["model.mixer={kind=\"ff_only\"}", &format!("model.readout.pooling={pooling}")];
        let config = resolved(dir.path(), IMAGES, &sets).value;
        let task = classification_task(&config, None, &mut Silent).unwrap();
        let description = crate::Task::describe(&task);
        let length = if pooling == "mean" { 4 } else { 5 };
        assert_eq!(description.batch[2], length);
        assert!(task.gradient(0).0.loss.is_finite());
    }
    let config = resolved(dir.path(), IMAGES, &["model.patch.size=3"]).value;
    let Err(error) = classification_task(&config, None, &mut Silent) else { panic!("3 does not divide 4") };
    assert!(error.to_string().contains("model.patch.size"), "{error}");
}
