//! Audits with the real binary, and the table of the README.

mod support;

use std::path::Path;

use serde_json::Value;
use support::{Desk, TINY};

fn trained() -> Desk {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    desk.good(&["train", "run.toml", "--out", "runs/a", "--set", "train.steps=2"]);
    desk
}

/// The status of one check in every block.
fn statuses(report: &Value, check: &str) -> Vec<String> {
    let layers = report["layers"].as_array().expect("layers");
    let status = |layer: &Value| {
        let checks = layer["checks"].as_array().expect("checks");
        let checked = checks.iter().find(|checked| checked["check"] == check).expect("the check");
        checked["status"].as_str().expect("a status").to_owned()
    };
    layers.iter().map(status).collect()
}

#[test]
fn a_config_is_audited_without_data() {
    let desk = Desk::new();
    desk.write("run.toml", TINY.replace("text.txt", "no-such-file.txt"));
    let ended = desk.good(&["audit", "run.toml"]);
    assert!(
        ended.stdout.starts_with("2 blocks, causal, at lengths 1 to 3, 7, 16, 33, 64, 130\n"),
        "{}",
        ended.stdout
    );
    for line in ["causal                   held", "permutation-equivariant  not promised"] {
        assert!(ended.stdout.lines().any(|found| found == line), "{}", ended.stdout);
    }
    assert!(ended.stdout.contains("everything promised holds, in "), "{}", ended.stdout);
    assert_eq!(ended.stderr, "", "no progress where there is no terminal");
    let masked = ["audit", "run.toml", "--set", "objective.kind=masked_lm", "--lengths", "1,8", "--json"];
    let report: Value = serde_json::from_str(&desk.good(&masked).stdout).expect("JSON");
    assert_eq!((&report["direction"], &report["lengths"]), (&"both".into(), &vec![1, 8].into()));
    assert_eq!(statuses(&report, "causal"), ["not_promised"; 2]);
    assert_eq!(statuses(&report, "padding-safe"), ["held"; 2]);
    assert_eq!(report["first_violation"], Value::Null);
}

#[test]
fn lengths_that_a_model_does_not_take_are_refused_not_run() {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    let ended = desk.good(&["audit", "run.toml", "--set", "model.position.kind=learned", "--json"]);
    let report: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(report["lengths"], Value::from(vec![1, 2, 3, 7, 16, 32]));
    assert_eq!(report["refused"], Value::from(vec![33, 64, 130]));
}

#[test]
fn a_trained_model_is_audited_with_its_weights() {
    let desk = trained();
    for folder in ["runs/a", "runs/a/model"] {
        let ended = desk.good(&["audit", folder, "--lengths", "1-9"]);
        assert!(ended.stdout.contains("at lengths 1 to 9\n"), "{}", ended.stdout);
    }
    spoil(&desk, "runs/a/model", "backbone.blocks.1.channel.mixer.up.weight");
    let ended = desk.run(&["audit", "runs/a", "--lengths", "1-9"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let words = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = "first violation: block 1 (softmax_attention) breaks `finite or refused`: at length 1, sample 0, \
                    position 0, which is no number";
    assert!(words.contains(expected), "{}", ended.stdout);
    let json = desk.run(&["audit", "runs/a", "--lengths", "1-9", "--json"]);
    assert_eq!(json.code, Some(1));
    let report: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(statuses(&report, "finite or refused"), ["held", "violated"]);
    assert_eq!(report["first_violation"]["block"], 1);
}

/// Overwrites one tensor with NaN, and takes the checksum out of the description.
fn spoil(desk: &Desk, folder: &str, tensor: &str) {
    let weights = format!("{folder}/model.safetensors");
    let mut bytes = desk.bytes(&weights);
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    let offset = |end: usize| header[tensor]["data_offsets"][end].as_u64().expect("an offset") as usize;
    for number in bytes[8 + length + offset(0)..8 + length + offset(1)].chunks_exact_mut(4) {
        number.copy_from_slice(&f32::NAN.to_le_bytes());
    }
    desk.write(&weights, bytes);
    let config = format!("{folder}/config.json");
    let mut description: Value = serde_json::from_str(&desk.read(&config)).expect("JSON");
    description.as_object_mut().expect("an object").remove("weights");
    desk.write(&config, description.to_string());
}

const OPENING: &str = "<!-- promises: written by mixlab audit --mixers --markdown -->";
const CLOSING: &str = "<!-- /promises -->";

/// Few lengths are enough to see that the table is what the audit gives: a promise that broke at another one would
/// fail in the audit itself.
#[test]
fn the_table_of_the_readme_is_what_an_audit_gives() {
    let desk = Desk::new();
    let table = desk.good(&["audit", "--mixers", "--markdown", "--lengths", "1,2,7,33"]).stdout;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(path).expect("the README");
    let block =
        readme.split_once(OPENING).and_then(|(_, rest)| rest.split_once(CLOSING)).expect("the block").0;
    assert_eq!(
        block.trim(),
        table.trim(),
        "write the output of `mixlab audit --mixers --markdown` into README.md"
    );
}

#[test]
fn the_matrix_fits_a_terminal_and_its_json_holds_every_experiment() {
    let desk = Desk::new();
    let text = desk.good(&["audit", "--mixers", "--lengths", "1,2"]).stdout;
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("everything promised holds, in "), "{text}");
    let json = desk.good(&["audit", "--mixers", "--lengths", "1,2", "--json"]).stdout;
    let audits: Vec<Value> = serde_json::from_str(&json).expect("JSON");
    let is_row =
        |line: &&str| line.split_whitespace().nth(1).is_some_and(|word| word == "causal" || word == "both");
    let rows = text.lines().filter(is_row).count();
    assert_eq!(audits.len(), rows, "{text}");
    for audit in &audits {
        assert_eq!(statuses(audit, "finite or refused"), ["held"; 2], "{audit}");
    }
}
