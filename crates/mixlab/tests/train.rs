//! From a text file to a model and text, with the real binary.

mod support;

use std::fs;

use support::{Desk, SMALL, TINY, causal_mixers, mixers, prose};

fn trained() -> Desk {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    desk.good(&["train", "run.toml", "--out", "runs/a"]);
    desk
}

#[test]
fn a_run_leaves_everything_in_its_folder() {
    let desk = trained();
    for name in ["config.toml", "tokenizer.json", "metrics.jsonl", "samples.txt", "curves.svg"] {
        assert!(desk.exists(&format!("runs/a/{name}")), "{name}");
    }
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        assert!(desk.exists(&format!("runs/a/model/{name}")), "{name}");
    }
    let lines: Vec<serde_json::Value> =
        desk.read("runs/a/metrics.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps = |split: &str| -> Vec<u64> {
        lines.iter().filter(|l| l["split"] == split).map(|l| l["step"].as_u64().unwrap()).collect()
    };
    assert_eq!(steps("train"), (1..=12).collect::<Vec<_>>());
    assert_eq!(steps("eval"), [4, 8, 12]);
    for line in &lines {
        for field in ["loss", "tokens", "seconds", "tokens_per_second"] {
            assert!(line[field].is_number(), "{field} in {line}");
        }
        let own =
            if line["split"] == "train" { ["learning_rate", "grad_norm"] } else { ["bits_per_byte", "loss"] };
        assert!(own.iter().all(|field| line[field].is_number()), "{line}");
    }
    // Bytes are tokens here, so that nats per token and bits per byte are one number in two units.
    let last = lines.last().unwrap();
    let (nats, bits) = (last["loss"].as_f64().unwrap(), last["bits_per_byte"].as_f64().unwrap());
    assert!((nats / std::f64::consts::LN_2 - bits).abs() < 1e-9, "{nats} {bits}");
}

#[test]
fn messages_are_plain_lines_and_data_is_the_sample() {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    let ended = desk.good(&["train", "run.toml"]);
    assert!(desk.exists("runs/run/model"), "the default folder has the config's name");
    assert!(!ended.stderr.contains('\x1b') && !ended.stderr.contains('\r'), "{:?}", ended.stderr);
    assert!(ended.stderr.contains("step 12/12: loss"), "{}", ended.stderr);
    assert!(ended.stderr.contains("bits/byte"), "{}", ended.stderr);
    let samples = desk.read("runs/run/samples.txt");
    assert!(samples.contains(ended.stdout.trim_end()), "{samples:?} {:?}", ended.stdout);
    let json = desk.good(&["train", "run.toml", "--out", "runs/json", "--json"]).stdout;
    let outcome: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(outcome["steps"], 12);
    assert!(outcome["bits_per_byte"].as_f64().unwrap() < 8.0);
}

#[test]
fn the_saved_config_is_a_config_of_the_same_run() {
    let desk = trained();
    let saved = desk.read("runs/a/config.toml");
    assert!(saved.contains("# run.toml") && saved.contains("# default"), "{saved}");
    desk.good(&["train", "runs/a/config.toml", "--out", "runs/b"]);
    assert_eq!(desk.bytes("runs/a/model/model.safetensors"), desk.bytes("runs/b/model/model.safetensors"));
    assert_eq!(desk.metrics("runs/a"), desk.metrics("runs/b"));
}

#[test]
fn threads_do_not_change_a_bit() {
    let mut desk = trained();
    desk.threads = Some(2);
    desk.good(&["train", "run.toml", "--out", "runs/two"]);
    assert_eq!(desk.bytes("runs/a/model/model.safetensors"), desk.bytes("runs/two/model/model.safetensors"));
    assert_eq!(desk.metrics("runs/a"), desk.metrics("runs/two"));
}

#[test]
fn a_finished_run_is_resumed_to_itself() {
    let desk = trained();
    let (weights, metrics) =
        (desk.bytes("runs/a/model/model.safetensors"), desk.bytes("runs/a/metrics.jsonl"));
    desk.good(&["resume", "runs/a"]);
    assert_eq!(desk.bytes("runs/a/model/model.safetensors"), weights);
    assert_eq!(desk.bytes("runs/a/metrics.jsonl"), metrics);
}

#[test]
fn a_dry_run_shows_sizes_and_writes_nothing() {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    let text = desk.good(&["train", "run.toml", "--dry-run"]).stdout;
    for words in ["all parameters", "MiB", "vocabulary", "2 rows of 32 tokens", "the first row begins"] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    let json = desk.good(&["train", "run.toml", "--dry-run", "--json"]).stdout;
    let description: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(description["batch"], serde_json::json!([1, 2, 32]));
    assert!(!desk.exists("runs"));
}

#[test]
fn every_mixer_trains_and_generates_from_a_starter_config() {
    let desk = Desk::new();
    let causal = causal_mixers(&desk);
    for mixer in mixers(&desk) {
        let (config, run) = (format!("{mixer}.toml"), format!("runs/{mixer}"));
        desk.good(&["new", "text.txt", "--mixer", &mixer, "--out", &config]);
        let mut arguments = vec!["train", &config, "--out", &run, "--set", "train.steps=6"];
        arguments.extend(SMALL.iter().flat_map(|set| ["--set", set]));
        desk.good(&arguments);
        if !causal.contains(&mixer) {
            desk.bad(2, &["generate", &run, "It is"], &["cannot continue a text"]);
            continue;
        }
        let first = desk.good(&["generate", &run, "It is", "--tokens", "12", "--seed", "5"]).stdout;
        let again = desk.good(&["generate", &run, "It is", "--tokens", "12", "--seed", "5"]).stdout;
        let other = desk.good(&["generate", &run, "It is", "--tokens", "12", "--seed", "6"]).stdout;
        assert!(first.starts_with("It is"), "{mixer}: {first:?}");
        assert_eq!(first, again, "{mixer}");
        assert_ne!(first, other, "{mixer}");
    }
}

#[test]
fn generation_follows_its_options() {
    let desk = trained();
    let greedy = |seed: &str| {
        desk.good(&["generate", "runs/a", "It", "--temperature", "0", "--tokens", "9", "--seed", seed]).stdout
    };
    assert_eq!(greedy("1"), greedy("2"), "the most probable token needs no seed");
    assert_eq!(desk.good(&["generate", "runs/a", "It", "--tokens", "0"]).stdout, "It\n");
    let stdin = desk.with_stdin(&["generate", "runs/a", "-", "--tokens", "9", "--temperature", "0"], b"It\n");
    assert_eq!(stdin.stdout, greedy("1"));
    let sampled = |more: &[&str]| {
        desk.good(&[&["generate", "runs/a", "It", "--tokens", "40", "--seed"][..], more].concat()).stdout
    };
    // A model this small may end its text at once.
    let (seed, text) = (1..50)
        .map(|seed| (seed.to_string(), sampled(&[&seed.to_string()])))
        .find(|(_, text)| text.chars().count() > 12)
        .expect("a text of some length");
    let middle: String = text.chars().skip(8).take(1).collect();
    let stopped = sampled(&[&seed, "--stop", &middle]);
    assert!(
        text.starts_with(stopped.trim_end_matches('\n')) && stopped.len() < text.len(),
        "{stopped:?} {text:?}"
    );
    let checkpoint = fs::read_dir(desk.path("runs/a/checkpoints")).unwrap().next().unwrap().unwrap().path();
    desk.good(&["generate", checkpoint.to_str().unwrap(), "It", "--tokens", "3"]);
}

#[test]
fn a_model_is_measured_on_its_own_and_on_other_text() {
    let desk = trained();
    let own = desk.good(&["eval", "runs/a", "--json"]).stdout;
    let own: serde_json::Value = serde_json::from_str(&own).unwrap();
    let logged: Vec<f64> = desk
        .read("runs/a/metrics.jsonl")
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["bits_per_byte"].as_f64())
        .collect();
    let best = logged.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(
        own["bits_per_byte"].as_f64().unwrap(),
        best,
        "the final model is the best one, measured alike"
    );
    desk.write("other.txt", prose(3000));
    let other = desk.good(&["eval", "runs/a", "other.txt"]).stdout;
    assert!(other.contains("nats/token") && other.contains("3000 bytes"), "{other}");
}

#[test]
fn a_model_starts_from_another_one_in_part() {
    let desk = trained();
    let same = desk.good(&["train", "run.toml", "--out", "runs/same", "--set", "model.init_from=runs/a"]);
    assert!(same.stderr.contains("started from"), "{}", same.stderr);
    assert!(!same.stderr.contains("drawn anew"), "{}", same.stderr);
    let deeper = ["train", "run.toml", "--out", "runs/deep", "--set", "model.init_from=runs/a"];
    let deeper = desk.good(&[&deeper[..], &["--set", "model.depth=3"]].concat());
    assert!(deeper.stderr.contains("drawn anew"), "{}", deeper.stderr);
}

#[test]
fn config_show_resolves_and_explain_explains() {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    let shown = desk.good(&["config", "show", "run.toml", "--set", "train.steps=99"]).stdout;
    assert!(shown.lines().any(|l| l.starts_with("steps = 99") && l.ends_with("# --set")), "{shown}");
    desk.write("again.toml", &shown);
    let again = desk.good(&["config", "show", "again.toml", "--json"]).stdout;
    let first = desk.good(&["config", "show", "run.toml", "--set", "train.steps=99", "--json"]).stdout;
    assert_eq!(again, first);
    let explained = desk.good(&["config", "explain", "train.steps"]).stdout;
    assert!(explained.contains("default: ") && explained.contains("updates"), "{explained}");
    for key in
        ["run.seed", "train.steps", "model.width", "model.depth", "model.mixer.kind", "model.residual.kind"]
    {
        desk.good(&["config", "explain", key]);
    }
    let schema: serde_json::Value = serde_json::from_str(&desk.good(&["config", "schema"]).stdout).unwrap();
    assert!(schema["properties"]["train"].is_object());
}

#[test]
fn changing_the_mixer_drops_its_keys_with_a_note() {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    let ended = desk.good(&["config", "show", "run.toml", "--set", "model.mixer.kind=flash"]);
    assert!(ended.stderr.contains("note: `model.mixer.heads` from run.toml"), "{}", ended.stderr);
}

#[test]
fn a_tokenizer_goes_there_and_back() {
    let desk = Desk::new();
    let text = "It is a truth — “universally” acknowledged.";
    for kind in ["bpe", "unigram", "wordpiece", "byte"] {
        let out = format!("{kind}.json");
        let mut arguments = vec!["tokenizer", "train", "text.txt", "--kind", kind, "--out", &out];
        if kind != "byte" {
            arguments.extend(["--vocabulary", "600"]);
        }
        desk.good(&arguments);
        let ids = desk.good(&["tokenizer", "encode", &out, text]).stdout;
        let back = desk.with_stdin(&["tokenizer", "decode", &out], ids.as_bytes());
        assert_eq!(back.stdout, format!("{text}\n"), "{kind}");
        let json = desk.with_stdin(&["tokenizer", "encode", &out, "--json"], text.as_bytes()).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(json["ids"].as_array().unwrap().len() == json["pieces"].as_array().unwrap().len());
    }
}

#[test]
fn an_update_is_timed_beside_its_arithmetic() {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    let text = desk.good(&["measure", "step", "run.toml", "--rounds", "3"]).stdout;
    for words in ["ms median of 3", "tokens/s", "of a matrix product"] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    let json = desk.good(&["measure", "step", "run.toml", "--rounds", "3", "--json"]).stdout;
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let number = |key: &str| report[key].as_f64().unwrap_or_else(|| panic!("{key} in {json}"));
    assert!(0.0 < number("min_ms") && number("min_ms") <= number("median_ms"), "{json}");
    assert!(number("median_ms") <= number("max_ms"), "{json}");
    // Two rows of 32 tokens; two blocks of width 16 with 12·16² parameters.
    let forward = 64.0 * (2.0 * 12.0 * 256.0 + 2.0 * 2.0 * 16.0 * 16.5 + 16.0 * number("vocabulary"));
    assert!((number("gigaoperations") - 6.0 * forward / 1e9).abs() < 1e-12, "{json}");
    let rate = number("gigaoperations") / number("median_ms") * 1e3;
    assert!((number("gflops") / rate - 1.0).abs() < 1e-9 && number("ceiling_gflops") > 1.0, "{json}");
    assert!((number("tokens_per_second") / (64e3 / number("median_ms")) - 1.0).abs() < 1e-9, "{json}");
    assert!(report["profile"].is_null(), "{json}");
    assert_eq!(desk.run(&["measure", "step", "run.toml", "--rounds", "0"]).code, Some(2));
}

#[test]
fn a_growing_text_is_timed_in_windows() {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    let arguments = ["measure", "decode", "run.toml", "--warm-up", "4", "--tokens", "25", "--windows", "2"];
    let text = desk.good(&arguments).stdout;
    for words in ["4 to 14", "14 to 25", "tokens/s", "over first"] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    let json = desk.good(&[&arguments[..], &["--json"]].concat()).stdout;
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rate = |value: &serde_json::Value| value["tokens_per_second"].as_f64().unwrap();
    let windows = report["windows"].as_array().unwrap();
    assert!(windows.iter().all(|window| window["time_over_first"].as_f64().unwrap() > 0.0), "{json}");
    // 21 tokens in the time of both windows.
    let seconds = 10.0 / rate(&windows[0]) + 11.0 / rate(&windows[1]);
    assert!((rate(&report) * seconds / 21.0 - 1.0).abs() < 1e-9, "{json}");
    for (tokens, windows, words) in [("25", "0", "--windows"), ("5", "2", "at least 6")] {
        let wrong = desk.run(&[
            "measure",
            "decode",
            "run.toml",
            "--warm-up",
            "4",
            "--tokens",
            tokens,
            "--windows",
            windows,
        ]);
        assert!(wrong.code == Some(2) && wrong.stderr.contains(words), "{}", wrong.stderr);
    }
    let learned = desk.run(
        &[&arguments[..], &["--set", "model.position.kind=learned", "--set", "model.max_length=20"]].concat(),
    );
    assert!(learned.code == Some(2) && learned.stderr.contains("at most 20"), "{}", learned.stderr);
}

/// The buffers of one update serve the next. The allocator is asked to give free pages back at once, which the program
/// must overrule: then it would be thousands of faults an update.
#[test]
#[cfg(target_os = "linux")]
fn updates_do_not_fault_pages_once_warm() {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    let arguments = [
        "measure",
        "step",
        "run.toml",
        "--rounds",
        "8",
        "--warm-up",
        "4",
        "--json",
        "--set",
        "model.width=128",
        "--set",
        "train.batch=64",
    ];
    let output =
        desk.command(&arguments).env("MIMALLOC_PURGE_DELAY", "0").output().expect("the program runs");
    let json = String::from_utf8(output.stdout).expect("text");
    let report: serde_json::Value = serde_json::from_str(&json).expect("figures");
    let faults = report["page_faults"].as_f64().expect("a count");
    assert!(faults < 50.0, "{faults} page faults an update");
}

#[test]
fn an_update_is_split_by_operation() {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    let arguments = ["measure", "step", "run.toml", "--rounds", "2", "--profile"];
    let text = desk.good(&arguments).stdout;
    for words in ["forward", "backward", "cross_entropy", "optimizer", "GB/s", "other"] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    let json = desk.good(&[&arguments[..], &["--json"]].concat()).stdout;
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let passes = report["profile"].as_array().unwrap();
    let names: Vec<_> = passes.iter().map(|pass| pass["pass"].as_str().unwrap()).collect();
    assert_eq!(names, ["forward", "backward", "update", "batch"]);
    for pass in &passes[..3] {
        let time = |value: &serde_json::Value| value["milliseconds"].as_f64().unwrap();
        let parts: f64 = pass["operations"].as_array().unwrap().iter().map(time).sum();
        assert!((parts / time(pass) - 1.0).abs() < 1e-9, "{json}");
    }
}

#[test]
fn sweep_and_compare_tabulate_runs() {
    let desk = Desk::new();
    desk.write("run.toml", TINY);
    desk.write(
        "sweep.toml",
        "base = \"run.toml\"\nout = \"study\"\nseeds = [1, 2]\nmetrics = [\"bits_per_byte\"]\n\
         set.train.steps = 4\n[[axis]]\nname = \"depth\"\nkey = \"model.depth\"\nvalues = [1, 2]\n",
    );
    let cells = desk.good(&["sweep", "sweep.toml", "--dry-run"]).stdout;
    assert_eq!(cells.lines().count(), 4, "{cells}");
    assert!(cells.contains("depth=2,seed=1  model.depth=2  run.seed=1  train.steps=4"), "{cells}");
    let cells: serde_json::Value =
        serde_json::from_str(&desk.good(&["sweep", "sweep.toml", "--dry-run", "--json"]).stdout).unwrap();
    assert_eq!(cells[0]["name"], "depth=1,seed=1");
    assert!(!desk.exists("study"), "a dry run writes nothing");
    let table = desk.good(&["sweep", "sweep.toml"]).stdout;
    assert!(table.contains("depth"), "{table}");
    let again = desk.good(&["sweep", "sweep.toml"]);
    assert_eq!(again.stdout, table);
    assert_eq!(again.stderr.matches("finished earlier").count(), 4, "{}", again.stderr);
    let runs: Vec<String> =
        ["depth=1,seed=1", "depth=1,seed=2", "depth=2,seed=1"].map(|c| format!("study/cells/{c}")).into();
    let mut arguments = vec!["compare", "--metric", "bits_per_byte", "--format", "markdown"];
    arguments.extend(runs.iter().map(String::as_str));
    let compared = desk.good(&arguments).stdout;
    assert!(compared.contains("model.depth"), "{compared}");
}
