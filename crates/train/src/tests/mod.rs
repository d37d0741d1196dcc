//! Whole runs of tiny models.

mod accumulation;
mod adversarial;
mod classifying;
mod embedding;
mod files;
mod folders;
mod guarding;
mod layers;
mod resuming;
mod text_vae;
mod using;
mod writing;

use std::fs;
use std::path::Path;

use mixlab_core::config::{Resolved, resolve};

use crate::{Config, Interrupt, Outcome, Silent, TrainError, checkpoint, resume, run};

/// About two thousand bytes of text that is worth learning.
fn text() -> String {
    (0..60).map(|i| format!("line {i}: the cat sat on mat number {}.\n", i * 7 % 11)).collect()
}

/// A run of a tiny model over `folder`/text.txt, with everything on that has a state.
fn resolved(folder: &Path, sets: &[&str]) -> Resolved<Config> {
    let file = folder.join("text.txt");
    if !file.exists() {
        fs::write(&file, text()).unwrap();
    }
    let toml = format!(
        r#"
        data.train = ["{}"]
        data.evaluate_fraction = 0.2
        model = {{ width = 16, depth = 1, max_length = 24, mixer = {{ kind = "softmax_attention", heads = 2 }}, dropout = {{ branch = 0.1 }} }}
        optimizer = {{ kind = "adamw", learning_rate = 1e-2 }}
        schedule = {{ kind = "cosine", warmup = 2 }}
        train = {{ steps = 8, batch = 2, length = 24, accumulation = 2, log_every = 2, ema = {{ decay = 0.9 }} }}
        evaluate = {{ every = 3, batch = 4 }}
        checkpoint = {{ every = 3, keep = 2 }}
        sample = {{ every = 4, tokens = 5 }}
        "#,
        file.display()
    );
    let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
    resolve(&[("test.toml".into(), toml)], &sets).unwrap()
}

/// A valid configuration; its data need not exist.
pub(crate) fn config() -> Config {
    let dir = tempfile::tempdir().unwrap();
    resolved(dir.path(), &[]).value
}

fn train(folder: &Path, out: &Path, sets: &[&str]) -> Result<Outcome, TrainError> {
    run(&resolved(folder, sets), out, &mut Silent, &Interrupt::new())
}

fn go_on(out: &Path) -> Result<Outcome, TrainError> {
    resume(out, &mut Silent, &Interrupt::new())
}

/// Trains a run of 12 steps in `folder`/`whole`, and another in `folder`/`halves` that loses all after its checkpoint of step 4 and goes on:
/// both end in the same bytes of `files`, and say the same.
#[track_caller]
fn assert_resumes(folder: &Path, files: &[&str], train: impl Fn(&str) -> Result<Outcome, TrainError>) {
    train("whole").unwrap();
    train("halves").unwrap();
    let halves = folder.join("halves");
    for step in ["step-00000008", "step-00000012"] {
        let _ = fs::remove_dir_all(halves.join("checkpoints").join(step));
    }
    fs::remove_dir_all(halves.join("model")).unwrap();
    assert_eq!(checkpoint::find(&halves).unwrap().good.unwrap().state.step, 4);
    assert!(matches!(go_on(&halves).unwrap(), Outcome::Finished(_)));
    let read = |run: &str, name: &str| fs::read(folder.join(run).join(name)).unwrap();
    for name in files {
        assert!(read("whole", name) == read("halves", name), "{name} differs");
    }
    assert_eq!(timeless_metrics(&folder.join("whole")), timeless_metrics(&halves));
}

/// The metrics without what depends on the clock.
fn timeless_metrics(out: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let parse = |line: &str| {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        let fields = value.as_object_mut().unwrap();
        assert!(fields.remove("seconds").is_some() && fields.remove("tokens_per_second").is_some());
        value
    };
    text.lines().map(parse).collect()
}

fn assert_same_result(expected: &Path, found: &Path, what: &str) {
    assert_eq!(timeless_metrics(expected), timeless_metrics(found), "metrics, {what}");
    let checkpoint = |out: &Path| checkpoint::find(out).unwrap().good.unwrap().path;
    let same = |a: &Path, b: &Path| {
        assert!(fs::read(a).unwrap() == fs::read(b).unwrap(), "{} differs, {what}", b.display());
    };
    same(&expected.join("samples.txt"), &found.join("samples.txt"));
    for name in ["model.safetensors", "config.json", "tokenizer.json"] {
        same(&expected.join("model").join(name), &found.join("model").join(name));
    }
    for name in ["model.safetensors", "optimizer.safetensors", "ema.safetensors"] {
        same(&checkpoint(expected).join(name), &checkpoint(found).join(name));
    }
}
