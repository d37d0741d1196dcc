//! Whole runs of tiny models that write targets: encoder–decoders and decoders that read the source themselves.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use mixlab_core::Diagnose;
use mixlab_core::config::{Resolved, resolve};
use mixlab_nn::LanguageModel;
use mixlab_nn::seq2seq::SequenceToSequence;

use super::assert_resumes;
use crate::{
    Config, Folded, GenerateOptions, Interrupt, ModelFolder, Outcome, SamplingConfig, Silent, TrainError,
    Writer, describe, pair_task, run,
};

const ENCODER: &str = "model.encoder={depth=2, cross={kind=\"softmax_attention\", heads=2}}";
const GATED: &str = "model.encoder={cross={kind=\"gau\", key_width=8}}";
const SPANS: &str = "objective={kind=\"span_corruption\"}";

/// Every source is two letters, its target the same letters the other way round.
fn write_pairs(folder: &Path) {
    let letters = || "abcdef".chars();
    let pairs = letters().flat_map(|a| letters().map(move |b| format!("{a}{b}\t{b}{a}\n")));
    fs::write(folder.join("pairs.tsv"), "from\tto\n".to_owned() + &pairs.collect::<String>()).unwrap();
    fs::write(folder.join("text.txt"), "the cat sat on the mat. ".repeat(80)).unwrap();
}

fn resolved(folder: &Path, sets: &[&str]) -> Resolved<Config> {
    let spans = sets.contains(&SPANS);
    let toml = format!(
        r#"
        data = {{ train = ["{}"], source_field = "from", target_field = "to", evaluate_fraction = 0.2 }}
        tokenizer.kind = "byte"
        objective.kind = "sequence_to_sequence"
        model = {{ width = 16, depth = 2, max_length = 48, position = {{ kind = "learned" }}, mixer = {{ kind = "softmax_attention", heads = 2 }}, dropout = {{ branch = 0.1 }} }}
        optimizer = {{ kind = "adamw", learning_rate = 1e-2 }}
        schedule = {{ kind = "cosine", warmup = 2 }}
        train = {{ steps = 12, batch = 4, length = {}, accumulation = 2, log_every = 4, ema = {{ decay = 0.9 }} }}
        evaluate = {{ every = 4, batch = 4 }}
        checkpoint = {{ every = 4, keep = 3 }}
        sample = {{ every = 6, tokens = 8 }}
        "#,
        folder.join(if spans { "text.txt" } else { "pairs.tsv" }).display(),
        if spans { 24 } else { 3 },
    );
    let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
    resolve(&[("test.toml".into(), toml)], &sets).unwrap()
}

fn train(folder: &Path, out: &str, sets: &[&str]) -> Result<Outcome, TrainError> {
    run(&resolved(folder, sets), &folder.join(out), &mut Silent, &Interrupt::new())
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_pairs(dir.path());
    dir
}

/// The share of all sources whose target a greedy search writes.
fn right<M: Writer + Folded>(model: &Path) -> f64 {
    let device = Device::flex();
    let folder: ModelFolder<M> = ModelFolder::load(model, &device).unwrap();
    let pairs: Vec<[char; 2]> =
        "abcdef".chars().flat_map(|a| "abcdef".chars().map(move |b| [a, b])).collect();
    let answers = pairs.iter().map(|[a, b]| {
        let greedy = folder.search(&format!("{a}{b}"), 1, 0.0, 8, &device).unwrap().remove(0);
        // Drawing at temperature 0 is the same search, token by token.
        let sampling = SamplingConfig { temperature: 0.0, ..SamplingConfig::default() };
        let options = GenerateOptions { sampling, seed: 0, tokens: 8, stop: Vec::new() };
        let mut drawn = String::new();
        let mut receive = |text: &str| {
            drawn += text;
            ControlFlow::Continue(())
        };
        folder.answer(&format!("{a}{b}"), &options, &device, &mut receive).unwrap();
        assert_eq!(drawn, greedy.text);
        greedy.text == format!("{b}{a}")
    });
    answers.map(|right| f64::from(u8::from(right))).sum::<f64>() / pairs.len() as f64
}

/// Seven pairs of 36 are never seen; to turn letters round is learned by both kinds of models.
#[test]
fn both_kinds_of_models_learn_to_write() {
    let dir = folder();
    // At this width the default deviation of 0.02 starts a decoder too small to find its source soon.
    let longer = [
        "train.steps=400",
        "train.batch=16",
        "train.accumulation=1",
        "evaluate.every=0",
        "checkpoint.every=0",
        "checkpoint.model=last",
        "sample.every=0",
        "model.initialisation={kind=\"lecun\"}",
    ];
    // Faster, the gate is lost in some of its starts.
    let gated = [GATED, "train.steps=1000", "optimizer.learning_rate=5e-3"];
    let model = |out: &str, sets: &[&str]| {
        train(dir.path(), out, &[&longer[..], sets].concat()).unwrap();
        dir.path().join(out).join("model")
    };
    for (what, right) in [
        ("two stacks", right::<SequenceToSequence>(&model("two", &[ENCODER]))),
        ("gated cross-attention", right::<SequenceToSequence>(&model("gated", &gated))),
        ("one row", right::<LanguageModel>(&model("one", &[]))),
    ] {
        assert!(right > 0.8, "{what}: {right}");
    }
}

/// A run that was stopped and one that was not end in the same bytes.
#[test]
fn a_resumed_run_is_the_same_to_the_byte() {
    for sets in [&[ENCODER][..], &[], &[ENCODER, SPANS], &[SPANS]] {
        let dir = folder();
        let files = ["model/model.safetensors", "model/config.json", "samples.txt"];
        assert_resumes(dir.path(), &files, |out| train(dir.path(), out, sets));
        let samples = fs::read_to_string(dir.path().join("halves/samples.txt")).unwrap();
        assert!(samples.contains("written:"), "{samples}");
    }
}

fn gradient<M: Writer + Folded>(folder: &Path, sets: &[&str]) -> Vec<(String, Tensor<1>)> {
    let config = resolved(folder, &[sets, &["run.precision=f64"]].concat()).value;
    let task = pair_task::<M>(&config, None, &mut Silent).unwrap();
    task.gradient(3).1.into_iter().collect()
}

fn assert_same_gradients<M: Writer + Folded>(folder: &Path, sets: &[&str]) {
    let with = |more: &[&str]| gradient::<M>(folder, &[sets, more].concat());
    let whole = with(&["train.batch=8", "train.accumulation=1"]);
    assert!(whole.iter().any(|(path, _)| path.contains("blocks.1.")));
    for more in [
        &["train.batch=4", "train.accumulation=2"][..],
        &["train.batch=1", "train.accumulation=8"],
        &["train.batch=8", "train.accumulation=1", "model.recompute=1"],
    ] {
        for ((path, expected), (other, found)) in whole.iter().zip(with(more)) {
            assert_eq!(*path, other);
            let difference: Tensor<1> = (expected.clone() - found).abs().max();
            assert!(difference.into_scalar::<f64>() < 1e-12, "{path}, {sets:?}, {more:?}");
        }
    }
}

/// One batch of eight, two of four, eight of one and blocks computed again: the same gradient, noise included, though
/// pieces are padded to other lengths.
#[test]
fn the_gradient_does_not_depend_on_how_it_is_computed() {
    let dir = folder();
    fs::write(dir.path().join("pairs.tsv"), "from\tto\na\tbcd\nabcd\tx\nb\tc\nab\tcdef\nc\tde\n").unwrap();
    let long = ["train.length=8", "train.source_length=6"];
    assert_same_gradients::<SequenceToSequence>(dir.path(), &[ENCODER, long[0], long[1]]);
    assert_same_gradients::<LanguageModel>(dir.path(), &long);
    assert_same_gradients::<SequenceToSequence>(dir.path(), &[ENCODER, SPANS]);
    assert_same_gradients::<LanguageModel>(dir.path(), &[SPANS]);
}

/// A model that has learned to fill spans goes on with pairs, its embedding included.
#[test]
fn pairs_go_on_from_spans() {
    let dir = folder();
    train(dir.path(), "spans", &[ENCODER, SPANS]).unwrap();
    let from = format!("model.init_from=\"{}\"", dir.path().join("spans").display());
    let taken = |sentinels: &str| {
        #[derive(Default)]
        struct Heard(Vec<String>);
        impl crate::Observer for Heard {
            fn initialised(&mut self, report: &crate::InitReport) {
                self.0.clone_from(&report.taken);
            }
        }
        let mut heard = Heard::default();
        let objective = format!("objective={{kind=\"sequence_to_sequence\", sentinels={sentinels}}}");
        let config = resolved(dir.path(), &[ENCODER, &from, &objective]).value;
        pair_task::<SequenceToSequence>(&config, None, &mut heard).unwrap();
        heard.0.iter().any(|path| path.starts_with("embedding."))
    };
    // Of 24 tokens 4 are hidden, in one span.
    assert!(taken("1"));
    assert!(
        fs::read_to_string(dir.path().join("spans/model/config.json")).unwrap().contains("span_corruption")
    );
}

#[test]
fn what_cannot_be_is_refused_with_the_remedy() {
    let dir = folder();
    let refused = |sets: &[&str]| {
        let error = resolved(dir.path(), sets).value.validate().expect_err("a mistake");
        format!("{error}\n{}", error.hint().unwrap_or_default())
    };
    for (sets, part) in [
        (&[ENCODER, "objective.kind=causal_lm"][..], "`model.encoder` cannot be used for"),
        (&[ENCODER, "objective.kind=classification"], "sequence_to_sequence"),
        (&[ENCODER, "train.source_length=49"], "model.encoder.max_length = 49"),
        (&[ENCODER, "train.length=49", "train.source_length=9"], "set `model.max_length = 49`"),
        (&["train.length=25", "train.source_length=25"], "49 positions of source and target"),
        (&["model.mixer={kind=\"fnet\"}"], "fnet"),
        (&["objective={kind=\"span_corruption\", spans={probability=1.0}}"], "objective.spans.probability"),
    ] {
        let error = refused(sets);
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    // A source longer than any of the training is no source of this model.
    train(dir.path(), "two", &[ENCODER, "train.steps=1"]).unwrap();
    let folder: ModelFolder<SequenceToSequence> =
        ModelFolder::load(&dir.path().join("two/model"), &Device::flex()).unwrap();
    let error = folder.search("abc", 1, 0.0, 8, &Device::flex()).expect_err("too long");
    assert!(error.to_string().contains("at most 3"), "{error}");
    // Nor is the folder that of a language model.
    let Err(error) = <ModelFolder>::load(&dir.path().join("two/model"), &Device::flex()) else {
        panic!("two stacks are no language model")
    };
    assert!(error.to_string().contains("describes an encoder–decoder, expected a language model"), "{error}");
}

#[test]
fn a_description_shows_the_first_pair_and_its_lengths() {
    let dir = folder();
    let description = describe(&resolved(dir.path(), &[ENCODER]).value).unwrap();
    let crate::DataDescription::Pairs { lengths, train, evaluate, source, target, .. } = description.data
    else {
        panic!("pairs")
    };
    assert_eq!((lengths, train, evaluate, description.batch), ([3, 3], 29, 7, [2, 4, 6]));
    assert_eq!(source.chars().rev().collect::<String>(), target);
}
