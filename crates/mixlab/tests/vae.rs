//! From sentences to latents and back, in the hands of a user, and what can go wrong on the way.

mod support;

use support::{Desk, assert_same_run};

const RUN: &str = r#"
data = { train = ["sentences.txt"], document_separator = "line", evaluate_fraction = 0.2 }
tokenizer = { kind = "bpe", vocabulary = 300 }
objective = { kind = "text_vae", latent = { layers = 2, width = 4 } }
model = { width = 16, depth = 3, max_length = 12, mixer = { kind = "softmax_attention", heads = 2 } }
optimizer = { kind = "adamw", learning_rate = 1e-2 }
train = { steps = 30, batch = 8, length = 8, log_every = 1 }
evaluate = { every = 15, batch = 4 }
checkpoint = { every = 10 }
sample = { every = 30 }
"#;

/// Forty sentences, and a run of a text VAE on them.
fn desk() -> Desk {
    let desk = Desk::new();
    let words = ["ant", "bee", "cat", "dog", "eel"];
    let text = |i: usize| format!("{} {}{}\n", words[i % 5], words[i * 3 / 5 % 5], ["!", "."][i % 2]);
    desk.write("sentences.txt", (0..40).map(text).collect::<String>());
    desk.write("run.toml", RUN);
    desk
}

fn trained() -> Desk {
    let desk = desk();
    desk.good(&["train", "run.toml", "--out", "runs/a"]);
    desk
}

fn json_lines(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

#[test]
fn a_model_is_planned_trained_measured_and_refuses_what_it_is_not() {
    let desk = desk();
    let dry = desk.good(&["train", "run.toml", "--dry-run"]).stdout;
    assert!(
        dry.contains("32 sentences to train on, 8 held out") && dry.contains("bottlenecks.1.output"),
        "{dry}"
    );
    let plan = desk.good(&["plan", "run.toml", "--json"]).stdout;
    let plan: serde_json::Value = serde_json::from_str(&plan).expect("JSON");
    assert!(plan["milliseconds"].as_f64().unwrap() > 0.0 && plan["memory"]["peak"].as_f64().unwrap() > 0.0);
    desk.good(&["measure", "step", "run.toml", "--warm-up", "0", "--rounds", "1"]);
    desk.good(&["train", "run.toml", "--out", "runs/a"]);
    let samples = desk.read("runs/a/samples.txt");
    assert!(
        samples.matches("returned: ").count() == 3 && samples.matches("made up:  ").count() == 3,
        "{samples}"
    );
    let last = desk.metrics("runs/a").into_iter().rfind(|line| line.contains("eval")).unwrap();
    let last: serde_json::Value = serde_json::from_str(&last).unwrap();
    assert_eq!(last["usage"]["layers"].as_array().unwrap().len(), 2, "{last}");

    let measured = desk.good(&["eval", "runs/a", "--draws", "3", "--samples", "5"]).stdout;
    for part in ["8, ", "evidence lower bound", "3 draws, 8 sentences", "from means", "5 texts", "of another"]
    {
        assert!(measured.contains(part), "no {part} in:\n{measured}");
    }
    let json = desk
        .good(&["eval", "runs/a/model", "sentences.txt", "--json", "--draws", "0", "--samples", "0"])
        .stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (json["sentences"].as_u64(), json["importance_weighted"].is_null()),
        (Some(40), true),
        "{json}"
    );
    let nats = json["reconstruction_nats"].as_f64().unwrap() + json["divergence_nats"].as_f64().unwrap();
    assert!((json["evidence_lower_bound"]["nats_per_sentence"].as_f64().unwrap() + nats).abs() < 1e-9);
    desk.bad(2, &["eval", "runs/a/model"], &["runs/a/model"]);
    desk.bad(2, &["eval", "runs/a", "--confusion", "c.svg"], &["a text VAE"]);
    desk.bad(2, &["generate", "runs/a", "ant"], &["a text VAE", "vae sample"]);
    desk.bad(2, &["audit", "runs/a"], &["text VAE", "causal_lm"]);
    desk.good(&["audit", "run.toml"]);
}

#[test]
fn a_killed_run_goes_on_as_if_nothing_had_been() {
    let desk = desk();
    desk.good(&["train", "run.toml", "--out", "runs/whole"]);
    let mut child = desk.start(&["train", "run.toml", "--out", "runs/cut"]);
    desk.wait_for(&mut child, "runs/cut", 14);
    let _ = child.kill();
    child.wait().expect("a child");
    desk.good(&["resume", "runs/cut"]);
    assert_same_run(&desk, "runs/whole", "runs/cut");
}

#[test]
fn latents_go_out_and_come_back_in_every_format() {
    let desk = trained();
    let lines = desk.good(&["vae", "encode", "runs/a", "sentences.txt"]).stdout;
    let rows = json_lines(&lines);
    assert_eq!((rows.len(), rows[0]["embedding"].as_array().unwrap().len()), (40, 8));
    let returned = desk.good(&["vae", "reconstruct", "runs/a", "sentences.txt"]).stdout;
    assert_eq!(returned.lines().count(), 40);
    for file in ["z.npy", "z.npz", "z.parquet", "z.jsonl"] {
        let told = desk.good(&["vae", "encode", "runs/a", "sentences.txt", "--out", file]).stderr;
        assert!(told.contains("40 texts, 8 numbers each"), "{told}");
        assert_eq!(desk.good(&["vae", "decode", "runs/a", file]).stdout, returned, "{file}");
        desk.bad(2, &["vae", "encode", "runs/a", "sentences.txt", "--out", file], &["exists"]);
    }
    // Drawn latents lie elsewhere, the further the lower the concentration; the seed decides where.
    let drawn = |more: &[&str]| {
        desk.good(&[&["vae", "encode", "runs/a", "sentences.txt", "--draw"], more].concat()).stdout
    };
    assert_eq!(drawn(&[]), drawn(&["--seed", "0"]));
    assert_ne!(drawn(&[]), drawn(&["--seed", "1"]));
    assert_ne!(drawn(&[]), drawn(&["--concentration", "500"]));
    let piped = desk.with_stdin(&["vae", "reconstruct", "runs/a", "-"], b"ant bee!\n").stdout;
    assert_eq!(piped.lines().count(), 1);
    let json =
        json_lines(&desk.with_stdin(&["vae", "reconstruct", "runs/a", "-", "--json"], b"ant bee!\n").stdout);
    assert_eq!(json[0]["original"], "ant bee!");
    assert!(json[0]["log_probability"].as_f64().unwrap() < 0.0 && json[0]["ended"].is_boolean());
}

#[test]
fn texts_are_made_up_mixed_and_varied() {
    let desk = trained();
    let sample = |more: &[&str]| desk.good(&[&["vae", "sample", "runs/a"], more].concat()).stdout;
    assert_eq!(sample(&["--count", "7"]).lines().count(), 7);
    assert_eq!(sample(&[]), sample(&["--temperature", "0"]));
    assert!(sample(&["--count", "3"]).lines().zip(sample(&[]).lines()).all(|(few, many)| few == many));
    assert_eq!(json_lines(&sample(&["--beams", "2", "--json", "--count", "2"])).len(), 2);
    assert_ne!(
        sample(&["--temperature", "3", "--seed", "1"]),
        sample(&["--temperature", "3", "--seed", "2"])
    );

    let way = |more: &[&str]| {
        desk.good(&[&["vae", "interpolate", "runs/a", "ant bee!", "dog cat."], more].concat()).stdout
    };
    let ends = desk.with_stdin(&["vae", "reconstruct", "runs/a", "-"], b"ant bee!\ndog cat.\n").stdout;
    let (way_lines, ends): (Vec<String>, Vec<&str>) =
        (way(&["--steps", "5"]).lines().map(str::to_owned).collect(), ends.lines().collect());
    assert_eq!((way_lines.len(), way_lines[0].as_str(), way_lines[4].as_str()), (5, ends[0], ends[1]));
    assert_eq!(json_lines(&way(&["--json", "--steps", "3"]))[1]["share"], 0.5);

    let swap = |more: &[&str]| {
        desk.good(&[&["vae", "swap", "runs/a", "ant bee!", "dog cat."], more].concat()).stdout
    };
    assert_eq!(swap(&["--layers", "1,2"]).trim_end(), ends[1], "all layers of the other are the other");
    let alone = swap(&[]);
    assert!(alone.starts_with("layer 1: ") && alone.contains("\nlayer 2: "), "{alone}");
    assert_eq!(json_lines(&swap(&["--json", "--layers", "2"]))[0]["layers"][0], 2);

    let near = desk
        .good(&["vae", "neighbours", "runs/a", "ant bee!", "--count", "4", "--concentration", "1e6"])
        .stdout;
    assert!(near.lines().all(|line| line == ends[0]), "{near}\n{}", ends[0]);
}

#[test]
fn what_is_no_latent_and_no_sentence_is_refused() {
    let desk = trained();
    let row = |numbers: &str| format!("{{\"text\": \"a\", \"embedding\": [{numbers}]}}\n");
    desk.write("short.jsonl", row("1,2,3"));
    desk.bad(
        2,
        &["vae", "decode", "runs/a", "short.jsonl"],
        &["3 numbers", "8, for 2 layers of 4", "vae encode"],
    );
    desk.write("zero.jsonl", row("1,0,0,0,0,0,0,0"));
    desk.bad(2, &["vae", "decode", "runs/a", "zero.jsonl"], &["layer 2 of row 1", "a direction"]);
    desk.write("nan.npy", npy(&[1.0, f32::NAN, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]));
    desk.bad(2, &["vae", "decode", "runs/a", "nan.npy"], &["nan.npy", "row 1", "NaN"]);
    desk.write("empty.jsonl", "");
    desk.bad(2, &["vae", "decode", "runs/a", "empty.jsonl"], &["empty.jsonl"]);
    desk.bad(2, &["vae", "decode", "runs/a", "none.npy"], &["none.npy"]);
    desk.bad(2, &["vae", "interpolate", "runs/a", "ant", "bee", "--steps", "1"], &["--steps", "2 or more"]);
    desk.bad(2, &["vae", "interpolate", "runs/a", "", "bee"], &["empty"]);
    desk.bad(2, &["vae", "swap", "runs/a", "ant", "bee", "--layers", "3"], &["--layers is 3", "1 to 2"]);
    desk.bad(2, &["vae", "neighbours", "runs/a", "ant", "--concentration", "0"], &["--concentration"]);
    desk.bad(2, &["vae", "neighbours", "runs/a", "ant", "--count", "0"], &["--count"]);
    desk.bad(2, &["vae", "sample", "runs/a", "--count", "0"], &["--count"]);
    desk.bad(2, &["vae", "sample", "runs/a", "--beams", "0"], &["--beams"]);
    desk.bad(2, &["vae", "sample", "runs/a", "--temperature", "-1"], &["--temperature"]);
    desk.bad(2, &["vae", "sample", "runs/none"], &["runs/none"]);
    desk.write("gap.txt", "ant bee!\n\ndog cat.\n");
    desk.bad(2, &["vae", "encode", "runs/a", "gap.txt", "--out", "gap.npy"], &["gap.txt", "line 2"]);
    assert!(!desk.exists("gap.npy"), "half a file is none");
    let long = desk
        .with_stdin(&["vae", "reconstruct", "runs/a", "-"], b"ant bee, cat dog eel ant bee cat dog eel\n");
    assert!(
        long.stderr.contains("1 of 1 sentences") && long.stderr.contains("1 behind punctuation"),
        "{}",
        long.stderr
    );
    desk.write("text.toml", support::TINY);
    desk.good(&["train", "text.toml", "--out", "runs/text", "--set", "train.steps=2"]);
    desk.bad(2, &["vae", "sample", "runs/text"], &["a language model", "a text VAE"]);

    // Opposite latents have no one way between them, which is told; a run of a thousand of them is not stopped.
    let refused = |set: &str, words: &[&str]| {
        desk.bad(2, &["train", "run.toml", "--out", "runs/refused", "--set", set], words);
        assert!(!desk.exists("runs/refused"), "a refused run leaves nothing");
    };
    refused("objective.latent.layers=4", &["objective.latent.layers", "1 to 3"]);
    refused("objective.posterior.concentration=0", &["objective.posterior.concentration", "above 0"]);
    refused("train.length=2", &["train.length"]);
    refused("data.train=[\"none.txt\"]", &["none.txt"]);
}

/// A file of one row as NumPy writes it.
fn npy(values: &[f32]) -> Vec<u8> {
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': (1, {}), }}", values.len()).into_bytes();
    header.resize((10 + header.len() + 1).next_multiple_of(64) - 11, b' ');
    header.push(b'\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header);
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    file
}
