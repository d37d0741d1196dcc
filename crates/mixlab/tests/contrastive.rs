//! Embedding models from the command line: trained, and measured by what their embeddings find.

mod support;

use serde_json::Value;
use support::{Desk, write_images};

const CONFIG: &str = r#"
data = { train = ["all.tsv"], evaluate_fraction = 0.2 }
tokenizer.kind = "byte"
objective = { kind = "contrastive", temperature = { kind = "fixed", value = 0.1 } }
model = { width = 16, depth = 1, max_length = 16, mixer = { kind = "softmax_attention", heads = 2 }, initialisation = { kind = "lecun" } }
optimizer = { kind = "adamw", learning_rate = 1e-2 }
schedule = { kind = "cosine", warmup = 2 }
train = { steps = 80, batch = 16, length = 16 }
evaluate = { every = 0, batch = 16 }
checkpoint.every = 0
sample.every = 0
"#;

/// Words of one of six kinds beside words of the same kind; the kind is the label, and the score is high for one's own.
fn desk() -> Desk {
    let desk = Desk::new();
    let kinds = ["aa", "bb", "cc", "dd", "ee", "ff"];
    let row = |i: usize| format!("{kind}{i}\t{i}{kind}\t{i} {kind}\t{}\n", i % 6, kind = kinds[i % 6]);
    let rows: String = (0..90).map(row).collect();
    desk.write("all.tsv", format!("source\ttarget\ttext\tlabel\n{rows}"));
    let scored = |i: usize| {
        let other = kinds[(i + i % 2) % 6];
        format!("{}{i}\t{other}{i}\t{}\n", kinds[i % 6], if i.is_multiple_of(2) { 4.5 } else { 0.5 })
    };
    let rows: String = (0..24).map(scored).collect();
    desk.write("scored.tsv", format!("source\ttarget\tscore\n{rows}"));
    desk.write("config.toml", CONFIG);
    desk
}

fn quality(desk: &Desk, arguments: &[&str]) -> Value {
    let ended = desk.good(&[&["eval"], arguments, &["--json"]].concat());
    serde_json::from_str(&ended.stdout).expect("JSON")
}

#[test]
fn pairs_are_measured_by_what_they_find() {
    let desk = desk();
    desk.good(&["train", "config.toml", "--out", "run"]);
    let own = quality(&desk, &["run"]);
    assert_eq!(own["examples"], 18);
    let recall: Vec<f64> = own["recall"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    assert!(recall[0] > 0.3 && recall.is_sorted(), "{recall:?}");
    assert!(own["mean_reciprocal_rank"].as_f64().unwrap() >= recall[0]);
    assert!(own["alignment"].as_f64().unwrap() >= 0.0 && own["uniformity"].as_f64().unwrap() <= 0.0);
    assert_eq!(own.get("spearman"), None);
    // The model alone on the same rows, which are the last of the file.
    let rows: Vec<String> = desk.read("all.tsv").lines().map(str::to_owned).collect();
    desk.write("last.tsv", [&rows[..1], &rows[73..]].concat().join("\n"));
    assert_eq!(quality(&desk, &["run/model", "last.tsv"]), own);
    let scored = quality(&desk, &["run", "scored.tsv", "--score-field", "score"]);
    assert!(scored["spearman"].as_f64().unwrap() > 0.5, "{scored}");
    let text = desk.good(&["eval", "run"]).stdout;
    assert!(text.contains("recall at 1") && text.contains("uniformity"), "{text}");
}

#[test]
fn labelled_texts_are_told_by_those_of_the_training() {
    let desk = desk();
    desk.good(&["train", "config.toml", "--out", "run", "--set", "objective.examples=labelled"]);
    let own = quality(&desk, &["run"]);
    for measure in ["neighbour_accuracy", "probe_accuracy"] {
        assert!(own[measure].as_f64().unwrap() > 0.5, "{measure}: {own}");
    }
    assert_eq!(own.get("recall"), None);
    // Alone, every text is told by the others.
    let alone = quality(&desk, &["run/model", "all.tsv"]);
    assert!(alone["neighbour_accuracy"].as_f64().unwrap() > 0.5, "{alone}");
    assert_eq!((alone.get("probe_accuracy"), &alone["examples"]), (None, &Value::from(90)));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let desk = desk();
    desk.good(&["train", "config.toml", "--out", "run", "--set", "train.steps=2"]);
    desk.bad(2, &["eval", "run/model"], &["run/model"]);
    desk.bad(2, &["eval", "run", "--score-field", "score"], &["run"]);
    desk.bad(2, &["eval", "run", "scored.tsv", "--score-field", "wrong"], &["scored.tsv", "wrong"]);
    desk.write("words.tsv", "source\ttarget\tscore\na\tb\t1\nc\td\thigh\n");
    desk.bad(2, &["eval", "run", "words.tsv", "--score-field", "score"], &["record 2", "`score`", "high"]);
    desk.bad(2, &["eval", "run", "--confusion", "a.svg"], &["--confusion", "an embedding model"]);
    desk.write("one.tsv", "source\na\n");
    desk.bad(2, &["eval", "run", "one.tsv"], &["one.tsv", "target"]);
}

#[test]
fn chunks_have_the_gradient_of_the_whole_batch_and_small_batches_have_not() {
    let desk = desk();
    let sets = ["--set", "model.dropout.branch=0.1", "--set", "train.batch=12"];
    let audit = |arguments: &[&str]| -> Value {
        let ended = desk.good(&[&["audit"], arguments, &["--cached-gradients", "--json"]].concat());
        serde_json::from_str(&ended.stdout).expect("JSON")
    };
    let gaps = |report: &Value, way: &str| -> f64 {
        let gaps = report["parameters"].as_array().unwrap().iter().map(|gap| gap[way].as_f64().unwrap());
        gaps.fold(0.0, f64::max)
    };
    let report = audit(&[&["config.toml"], &sets[..]].concat());
    assert_eq!(
        (&report["batch"], &report["chunk"], &report["micro_batch"]),
        (&12.into(), &4.into(), &4.into())
    );
    assert!(gaps(&report, "cached") < 1e-10 && gaps(&report, "naive") > 1e-2, "{report}");
    desk.good(&[&["train", "config.toml", "--out", "run", "--set", "train.steps=3"], &sets[..]].concat());
    let trained = audit(&["run"]);
    assert!(gaps(&trained, "cached") < 1e-10, "{trained}");
    assert_ne!(trained["losses"], report["losses"], "the weights are those of the run");
    let text = desk.good(&["audit", "run", "--cached-gradients"]).stdout;
    assert!(text.ends_with("the gradient in chunks is that of the whole batch\n"), "{text}");
    desk.write(
        "lm.toml",
        "data.train = [\"text.txt\"]\ntokenizer.kind = \"byte\"\nmodel.mixer.kind = \"softmax_attention\"\n",
    );
    desk.bad(2, &["audit", "lm.toml", "--cached-gradients"], &["--cached-gradients", "contrastive"]);
}

#[test]
fn images_are_learned_from_two_views_and_measured_by_their_classes() {
    let desk = Desk::new();
    let labels: Vec<u8> = (0..48).map(|i| i % 2).collect();
    write_images(&desk, &labels);
    desk.write(
        "config.toml",
        r#"
data = { train = ["t-images-idx3-ubyte"], evaluate_fraction = 0.25, augment = { flip = true, noise = 0.5 } }
objective = { kind = "contrastive", examples = "images", chunk = 5 }
model = { width = 16, depth = 1, patch.size = 2, mixer = { kind = "mlp_mixer" } }
optimizer = { kind = "adamw", learning_rate = 1e-2 }
train = { steps = 20, batch = 8 }
evaluate.batch = 8
"#,
    );
    let told = desk.good(&["train", "config.toml", "--out", "run", "--dry-run"]).stdout;
    assert!(told.contains("images of 4 × 4 × 1, 36 to train on, 12 held out"), "{told}");
    desk.good(&["train", "config.toml", "--out", "run"]);
    let last = desk.read("run/metrics.jsonl").lines().last().unwrap().to_owned();
    let last: Value = serde_json::from_str(&last).unwrap();
    assert!(last["accuracy"].as_f64().unwrap() > 0.9 && last["geometry"]["uniformity"].is_number(), "{last}");

    let own = quality(&desk, &["run"]);
    assert_eq!(own["examples"], 12);
    assert!(own["probe_accuracy"].as_f64().unwrap() > 0.6, "{own}");
    let files = quality(&desk, &["run/model", "t-images-idx3-ubyte"]);
    assert_eq!((files["examples"].as_u64(), files.get("probe_accuracy")), (Some(48), None), "{files}");
    assert!(files["neighbour_accuracy"].as_f64().unwrap() > 0.9);

    desk.good(&["audit", "run"]);
    desk.good(&["audit", "config.toml", "--cached-gradients"]);
    desk.bad(2, &["embed", "run", "text.txt"], &["embeds images, not texts"]);
    desk.bad(2, &["export", "run", "--out", "x"], &["embeds images, not texts"]);
    let texts = ["train", "config.toml", "--out", "b", "--set", "data.train=[\"text.txt\"]"];
    desk.bad(2, &texts, &["text.txt is plain text"]);
    let pairs = ["train", "config.toml", "--out", "b", "--set", "objective.examples=labelled"];
    desk.bad(2, &pairs, &["holds images; text is needed here"]);
    let mixed = ["train", "config.toml", "--out", "b", "--set", "data.augment.mixup=0.2"];
    desk.bad(2, &mixed, &["data.augment.mixup", "a view of neither"]);
    assert!(!desk.exists("b"));
}

/// All rows at once take 2.2 GiB; `configs/bench/pairs-65536.toml` is the same with sixteen times as many.
#[test]
fn four_thousand_pairs_take_little_memory_in_chunks() {
    let desk = Desk::new();
    let pairs: String = (0..4096).map(|i| format!("number {i}\t{} is one\n", i * 7919 % 100_003)).collect();
    desk.write("pairs.tsv", format!("source\ttarget\n{pairs}"));
    desk.write(
        "config.toml",
        r#"
data.train = ["pairs.tsv"]
tokenizer.kind = "byte"
objective = { kind = "contrastive", directions = "both", chunk = 128 }
model = { width = 128, depth = 2, max_length = 16, mixer = { kind = "softmax_attention" } }
train = { batch = 4096, length = 16 }
"#,
    );
    let measured = ["measure", "step", "config.toml", "--warm-up", "0", "--rounds", "1", "--json"];
    let measured: Value = serde_json::from_str(&desk.good(&measured).stdout).unwrap();
    assert!(measured["peak_rss_mib"].as_f64().unwrap() < 400.0, "{measured}");
}

/// A plan sees chunks, and a budget chooses among them: the same updates in less memory.
#[test]
fn a_budget_chooses_the_chunks() {
    let desk = desk();
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&desk.good(&[arguments, &["--json"]].concat()).stdout).expect("JSON")
    };
    let whole = json(&["plan", "config.toml"]);
    assert_eq!(
        (&whole["setting"]["chunk"], &whole["setting"]["batch"]),
        (&Value::from(32), &Value::from(16))
    );
    let chunked = json(&["plan", "config.toml", "--set", "objective.chunk={tokens=64}"]);
    let chunk = chunked["setting"]["chunk"].as_u64().unwrap();
    assert!((1..32).contains(&chunk), "{chunked}");
    let activations = |plan: &Value| plan["memory"]["activations"].as_f64().unwrap();
    assert!(activations(&chunked) < 0.5 * activations(&whole), "{chunked}");

    let planned = json(&["plan", "config.toml", "--memory", "8GiB"]);
    let proposals = planned["proposals"].as_array().unwrap();
    assert_eq!(proposals[0]["chunk"], 32, "all at once is the fastest: {planned}");
    assert!(proposals.iter().all(|proposal| proposal["batch"] == 16 && proposal["accumulation"] == 1));
    desk.bad(2, &["plan", "config.toml", "--memory", "1MiB"], &["--memory", "one row at a time needs"]);

    let sets = ["--set", "train.steps=2", "--memory", "8GiB"];
    let trained = desk.good(&[&["train", "config.toml", "--out", "run"], &sets[..]].concat());
    assert!(trained.stderr.contains("within --memory: objective.chunk=32"), "{}", trained.stderr);
    assert!(desk.read("run/config.toml").contains("chunk = 32"));
    let refused = ["train", "config.toml", "--out", "none", "--memory", "1MiB"];
    desk.bad(2, &refused, &["--memory", "one row at a time needs"]);
    assert!(!desk.exists("none"), "a refused run leaves nothing");
}

#[test]
fn chunks_are_timed_beside_the_whole_batch() {
    let desk = desk();
    let arguments = ["measure", "chunks", "config.toml", "--chunks", "8,3", "--rounds", "1"];
    let json = desk.good(&[&arguments[..], &["--json"]].concat()).stdout;
    let report: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&report["rows"], &report["examples"]), (&Value::from(32), &Value::from(16)));
    let points = report["points"].as_array().unwrap();
    let chunks: Vec<u64> = points.iter().map(|point| point["chunk"].as_u64().unwrap()).collect();
    assert_eq!(chunks, [32, 8, 3]);
    let theory: Vec<f64> = points.iter().map(|point| point["theory"].as_f64().unwrap()).collect();
    assert!((theory[0] - 1.0).abs() < 1e-12 && (theory[1] - 1.25).abs() < 1e-12, "{theory:?}");
    let mib = |index: usize| points[index]["mib"].as_f64().unwrap();
    assert!(mib(2) < mib(0), "{report}");
    let text = desk.good(&arguments).stdout;
    assert!(text.contains("all") && text.contains("theory"), "{text}");
    assert_eq!(desk.run(&["measure", "chunks", "config.toml", "--chunks", "0"]).code, Some(2));
}

/// Chunks are split over threads in parts that do not depend on their number, and added up in one order.
#[test]
fn one_thread_and_two_make_the_same_model() {
    let desk = desk();
    let sets = [
        "train.steps=3",
        "train.batch=40",
        "objective.chunk=27",
        "objective.directions=both",
        "model.width=128",
        "model.dropout.branch=0.1",
    ];
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let common: Vec<&str> = ["train", "config.toml"].into_iter().chain(sets).collect();
    for (threads, out) in [("run.threads=1", "one"), ("run.threads=2", "two")] {
        desk.good(&[&common, &["--set", threads, "--out", out][..]].concat());
    }
    assert!(desk.bytes("one/model/model.safetensors") == desk.bytes("two/model/model.safetensors"));
}
