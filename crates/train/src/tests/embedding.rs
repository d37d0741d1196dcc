//! Whole runs of tiny embedding models on everything that belongs together.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use mixlab_core::Diagnose;
use mixlab_core::config::{Resolved, resolve};

use super::classifying::write_images;
use super::{assert_resumes, timeless_metrics};
use crate::{
    Config, ContrastiveConfig, EmbedderFolder, Interrupt, ModelFolder, Outcome, Silent, TrainError,
    contrastive_task, describe, run,
};

/// Words of one of six kinds beside words of the same kind; the kind is the label.
fn write_texts(folder: &Path) {
    let kinds = ["aa", "bb", "cc", "dd", "ee", "ff"];
    let row = |i: usize| {
        let (kind, other) = (kinds[i % 6], kinds[(i + 1 + i / 6 % 5) % 6]);
        format!("{kind}{i}\t{i}{kind}\t{i}{other}\t{i} {kind} {i}\t{}\n", i % 6)
    };
    let rows: String = (0..60).map(row).collect();
    fs::write(folder.join("all.tsv"), format!("source\ttarget\tnegative\ttext\tlabel\n{rows}")).unwrap();
}

fn resolved(folder: &Path, sets: &[&str]) -> Resolved<Config> {
    let toml = format!(
        r#"
        data = {{ train = ["{}"], evaluate_fraction = 0.2 }}
        tokenizer.kind = "byte"
        objective = {{ kind = "contrastive", temperature = {{ kind = "fixed", value = 0.1 }} }}
        model = {{ width = 16, depth = 1, max_length = 12, mixer = {{ kind = "softmax_attention", heads = 2, attention_dropout = 0.1 }}, dropout = {{ branch = 0.1 }}, initialisation = {{ kind = "lecun" }} }}
        optimizer = {{ kind = "adamw", learning_rate = 1e-2 }}
        schedule = {{ kind = "cosine", warmup = 2 }}
        train = {{ steps = 12, batch = 6, length = 12, log_every = 4, ema = {{ decay = 0.9 }} }}
        evaluate = {{ every = 4, batch = 6 }}
        checkpoint = {{ every = 4, keep = 3 }}
        "#,
        folder.join("all.tsv").display(),
    );
    let sets: Vec<String> =
        sets.iter().map(|set| set.replace("FOLDER", &folder.display().to_string())).collect();
    resolve(&[("test.toml".into(), toml)], &sets).unwrap()
}

pub(super) fn train(folder: &Path, out: &str, sets: &[&str]) -> Result<Outcome, TrainError> {
    run(&resolved(folder, sets), &folder.join(out), &mut Silent, &Interrupt::new())
}

pub(super) fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_texts(dir.path());
    write_images(dir.path());
    dir
}

const KINDS: [&[&str]; 6] = [
    &[],
    &["objective.examples=triples", "objective.hard_negative_weight=2.0"],
    &["objective.examples=sentences"],
    &["objective.examples=labelled"],
    &["objective.directions=both", "objective.temperature={kind=\"clamped\", initial=0.1}"],
    &[
        "objective.examples=images",
        "data.train=[\"FOLDER/t-images-idx3-ubyte\"]",
        "data.augment={ flip = true, shift = 1 }",
        "model.patch.size=2",
        "model.embedder.pooling=class_token",
    ],
];

/// A run of every kind goes to its end, and what is stopped goes on to the same bytes.
#[test]
fn a_resumed_run_of_every_kind_is_the_same_to_the_byte() {
    for kind in KINDS {
        let dir = folder();
        let files = ["model/model.safetensors", "model/config.json"];
        assert_resumes(dir.path(), &files, |out| train(dir.path(), out, kind));
        let halves = dir.path().join("halves");
        let metrics = timeless_metrics(&halves);
        let monitors = &metrics[0]["monitors"];
        assert!(monitors["effective"].as_f64().unwrap() >= 1.0, "{kind:?}: {monitors}");
        let model = EmbedderFolder::load(&halves.join("model"), &Device::flex()).unwrap();
        assert!((model.config.temperature - 0.1).abs() < 0.05, "{}", model.config.temperature);
    }
}

#[test]
fn what_belongs_together_comes_to_lie_close() {
    for kind in [KINDS[0], KINDS[3]] {
        let dir = folder();
        let longer = ["train.steps=120", "train.batch=12", "evaluate.every=0", "checkpoint.every=0"];
        train(dir.path(), "run", &[&longer[..], kind].concat()).unwrap();
        let metrics = timeless_metrics(&dir.path().join("run"));
        let accuracy = metrics.iter().filter_map(|line| line["accuracy"].as_f64()).next_back().unwrap();
        // By chance one of twelve finds its own, or one of six its kind.
        assert!(accuracy > 0.5, "{kind:?}: {accuracy}");
    }
}

fn gradient(folder: &Path, sets: &[&str]) -> (f64, BTreeMap<String, Tensor<1>>) {
    let config = resolved(folder, &[sets, &["run.precision=f64"]].concat()).value;
    let task = contrastive_task(&config, None, &mut Silent).unwrap();
    let (update, gradients) = task.gradient(3);
    (update.loss, gradients)
}

/// Chunks of any size, noise included, learned temperature included; batches of the encoder that are batches of the loss too
/// give another gradient.
#[test]
fn the_gradient_does_not_depend_on_the_chunks() {
    let dir = folder();
    for kind in KINDS {
        let (loss, whole) = gradient(dir.path(), kind);
        assert_eq!(whole.contains_key("log_scale"), kind.iter().any(|set| set.contains("clamped")));
        for chunk in [
            "objective.chunk=1",
            "objective.chunk=4",
            "objective.chunk=5",
            "objective.chunk=100",
            "objective.chunk={tokens=30}",
        ] {
            let (other_loss, other) = gradient(dir.path(), &[kind, &[chunk]].concat());
            assert!((loss - other_loss).abs() < 1e-12, "{kind:?}, {chunk}");
            assert_eq!(whole.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
            for (path, expected) in &whole {
                let apart: Tensor<1> = (expected.clone() - other[path].clone()).abs().max();
                assert!(apart.into_scalar::<f64>() < 1e-12, "{path}, {kind:?}, {chunk}");
            }
        }
    }
    let (loss, _) = gradient(dir.path(), &[]);
    let (naive, _) = gradient(dir.path(), &["train.batch=2", "train.accumulation=3"]);
    assert!(naive < 0.9 * loss, "an anchor with one negative has it easier: {naive} against {loss}");
}

#[test]
fn chunks_are_rows_or_tokens() {
    let at_once = |toml: &str| {
        let objective: ContrastiveConfig = toml::from_str(toml).map_err(|error| error.to_string())?;
        Ok::<_, String>(objective.rows_at_once(64, 10))
    };
    assert_eq!(at_once(""), Ok(64));
    assert_eq!(at_once("chunk = 7"), Ok(7));
    assert_eq!(at_once("chunk = 100"), Ok(64));
    assert_eq!(at_once("chunk = { tokens = 79 }"), Ok(7));
    assert_eq!(at_once("chunk = { tokens = 5 }"), Ok(1), "a row at least");
    for wrong in ["chunk = 0", "chunk = { tokens = 0 }", "chunk = \"many\""] {
        let error = at_once(wrong).expect_err(wrong);
        assert!(error.contains("expected a number of rows"), "{wrong}: {error}");
    }
}

/// Where every candidate is masked there is nothing to learn, nor where all are of one class.
#[test]
fn examples_without_negatives_are_refused() {
    let dir = folder();
    let same = "source\ttarget\tlabel\n".to_owned() + &"so\tit is\t1\n".repeat(12);
    fs::write(dir.path().join("all.tsv"), same).unwrap();
    let refused = |sets: &[&str]| {
        let sets = [&["data.evaluate_fraction=0.0", "evaluate.every=0"], sets].concat();
        let error = describe(&resolved(dir.path(), &sets).value).expect_err("no negatives");
        format!("{error}\n{}", error.hint().unwrap_or_default())
    };
    let masked = refused(&[]);
    assert!(masked.contains("repeat each other") && masked.contains("mask_same = false"), "{masked}");
    let one_class = refused(&["objective.examples=labelled", "data.text_field=\"source\""]);
    assert!(one_class.contains("nothing to tell apart"), "{one_class}");
    let sets = ["objective.mask_same=false", "data.evaluate_fraction=0.0", "evaluate.every=0"];
    assert!(describe(&resolved(dir.path(), &sets).value).is_ok(), "they are negatives if one says so");
}

#[test]
fn what_cannot_be_is_refused_with_the_remedy() {
    let dir = folder();
    for (set, part) in [
        ("objective.temperature={kind=\"fixed\", value=0.0}", "objective.temperature.value"),
        (
            "objective.temperature={kind=\"clamped\", initial=0.1, minimum=0.2}",
            "objective.temperature.initial",
        ),
        ("objective.hard_negative_weight=-1.0", "objective.hard_negative_weight"),
        ("model.embedder.width=0", "model.embedder.width"),
    ] {
        let error = resolved(dir.path(), &[set]).value.validate().expect_err(set).to_string();
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    let refused = |sets: &[&str]| {
        let error = resolved(dir.path(), sets).value.validate().expect_err("a conflict");
        format!("{error}\n{}", error.hint().unwrap_or_default())
    };
    let learned = refused(&["objective.loss=flat_nce", "objective.temperature={kind=\"learned\"}"]);
    assert!(learned.contains("falls without end") && learned.contains("clamped"), "{learned}");
    let both = refused(&["objective.examples=sentences", "objective.directions=both"]);
    assert!(both.contains("every row is an anchor already"), "{both}");
    let one =
        describe(&resolved(dir.path(), &["train.batch=1"]).value).expect_err("a batch of one").to_string();
    assert!(one.contains("train.batch"), "{one}");
    train(dir.path(), "run", &["train.steps=2"]).unwrap();
    let Err(error) = <ModelFolder>::load(&dir.path().join("run/model"), &Device::flex()) else {
        panic!("embeddings do not speak")
    };
    assert!(error.to_string().contains("describes an embedding model, expected a language model"), "{error}");
}

#[test]
fn a_description_shows_the_first_example() {
    let dir = folder();
    let description = describe(&resolved(dir.path(), KINDS[1]).value).unwrap();
    let crate::DataDescription::Contrastive { rows, train, evaluate, texts, .. } = description.data else {
        panic!("texts that belong together")
    };
    assert_eq!((rows, train, evaluate, texts.len()), (18, 48, 12, 3));
    let letters = |text: &String| text.chars().filter(char::is_ascii_alphabetic).collect::<String>();
    assert_eq!(letters(&texts[0]), letters(&texts[1]));
    assert_ne!(letters(&texts[0]), letters(&texts[2]));
}
