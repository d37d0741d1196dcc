//! Whole runs of tiny generators and critics: that they learn, resume, refuse and name what is known to go wrong.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use mixlab_core::config::{Resolved, resolve};
use mixlab_core::{Diagnose, Key};

use super::assert_resumes;
use crate::{
    AdversarialFolder, Config, Interrupt, ModelFolder, Observer, Outcome, Silent, Split, TrainError,
    adversarial_task, drawn_labels, metrics, run,
};

const POINTS: &str = "data.points = \"eight_gaussians\"\n";

fn resolved(data: &str, sets: &[&str]) -> Resolved<Config> {
    let toml = r#"
        train = { steps = 12, batch = 16, clip = 0.0, log_every = 4, ema = { decay = 0.9 } }
        optimizer = { kind = "adamw", learning_rate = 1e-3, beta1 = 0.5, beta2 = 0.9, weight_decay = 0.0 }
        schedule = { kind = "linear", warmup = 0 }
        evaluate = { every = 4 }
        checkpoint = { every = 4, keep = 3, model = "last" }

        [objective]
        kind = "adversarial"
        critic_steps = 2
        latent = 3
        generator = { kind = "mlp", width = 16, depth = 2 }
        critic = { kind = "mlp", width = 16, depth = 2, activation = { kind = "leaky_relu", slope = 0.1 } }
        "#;
    let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
    resolve(&[("test.toml".into(), format!("{data}{toml}"))], &sets).unwrap()
}

/// Sixteen grey images of 8 × 8 in two classes, dark and light, as idx files.
fn write_images(folder: &Path) -> String {
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 16, 0, 0, 0, 8, 0, 0, 0, 8];
    for i in 0..16u32 {
        images.extend((0..64u32).map(|pixel| (100 * (i % 2) + (pixel * 7 + i * 13) % 100) as u8));
    }
    let mut labels = vec![0, 0, 8, 1, 0, 0, 0, 16];
    labels.extend((0..16u8).map(|i| i % 2));
    fs::write(folder.join("t-images-idx3-ubyte"), images).unwrap();
    fs::write(folder.join("t-labels-idx1-ubyte"), labels).unwrap();
    let path = folder.join("t-images-idx3-ubyte");
    format!("data = {{ train = [\"{}\"], evaluate_fraction = 0.25 }}\n", path.display())
}

const CONVOLUTIONS: [&str; 3] = [
    "objective.generator={kind=\"convolution\", width=4, stages=1}",
    "objective.critic={kind=\"convolution\", width=4, stages=1}",
    "train.batch=4",
];
const RESIDUAL: [&str; 3] = [
    "objective.generator={kind=\"residual\", width=4, stages=1}",
    "objective.critic={kind=\"residual\", width=4, stages=1}",
    "train.batch=4",
];
const PATCHES: [&str; 4] = [
    "objective.generator={kind=\"patches\"}",
    "objective.critic={kind=\"patches\"}",
    "train.batch=4",
    "model={width=8, depth=1, patch={size=4}, mixer={kind=\"mlp_mixer\"}}",
];

/// A run that was stopped and one that was not end in the same bytes: both networks, both optimisers, averages, spectral vectors.
#[test]
fn a_resumed_run_is_the_same_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let images = write_images(dir.path());
    let penalty = "objective.constraint={kind=\"gradient_penalty\", weight=0.1}";
    let spectral = "objective.constraint={kind=\"spectral_norm\"}";
    let sgd = "objective.critic_optimizer={kind=\"sgd\", learning_rate=0.01}";
    let cases: Vec<(&str, &str, Vec<&str>)> = vec![
        ("points", POINTS, vec!["objective.rescale=true"]),
        (
            "penalty",
            POINTS,
            vec![penalty, sgd, "train.ema.decay=0.0", "objective.generator.normalisation=batch"],
        ),
        ("clipping", POINTS, vec!["objective.constraint={kind=\"weight_clipping\", limit=0.1}"]),
        (
            "spectral",
            &images,
            [
                &CONVOLUTIONS[..],
                &[spectral, "objective.loss=hinge", "objective.generator.normalisation=none"],
            ]
            .concat(),
        ),
        (
            "conditional",
            &images,
            [&["objective.conditional=true", "objective.consistency=5.0"][..], &RESIDUAL].concat(),
        ),
        ("patches", &images, [&[penalty][..], &PATCHES].concat()),
    ];
    for (name, data, sets) in cases {
        let folder = dir.path().join(name);
        let mut files = vec![
            "model/config.json",
            "model/model.safetensors",
            "model/critic.safetensors",
            "checkpoints/step-00000012/optimizer.safetensors",
            "checkpoints/step-00000012/critic.optimizer.safetensors",
            "checkpoints/step-00000012/model.safetensors",
        ];
        if name == "spectral" {
            files.push("checkpoints/step-00000012/critic.spectral.safetensors");
        }
        assert_resumes(&folder, &files, |out| {
            run(&resolved(data, &sets), &folder.join(out), &mut Silent, &Interrupt::new())
        });
    }
}

/// A generator learns where the points are: their distance from real ones falls to a fraction.
#[test]
fn points_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let sets = [
        "train.steps=1000",
        "train.batch=128",
        "objective.generator.width=48",
        "objective.critic.width=48",
        "objective.critic_steps=3",
        "optimizer.learning_rate=2e-3",
        "evaluate.every=100",
        "checkpoint.every=0",
    ];
    let out = dir.path().join("a");
    assert!(matches!(
        run(&resolved(POINTS, &sets), &out, &mut Silent, &Interrupt::new()).unwrap(),
        Outcome::Finished(_)
    ));
    let lines = metrics::read_lines(&out.join("metrics.jsonl")).unwrap();
    let last = lines.iter().rfind(|line| line.split == Split::Eval).unwrap();
    // A generator that has learned nothing, one point at the centre, is about 0.9 away.
    assert!(last.energy_distance.unwrap() < 0.1, "{last:?}");
    assert!(last.modes.unwrap().coverage >= 0.5, "{last:?}");
    let terms = lines.iter().rfind(|line| line.split == Split::Train).unwrap().adversarial.unwrap();
    // Under gradient normalisation all that a critic says lies between −1 and 1.
    assert!(terms.real.abs() < 1.0 && terms.made.abs() < 1.0 && terms.critic_slope.unwrap() > 0.0);
    assert!(fs::read_to_string(out.join("samples.svg")).unwrap().starts_with("<svg"));
}

#[test]
fn images_are_made_of_every_class_and_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let images = write_images(dir.path());
    let sets = [&["objective.conditional=true"][..], &CONVOLUTIONS].concat();
    let out = dir.path().join("a");
    run(&resolved(&images, &sets), &out, &mut Silent, &Interrupt::new()).unwrap();
    assert!(fs::read(out.join("samples.png")).unwrap().starts_with(b"\x89PNG"));
    let folder = AdversarialFolder::load(&ModelFolder::locate(&out).unwrap(), &Device::flex()).unwrap();
    assert_eq!(folder.config.told_classes(), 2);
    let labels = drawn_labels(Key::root(1), 0, 5, 2);
    let samples = folder.samples(Key::root(1), 0, &labels);
    assert_eq!(samples.dims(), [5, 8, 8, 1]);
    assert!(samples.clone().abs().max().into_scalar::<f32>() <= 1.0);
    assert_eq!(folder.told(samples, &labels).dims(), [5, 8, 8, 3]);
}

fn refused(data: &str, sets: &[&str]) -> TrainError {
    adversarial_task(&resolved(data, sets).value, &mut Silent).err().expect("a refusal")
}

#[test]
fn what_cannot_be_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let images = write_images(dir.path());
    let smooth = "objective.critic.activation={kind=\"softplus\"}";
    let of_points: Vec<(Vec<&str>, &str)> = vec![
        (vec!["objective.latent=0"], "objective.latent"),
        (vec!["objective.critic_steps=0"], "objective.critic_steps"),
        (vec!["objective.constraint={kind=\"gradient_penalty\", weight=0.0}"], "objective.constraint.weight"),
        (vec!["objective.constraint={kind=\"weight_clipping\", limit=-1.0}"], "objective.constraint.limit"),
        (vec![smooth, "objective.generator_gradient=first_order"], "a smooth critic"),
        (vec![smooth, "objective.rescale=true"], "objective.rescale"),
        (vec!["objective.constraint={kind=\"r1\"}", "objective.rescale=true"], "scale of the critic"),
        (vec!["objective.critic.normalisation=batch"], "the others of the batch"),
        (vec!["objective.conditional=true"], "points have no classes"),
        (vec!["objective.consistency=1.0"], "objective.consistency"),
        (vec!["train.accumulation=2"], "train.accumulation"),
    ];
    let of_images: Vec<(Vec<&str>, &str)> = vec![
        (vec!["data.image.mean=[0.5]"], "tanh"),
        (vec!["objective.critic={kind=\"convolution\", stages=4}"], "height of a sample"),
        ([&PATCHES[..], &["model.mixer={kind=\"fnet\"}"]].concat(), "derivative along a direction"),
        ([&PATCHES[..], &["model.residual={kind=\"post_norm\"}"]].concat(), "pre_norm"),
        ([&PATCHES[..], &["model.patch.size=3"]].concat(), "model.patch.size"),
    ];
    let of_points = of_points.into_iter().map(|case| (POINTS, case));
    let of_images = of_images.into_iter().map(|case| (images.as_str(), case));
    for (data, (sets, words)) in of_points.chain(of_images) {
        let error = refused(data, &sets);
        let told = format!("{error} {}", error.hint().unwrap_or_default());
        assert!(told.contains(words), "{sets:?}: {told}");
        assert!(error.hint().is_some(), "{sets:?} has no hint");
    }
    // A model is needed everywhere else, and only there.
    let mut config = resolved(POINTS, &[]).value;
    config.objective = crate::ObjectiveConfig::CausalLm;
    assert!(config.validate().unwrap_err().to_string().contains("model.mixer.kind"));
}

struct Heard(Vec<String>);

impl Observer for Heard {
    fn notice(&mut self, message: &str) {
        self.0.push(message.to_owned());
    }
}

#[test]
fn known_traps_are_named_before_the_run() {
    let smooth = "objective.critic.activation={kind=\"tanh\"}";
    for (sets, words) in [
        (&["objective.loss=hinge"][..], "the hinge loss is the Wasserstein loss"),
        (&[smooth], "the critic is smooth"),
        (&["objective.constraint={kind=\"spectral_norm\"}"], "not to train"),
        (&["objective.constraint={kind=\"none\"}"], "nothing bounds the critic"),
        (&["objective.constraint={kind=\"gran\"}"], "GraN bounds the slope"),
        (
            &["objective.constraint={kind=\"weight_clipping\"}", "objective.critic.depth=3"],
            "says the same everywhere",
        ),
    ] {
        let mut heard = Heard(Vec::new());
        adversarial_task(&resolved(POINTS, sets).value, &mut heard).unwrap();
        assert!(heard.0.iter().any(|message| message.contains(words)), "{sets:?}: {:?}", heard.0);
    }
    let mut heard = Heard(Vec::new());
    adversarial_task(&resolved(POINTS, &[]).value, &mut heard).unwrap();
    assert_eq!(heard.0, Vec::<String>::new());
}

/// A loss that is no number is skipped by the guard, logged and, when it does not end, stops the run.
#[test]
fn an_exploding_run_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let sets =
        ["objective.constraint={kind=\"none\"}", "optimizer.learning_rate=1e25", "train.guard.patience=3"];
    let error =
        run(&resolved(POINTS, &sets), &dir.path().join("a"), &mut Silent, &Interrupt::new()).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
}
