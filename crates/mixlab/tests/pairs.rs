//! From pairs of texts to targets that are written, and what a user can get wrong on the way.

mod support;

use support::Desk;

const RUN: &str = r#"
data = { train = ["pairs.tsv"], source_field = "from", target_field = "to", evaluate_fraction = 0.2 }
tokenizer.kind = "byte"
objective.kind = "sequence_to_sequence"
model = { width = 16, depth = 1, max_length = 32, position = { kind = "learned" }, mixer = { kind = "softmax_attention", heads = 2 } }
optimizer = { kind = "adamw", learning_rate = 1e-2 }
train = { steps = 30, batch = 8, length = 3 }
evaluate = { every = 15, batch = 4 }
checkpoint = { every = 15 }
sample = { every = 30, tokens = 3 }
"#;

const ENCODER: &str = "encoder = { cross = { kind = \"softmax_attention\", heads = 2 } }, mixer = {";

/// Two letters, and the same the other way round.
fn desk() -> Desk {
    let desk = Desk::new();
    let letters = || "abcd".chars();
    let pairs: String = letters().flat_map(|a| letters().map(move |b| format!("{a}{b}\t{b}{a}\n"))).collect();
    desk.write("pairs.tsv", format!("from\tto\n{pairs}"));
    desk.write("one.toml", RUN);
    desk.write("two.toml", RUN.replacen("mixer = {", ENCODER, 1));
    desk
}

#[test]
fn both_kinds_are_trained_measured_planned_and_asked() {
    let desk = desk();
    for kind in ["one", "two"] {
        let (config, run) = (format!("{kind}.toml"), format!("runs/{kind}"));
        let dry = desk.good(&["train", &config, "--dry-run"]).stdout;
        assert!(dry.contains("13 pairs to train on, 3 held out") && dry.contains("its target"), "{dry}");
        desk.good(&["train", &config, "--out", &run]);
        assert!(desk.read(&format!("{run}/samples.txt")).contains("written: "), "{kind}");

        let held_out = desk.good(&["eval", &run]).stdout;
        assert!(held_out.contains("3, 9 tokens to write"), "{held_out}");
        let json = desk
            .good(&[
                "eval",
                &format!("{run}/model"),
                "pairs.tsv",
                "--source-field",
                "from",
                "--target-field",
                "to",
                "--json",
            ])
            .stdout;
        let measured: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((measured["pairs"].as_u64(), measured["tokens"].as_u64()), (Some(16), Some(48)), "{json}");
        let bits = measured["loss"].as_f64().unwrap() * 48.0 / 32.0 / std::f64::consts::LN_2;
        assert!((measured["bits_per_byte"].as_f64().unwrap() - bits).abs() < 1e-9, "{json}");

        // A search of one beam is what is drawn at temperature 0; the line break of a pipe is no source.
        let greedy = desk.good(&["generate", &run, "ab", "--beams", "1"]).stdout;
        assert_eq!(greedy, desk.good(&["generate", &run, "ab", "--temperature", "0"]).stdout);
        assert_eq!(greedy, desk.with_stdin(&["generate", &run, "-", "--beams", "1"], b"ab\n").stdout);
        assert!(
            desk.good(&["generate", &run, "ab", "--beams", "4", "--length-penalty", "0"])
                .stdout
                .ends_with('\n')
        );

        let plan = desk.good(&["plan", &config, "--json"]).stdout;
        let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
        assert!(
            plan["milliseconds"].as_f64().unwrap() > 0.0 && plan["memory"]["peak"].as_f64().unwrap() > 0.0
        );
        // Four square matrices a mixer; the encoder has one, the decoder one and another for its source.
        let mixers = if kind == "one" { 4 * 16 * 16 } else { 3 * 4 * 16 * 16 };
        assert_eq!(plan["parameters"]["mixers"].as_u64(), Some(mixers), "{plan}");
        desk.good(&["measure", "step", &config, "--warm-up", "0", "--rounds", "1"]);
    }
    desk.good(&["audit", "runs/one"]);
}

#[test]
fn spans_are_hidden_and_asked_for_by_their_names() {
    let desk = desk();
    let spans = [
        "--set",
        "objective={kind=\"span_corruption\"}",
        "--set",
        "data.train=[\"text.txt\"]",
        "--set",
        "train.length=24",
    ];
    desk.good(
        &[&["train", "two.toml", "--out", "runs/spans", "--set", "train.steps=3"], &spans[..]].concat(),
    );
    let sample = desk.read("runs/spans/samples.txt");
    assert!(sample.contains("<extra_id_0>"), "{sample}");
    desk.good(&["eval", "runs/spans"]);
    let file = desk.good(&["eval", "runs/spans/model", "text.txt"]).stdout;
    assert!(file.contains("tokens to write"), "{file}");
    desk.good(&["generate", "runs/spans", "It is <extra_id_0> truth", "--beams", "2"]);
}

#[test]
fn what_is_no_pair_and_no_question_is_refused() {
    let desk = desk();
    let refused = |config: &str, set: &str, words: &[&str]| {
        desk.bad(2, &["train", config, "--out", "runs/refused", "--set", set], words);
        assert!(!desk.exists("runs/refused"), "a refused run leaves nothing");
    };
    refused("two.toml", "objective.kind=causal_lm", &["model.encoder", "sequence_to_sequence"]);
    refused("two.toml", "data.source_field=\"source\"", &["source", "from, to"]);
    refused("two.toml", "data.target_field=\"from\"", &["data.target_field"]);
    refused("two.toml", "train.source_length=40", &["model.encoder.max_length", "40"]);
    refused("one.toml", "train.length=20", &["39 positions of source and target", "model.max_length = 39"]);
    refused("two.toml", "model.mixer={kind=\"fnet\"}", &["fnet", "causal"]);
    desk.bad(2, &["audit", "two.toml"], &["model.encoder", "one stack"]);

    desk.good(&["train", "two.toml", "--out", "runs/a", "--set", "train.steps=2"]);
    desk.bad(2, &["generate", "runs/a", "abcdef"], &["a source of 7 tokens", "at most 3"]);
    desk.bad(2, &["generate", "runs/a", "ab", "--beams", "0"], &["beams"]);
    let both = desk.run(&["generate", "runs/a", "ab", "--beams", "2", "--temperature", "1"]);
    assert_eq!(both.code, Some(2), "a search draws nothing");
    desk.bad(2, &["audit", "runs/a"], &["model.encoder", "one stack"]);
    desk.bad(2, &["eval", "runs/a", "--confusion", "c.svg"], &["an encoder–decoder"]);
    desk.bad(2, &["eval", "runs/a/model"], &["runs/a/model"]);
    desk.write("run.toml", support::TINY);
    desk.good(&["train", "run.toml", "--out", "runs/text", "--set", "train.steps=2"]);
    desk.bad(2, &["generate", "runs/text", "It", "--beams", "2"], &["--beams", "write targets"]);
}
