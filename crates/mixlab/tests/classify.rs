//! From labelled files to accuracy, and what a user can get wrong on the way.

mod support;

use support::{Desk, images, write_images};

const RUN: &str = r#"
data.train = ["t-images-idx3-ubyte"]
data.evaluate_fraction = 0.25
objective.kind = "classification"
model = { width = 16, depth = 2, patch.size = 2, mixer = { kind = "mlp_mixer" } }
optimizer = { kind = "adamw", learning_rate = 1e-2 }
train = { steps = 40, batch = 8 }
evaluate = { every = 20, batch = 4 }
checkpoint = { every = 20 }
"#;

fn desk() -> Desk {
    let desk = Desk::new();
    let labels: Vec<u8> = (0..16).map(|i| i % 2).collect();
    write_images(&desk, &labels);
    desk.write("run.toml", RUN);
    desk
}

#[test]
fn a_classifier_is_trained_measured_planned_and_audited() {
    let desk = desk();
    let told = desk.good(&["train", "run.toml", "--out", "runs/a", "--json"]);
    let summary: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(summary["accuracy"], 1.0, "{}", told.stderr);
    assert!(told.stderr.contains("nats/example, accuracy 100.00 %"), "{}", told.stderr);
    assert!(desk.read("runs/a/confusion.svg").contains("accuracy 100.0 % of 4"));

    let text = desk.good(&["eval", "runs/a", "--confusion", "c.svg"]).stdout;
    assert!(text.contains("accuracy  100.00 % of 4"), "{text}");
    assert!(desk.read("c.svg").starts_with("<svg"));
    let json = desk.good(&["eval", "runs/a/model", "t-images-idx3-ubyte", "--json"]).stdout;
    let measured: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((measured["examples"].as_u64(), measured["accuracy"].as_f64()), (Some(16), Some(1.0)));
    assert_eq!(measured["counts"], serde_json::json!([[8, 0], [0, 8]]));

    let plan = desk.good(&["plan", "run.toml", "--json"]).stdout;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert!(plan["memory"]["activations"].as_f64().unwrap() > 0.0, "{plan}");
    assert!(plan["milliseconds"].as_f64().unwrap() > 0.0);
    let sizes = |part: &str| plan["parameters"][part].as_u64().unwrap();
    // Patches of 4 numbers; tokens 4 → 8 → 4 in both blocks; a readout of two classes.
    assert_eq!((sizes("embedding"), sizes("mixers"), sizes("head")), (4 * 16 + 16, 2 * 76, 34));
    assert!(desk.good(&["audit", "runs/a"]).stdout.contains("padding-safe"));
}

#[test]
fn a_plan_proposes_what_fits_and_refuses_what_cannot() {
    let desk = desk();
    let json = desk.good(&["plan", "run.toml", "--memory", "4GiB", "--json"]).stdout;
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    let proposals = plan["proposals"].as_array().unwrap();
    assert!(!proposals.is_empty());
    for proposal in proposals {
        let rows = proposal["batch"].as_u64().unwrap() * proposal["accumulation"].as_u64().unwrap();
        assert_eq!(rows, 8, "the same updates: {proposal}");
    }
    desk.bad(2, &["plan", "run.toml", "--memory", "1MiB"], &["--memory", "one row at a time needs"]);
    desk.bad(2, &["plan", "run.toml", "--memory", "much"], &["--memory", "a size such as 2GiB"]);
}

/// Training fails with code 2, says `words`, and leaves no run folder behind.
#[track_caller]
fn refused(desk: &Desk, sets: &[&str], words: &[&str]) {
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let arguments: Vec<&str> =
        ["train", "run.toml", "--out", "runs/refused"].into_iter().chain(sets).collect();
    desk.bad(2, &arguments, words);
    assert!(!desk.exists("runs/refused"), "a refused run leaves nothing");
}

#[test]
fn examples_that_do_not_fit_are_refused_with_the_remedy() {
    let desk = desk();
    refused(&desk, &["model.patch.size=3"], &["model.patch.size", "does not divide"]);
    refused(&desk, &["objective.label_smoothing=1"], &["objective.label_smoothing"]);
    desk.write("b-images-idx3-ubyte", &desk.bytes("t-images-idx3-ubyte")[..100]);
    desk.write("b-labels-idx1-ubyte", desk.bytes("t-labels-idx1-ubyte"));
    refused(&desk, &["data.train=[\"b-images-idx3-ubyte\"]"], &["b-images-idx3-ubyte"]);
    // A class that was never trained on.
    let (pixels, classes) = images(&[0, 1, 7]);
    desk.write("e-images-idx3-ubyte", pixels);
    desk.write("e-labels-idx1-ubyte", classes);
    refused(&desk, &["data.evaluate=[\"e-images-idx3-ubyte\"]"], &["7"]);
    desk.write("photos/a/x.png", b"\x89PNG\r\n\x1a\nbut not really");
    desk.write("photos/b/y.png", b"neither");
    refused(&desk, &["data.train=[\"photos\"]"], &["photos"]);

    desk.good(&["train", "run.toml", "--out", "runs/a", "--set", "train.steps=2"]);
    let mut wide = vec![0, 0, 8, 3];
    [2u32, 4, 5].iter().for_each(|size| wide.extend(size.to_be_bytes()));
    wide.extend([7; 40]);
    desk.write("w-images-idx3-ubyte", wide);
    desk.write("w-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, 2, 0, 1]);
    desk.bad(2, &["eval", "runs/a", "w-images-idx3-ubyte"], &["w-images-idx3-ubyte", "4"]);
    desk.bad(2, &["generate", "runs/a", "It"], &["a classifier", "a language model"]);
}

#[test]
fn mixers_are_refused_where_their_mathematics_ends() {
    let desk = Desk::new();
    desk.write("run.toml", support::TINY);
    let kind = |kind: &str| format!("model.mixer={{kind=\"{kind}\"}}");
    for mixer in ["mlp_mixer", "ff_only", "fnet", "external_attention"] {
        refused(&desk, &[&kind(mixer)], &[mixer, "causal", "masked_lm"]);
    }
    let masked = "objective.kind=masked_lm";
    refused(&desk, &[&kind("gmlp"), masked, "model.max_length=64"], &["gmlp", "64", "model.mixer.length"]);
    refused(&desk, &[&kind("res_mlp"), "model.mixer.length=interpolate"], &["res_mlp", "block_diagonal"]);
}
