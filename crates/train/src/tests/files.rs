//! Model folders: what is written, and what is refused.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use mixlab_core::Diagnose;

use super::{resolved, train};
use crate::{
    Interrupt, ModelFolder, Observer, Outcome, TrainError, checkpoint, describe, parameters, prepare, run,
};

fn trained(folder: &Path) -> std::path::PathBuf {
    let out = folder.join("run");
    train(folder, &out, &["train.steps=2"]).unwrap();
    out.join("model")
}

fn load(model: &Path) -> Result<ModelFolder, TrainError> {
    ModelFolder::load(model, &Device::flex())
}

/// The error of loading after a file was changed.
fn error_after(model: &Path, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> TrainError {
    let path = model.join(file);
    let good = fs::read(&path).unwrap();
    let mut bytes = good.clone();
    change(&mut bytes);
    fs::write(&path, bytes).unwrap();
    let error = load(model).err().expect("must be refused");
    fs::write(&path, good).unwrap();
    assert!(error.hint().is_some(), "{error}");
    error
}

fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
    bytes.splice(at..at + from.len(), to.bytes());
}

#[test]
fn hostile_files_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let model = trained(dir.path());
    load(&model).unwrap();
    let weights = "model.safetensors";
    let error = error_after(&model, weights, |bytes| bytes.truncate(bytes.len() / 2));
    assert!(matches!(error, TrainError::Damaged { .. }), "{error}");
    let error = error_after(&model, weights, |bytes| *bytes.last_mut().unwrap() ^= 1);
    assert!(error.to_string().contains("checksum"), "{error}");
    let error = error_after(&model, "tokenizer.json", |bytes| bytes.truncate(10));
    assert!(matches!(error, TrainError::Data(_)), "{error}");
    let error = error_after(&model, "config.json", |bytes| bytes.truncate(10));
    assert!(matches!(error, TrainError::Damaged { .. }), "{error}");
    let error =
        error_after(&model, "config.json", |bytes| replace(bytes, "\"vocabulary\": 2", "\"vocabulary\": 3"));
    assert!(matches!(error, TrainError::TokenizerMismatch { .. }), "{error}");
    let error = error_after(&model, "config.json", |bytes| replace(bytes, "\"format\": 1", "\"format\": 9"));
    assert!(error.to_string().contains("format is 9"), "{error}");
    fs::remove_file(model.join(weights)).unwrap();
    assert!(matches!(load(&model), Err(TrainError::Read { .. })));
}

/// Without a checksum, as another program would write it, names and shapes still have to agree.
#[test]
fn tensors_of_another_model_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let model = trained(dir.path());
    let config = model.join("config.json");
    let mut description: serde_json::Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    description.as_object_mut().unwrap().remove("weights");
    fs::write(&config, description.to_string()).unwrap();
    let name = load(&model).unwrap();
    let first = mixlab_nn::named_parameters(&name.model)[0].path.clone();
    let last = first.chars().last().unwrap();
    let renamed = format!("{}{}", &first[..first.len() - 1], if last == 'x' { 'y' } else { 'x' });
    let swap = |bytes: &mut Vec<u8>| replace(bytes, &format!("\"{first}\""), &format!("\"{renamed}\""));
    let error = error_after(&model, "model.safetensors", swap);
    assert!(matches!(&error, TrainError::MissingTensor { tensor, .. } if *tensor == first), "{error}");
    let width = |bytes: &mut Vec<u8>| {
        let text = description.to_string();
        *bytes = text.replace("\"width\":16", "\"width\":8").into_bytes();
    };
    let error = error_after(&model, "config.json", width);
    assert!(matches!(error, TrainError::TensorShape { .. }), "{error}");
}

#[test]
fn two_saves_write_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let model = load(&trained(dir.path())).unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    model.save(&first).unwrap();
    load(&first).unwrap().save(&second).unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        assert!(fs::read(first.join(name)).unwrap() == fs::read(second.join(name)).unwrap(), "{name}");
    }
    let header = fs::read(first.join("model.safetensors")).unwrap();
    assert!(!String::from_utf8_lossy(&header).contains("__metadata__"));
}

#[test]
fn a_folder_stands_for_its_model() {
    let dir = tempfile::tempdir().unwrap();
    let model = trained(dir.path());
    let run = dir.path().join("run");
    assert_eq!(ModelFolder::locate(&model).unwrap(), model);
    assert_eq!(ModelFolder::locate(&run).unwrap(), model);
    fs::remove_dir_all(&model).unwrap();
    assert_eq!(ModelFolder::locate(&run).unwrap(), checkpoint::path(&run, 2));
    assert!(matches!(ModelFolder::locate(dir.path()), Err(TrainError::NotARun { .. })));
    assert!(matches!(ModelFolder::locate(&dir.path().join("no")), Err(TrainError::Read { .. })));
}

#[test]
fn a_partial_start_says_what_it_took() {
    #[derive(Default)]
    struct Report(Option<parameters::InitReport>);
    impl Observer for Report {
        fn initialised(&mut self, report: &parameters::InitReport) {
            self.0 = Some(report.clone());
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let model = trained(dir.path());
    let init = format!("model.init_from={:?}", model.display().to_string());
    let mut report = Report::default();
    let config = resolved(dir.path(), &[&init, "model.depth=2"]).value;
    prepare::task(&config, None, &mut report).unwrap();
    let report = report.0.unwrap();
    let (taken, missing) = (report.taken, report.missing);
    assert!(taken.iter().any(|path| path.contains("blocks.0.")), "{taken:?}");
    assert!(!missing.is_empty() && missing.iter().all(|path| path.contains("blocks.1.")), "{missing:?}");
    assert!(report.reshaped.is_empty() && report.unused.is_empty());
}

#[test]
fn a_masked_model_trains_too() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let config = resolved(dir.path(), &["objective.kind=masked_lm", "train.steps=3"]);
    let outcome = run(&config, &out, &mut crate::Silent, &Interrupt::new()).unwrap();
    assert!(matches!(outcome, Outcome::Finished(_)));
    let metrics = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    assert!(metrics.contains("\"split\":\"eval\"") && !metrics.contains("bits_per_byte"));
    assert!(!load(&out.join("model")).unwrap().config.objective.is_causal());
}

#[test]
fn a_description_counts_what_a_run_holds() {
    let dir = tempfile::tempdir().unwrap();
    let description = describe(&resolved(dir.path(), &[]).value).unwrap();
    let sizes: usize = description.parameters.iter().map(|parameter| parameter.size).sum();
    assert_eq!(sizes, description.parameter_count);
    assert_eq!(description.memory.parameters, 4 * sizes as u64);
    assert_eq!(description.memory.optimizer, 8 * sizes as u64);
    assert!(description.memory.activations > 0);
    assert_eq!(description.batch, [2, 2, 24]);
    let crate::DataDescription::Text { evaluate_bytes, excerpt, .. } = description.data else {
        panic!("the run reads text");
    };
    assert!(evaluate_bytes > 0 && !excerpt.is_empty());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "a description writes nothing");
}

fn spoken(model: &ModelFolder, prompt: &str, tokens: usize, stop: &[&str]) -> (String, crate::Generated) {
    let options = crate::GenerateOptions {
        sampling: crate::SamplingConfig { temperature: 1.0, top_k: 0, top_p: 1.0 },
        seed: 5,
        tokens,
        stop: stop.iter().map(|stop| stop.to_string()).collect(),
    };
    let device = Device::flex();
    let mut text = String::new();
    let mut receive = |piece: &str| {
        text.push_str(piece);
        std::ops::ControlFlow::Continue(())
    };
    let generated = model.generator(&device).unwrap().generate(prompt, &options, &mut receive).unwrap();
    (text, generated)
}

#[test]
fn generation_is_a_function_of_prompt_and_seed_and_stops_where_told() {
    let dir = tempfile::tempdir().unwrap();
    let model = load(&trained(dir.path())).unwrap();
    let (text, generated) = spoken(&model, "line", 40, &[]);
    assert_eq!((text.clone(), generated), spoken(&model, "line", 40, &[]));
    assert!(generated.tokens <= 40 && generated.prompt_tokens == 5);
    assert_ne!(text, spoken(&model, "mat", 40, &[]).0);
    let middle: String = text.chars().skip(3).take(2).collect();
    let (short, stopped) = spoken(&model, "line", 40, &[&middle]);
    assert_eq!(stopped.ended, crate::Ended::Stop);
    assert!(text.starts_with(&short) && !short.contains(&middle));
}

#[test]
fn a_model_with_a_maximum_length_goes_on_speaking() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    train(dir.path(), &out, &["train.steps=2", "model.position.kind=learned"]).unwrap();
    let model = load(&out.join("model")).unwrap();
    let limited = spoken(&model, "the cat", 60, &[]).1;
    assert!(limited.tokens == 60 || limited.ended == crate::Ended::EndOfText);
    assert!(spoken(&model, &"a prompt beyond the maximum ".repeat(3), 3, &[]).1.tokens > 0);
}
