//! Generators from the command line: trained, measured, sampled from, killed and resumed, and what can go wrong.

mod support;

use support::{Desk, assert_same_run, write_images};

const POINTS: &str = r#"
data.points = "twenty_five_gaussians"
train = { steps = 20, batch = 16, clip = 0.0, ema.decay = 0.9 }
optimizer = { kind = "adamw", learning_rate = 1e-3, weight_decay = 0.0 }
evaluate = { every = 10 }
checkpoint = { every = 5, model = "last" }

[objective]
kind = "adversarial"
latent = 2
critic_steps = 2
generator = { kind = "mlp", width = 8, depth = 2 }
critic = { kind = "mlp", width = 8, depth = 2, activation = { kind = "leaky_relu" } }
"#;

const IMAGES: &str = r#"
data = { train = ["t-images-idx3-ubyte"], evaluate_fraction = 0.25 }
train = { steps = 4, batch = 4, clip = 0.0 }
optimizer = { kind = "adamw", learning_rate = 1e-3, weight_decay = 0.0 }
evaluate = { every = 2 }
checkpoint = { every = 2, model = "last" }

[objective]
kind = "adversarial"
latent = 3
critic_steps = 1
conditional = true
generator = { kind = "mlp", width = 8, depth = 1 }
critic = { kind = "mlp", width = 8, depth = 1, activation = { kind = "leaky_relu" } }
"#;

const CLASSIFIER: &str = r#"
data = { train = ["t-images-idx3-ubyte"], evaluate_fraction = 0.25 }
objective.kind = "classification"
model = { width = 8, depth = 1, patch.size = 2, mixer = { kind = "mlp_mixer" } }
train = { steps = 2, batch = 4 }
"#;

fn points() -> Desk {
    let desk = Desk::new();
    desk.write("run.toml", POINTS);
    desk
}

fn images() -> Desk {
    let desk = Desk::new();
    let labels: Vec<u8> = (0..32).map(|i| i % 2).collect();
    write_images(&desk, &labels);
    desk.write("run.toml", IMAGES);
    desk.write("classifier.toml", CLASSIFIER);
    desk
}

#[test]
fn points_are_trained_measured_and_drawn() {
    let desk = points();
    let told = desk.good(&["train", "run.toml", "--out", "runs/a"]).stderr;
    assert!(told.contains("energy distance") && told.contains("% of the modes"), "{told}");
    assert!(!told.contains("nats"), "a generator has no likelihood: {told}");
    assert!(desk.read("runs/a/samples.svg").starts_with("<svg"));
    assert!(desk.read("runs/a/curves.svg").contains("loss of the critic"));

    let text = desk.good(&["eval", "runs/a", "--samples", "500"]).stdout;
    assert!(text.contains("500 real, 500 made") && text.contains("modes covered"), "{text}");
    let json = desk.good(&["eval", "runs/a", "--json"]).stdout;
    let measured: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(measured["energy_distance"].is_number() && measured["coverage"].is_number(), "{json}");

    let text = desk.good(&["measure", "lipschitz", "runs/a", "--samples", "50", "--chart", "l.svg"]).stdout;
    assert!(text.contains("slope almost everywhere") && text.contains("between, 0.05"), "{text}");
    assert!(desk.read("l.svg").starts_with("<svg"));
    let json =
        desk.good(&["measure", "lipschitz", "runs/a", "--samples", "50", "--radii", "0.1", "--json"]).stdout;
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    for place in report["places"].as_array().unwrap() {
        assert!(place["slopes"]["greatest"].as_f64().unwrap() <= 1.0 + 1e-5, "{place}");
        assert_eq!(place["secants"].as_array().unwrap().len(), 1);
    }
    assert_eq!(report["layers"].as_array().unwrap().len(), 3);
    assert!(!report["history"].as_array().unwrap().is_empty());

    let lines = desk.good(&["gan", "sample", "runs/a", "--count", "3"]).stdout;
    for line in lines.lines() {
        let sample: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(sample["sample"].as_array().unwrap().len(), 2);
    }
    assert_eq!(lines.lines().count(), 3);
    assert_eq!(lines, desk.good(&["gan", "sample", "runs/a", "--count", "3"]).stdout, "the same seed");
    desk.good(&["gan", "sample", "runs/a", "--out", "p.svg"]);
    assert!(desk.read("p.svg").starts_with("<svg"));
    desk.good(&["gan", "sample", "runs/a", "--count", "5", "--out", "p.npy"]);
    assert!(desk.bytes("p.npy").starts_with(b"\x93NUMPY"));
    desk.good(&["measure", "step", "run.toml", "--rounds", "1"]);
    let json = desk.good(&["measure", "turns", "run.toml", "--rounds", "3", "--json"]).stdout;
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    // Two turns of the critic for each of the generator.
    assert_eq!(report["critic"]["all_ms"].as_array().unwrap().len(), 6);
    assert_eq!(report["generator"]["all_ms"].as_array().unwrap().len(), 3);
}

#[test]
fn images_are_sampled_by_class_and_compared_in_named_features() {
    let desk = images();
    desk.good(&["train", "run.toml", "--out", "runs/a"]);
    desk.good(&["train", "classifier.toml", "--out", "runs/c"]);
    assert!(desk.bytes("runs/a/samples.png").starts_with(b"\x89PNG"));
    desk.good(&[
        "gan",
        "sample",
        "runs/a",
        "--class",
        "1",
        "--count",
        "4",
        "--columns",
        "2",
        "--out",
        "a.png",
    ]);
    assert!(desk.bytes("a.png").starts_with(b"\x89PNG"));
    desk.good(&["gan", "sample", "runs/a", "--interpolate", "5", "--count", "2", "--out", "walk.png"]);
    assert!(desk.bytes("walk.png").starts_with(b"\x89PNG"));

    let text = desk.good(&["eval", "runs/a", "--features", "runs/c"]).stdout;
    assert!(text.contains("in the features of") && text.contains("Fréchet distance"), "{text}");
    assert!(!text.contains("FID"));
    desk.bad(2, &["eval", "runs/a", "--features", "runs/c", "--samples", "5"], &["is 5", "6 or more"]);

    desk.bad(2, &["gan", "sample", "runs/a", "--class", "9", "--out", "b.png"], &["--class", "one of 0, 1"]);
    desk.bad(2, &["gan", "sample", "runs/a", "--out", "b.svg"], &["--out", ".png"]);
    desk.bad(2, &["gan", "sample", "runs/a", "--out", "a.png"], &["a.png", "exists already"]);
    desk.bad(2, &["gan", "sample", "runs/a", "--interpolate", "1"], &["--interpolate"]);
    desk.bad(2, &["gan", "sample", "runs/c"], &["a classifier", "expected a generator"]);
    desk.bad(2, &["generate", "runs/a", "x"], &["a generator", "mixlab gan"]);
    desk.bad(2, &["eval", "runs/c", "--features", "runs/c"], &["--features", "a generator"]);
    desk.bad(2, &["measure", "lipschitz", "runs/c"], &["expected a generator"]);
    desk.bad(2, &["plan", "run.toml"], &["objective.kind = \"adversarial\"", "measure step"]);
}

/// A feature net that was trained on something else is named.
#[test]
fn features_of_other_data_are_refused() {
    let desk = images();
    desk.good(&["train", "run.toml", "--out", "runs/a"]);
    let labels: Vec<u8> = (0..32).map(|i| i % 3).collect();
    write_images(&desk, &labels);
    desk.good(&["train", "classifier.toml", "--out", "runs/three"]);
    desk.bad(
        2,
        &["eval", "runs/a", "--features", "runs/three"],
        &["the classes 0, 1, 2", "the classes 0, 1", "other data"],
    );
}

#[test]
fn a_killed_run_ends_as_if_nothing_had_happened() {
    let desk = points();
    let long = ["--set", "train.steps=120", "--set", "checkpoint.every=7"];
    desk.good(&[&["train", "run.toml", "--out", "runs/whole"][..], &long].concat());
    for at in [23, 71] {
        let killed = format!("runs/killed-{at}");
        let mut child = desk.start(&[&["train", "run.toml", "--out", &killed][..], &long].concat());
        desk.wait_for(&mut child, &killed, at);
        let _ = child.kill();
        child.wait().expect("the killed program");
        desk.good(&["resume", &killed]);
        assert_same_run(&desk, "runs/whole", &killed);
    }
}

#[test]
fn what_a_user_can_get_wrong_is_named() {
    let desk = points();
    let refused = |set: &str, words: &[&str]| {
        desk.bad(2, &["train", "run.toml", "--out", "runs/refused", "--set", set], words);
        assert!(!desk.exists("runs/refused"), "a refused run leaves nothing");
    };
    refused("data.points=nine_gaussians", &["data.points", "nine_gaussians"]);
    refused("objective.latent=0", &["`objective.latent` is 0"]);
    refused("objective.constraint.kind=gp", &["gp"]);
    refused("objective.critic.kind=convolution", &["height of a sample"]);
    refused("objective.kind=causal_lm", &["model.mixer.kind", "mixlab blocks list"]);
}
