//! Whole runs of tiny text VAEs: that they give sentences back, resume, refuse and warn, and what is done with them afterwards.

use std::fs;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use mixlab_core::Diagnose;
use mixlab_core::config::{Resolved, resolve};
use mixlab_data::Documents;

use super::assert_resumes;
use crate::text_vae::unheard;
use crate::{
    Config, Draw, Interrupt, Latents, ModelFolder, Observer, Outcome, QualityOptions, SamplingConfig, Silent,
    Split, TextVaeFolder, TrainError, Writing, describe, metrics, run, text_vae_task,
};

const GAUSSIAN: &str = "objective.posterior={kind=\"gaussian\"}";
const NORMALISED: &str = "objective.posterior={kind=\"gaussian\", batch_norm=0.8}";
const GAU: &str = "model.mixer={kind=\"gau\", normaliser={kind=\"softmax\"}, key_width=8}";

/// Sentences of two words and a sign, in no order: 6 · 6 · 2 of them.
fn write_sentences(folder: &Path) {
    let words = ["ant", "bee", "cat", "dog", "eel", "fox"];
    let text = |i: usize| {
        let i = i * 35 % 72;
        format!("{} {}{}\n", words[i % 6], words[i / 6 % 6], ["!", "."][i / 36])
    };
    fs::write(folder.join("text.txt"), (0..72).map(text).collect::<String>()).unwrap();
}

fn resolved(folder: &Path, sets: &[&str]) -> Resolved<Config> {
    let toml = format!(
        r#"
        data = {{ train = ["{}"], document_separator = "line", evaluate_fraction = 0.15 }}
        tokenizer = {{ kind = "bpe", vocabulary = 300 }}
        objective = {{ kind = "text_vae", latent = {{ layers = 2, width = 8 }} }}
        model = {{ width = 32, depth = 3, max_length = 12, embedding = {{ types = 2 }}, mixer = {{ kind = "softmax_attention", heads = 2 }}, initialisation = {{ kind = "lecun" }} }}
        optimizer = {{ kind = "adamw", learning_rate = 3e-3 }}
        schedule = {{ kind = "cosine", warmup = 2 }}
        train = {{ steps = 12, batch = 6, length = 8, accumulation = 2, log_every = 4, ema = {{ decay = 0.9 }} }}
        evaluate = {{ every = 4, batch = 5 }}
        checkpoint = {{ every = 4, keep = 3 }}
        sample = {{ every = 6 }}
        "#,
        folder.join("text.txt").display(),
    );
    let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
    resolve(&[("test.toml".into(), toml)], &sets).unwrap()
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_sentences(dir.path());
    dir
}

fn train(folder: &Path, out: &str, sets: &[&str]) -> Result<Outcome, TrainError> {
    run(&resolved(folder, sets), &folder.join(out), &mut Silent, &Interrupt::new())
}

fn load(folder: &Path, run: &str) -> TextVaeFolder {
    let path = ModelFolder::locate(&folder.join(run)).unwrap();
    TextVaeFolder::load(&path, &Device::flex()).unwrap()
}

/// Options of a run that is long enough to learn something.
const LONGER: [&str; 7] = [
    "train.steps=700",
    "train.batch=32",
    "train.accumulation=1",
    "train.ema.decay=0.0",
    "evaluate.every=350",
    "checkpoint.every=0",
    "checkpoint.model=last",
];

/// Sentences come back, and it is the latents that bring them: guesses without them have less than half of the tokens right.
#[test]
fn sentences_come_back_through_their_latents() {
    let dir = folder();
    let long = |sets: &[&'static str]| [&LONGER[..], sets].concat();
    let sharp = "objective.posterior.concentration=100.0";
    for (out, right, sets) in [
        ("sphere", 0.9, &[sharp][..]),
        ("gau", 0.6, &[GAU, "model.depth=4", sharp]),
        ("gaussian", 0.6, &[GAUSSIAN, "objective.beta=0.02", "objective.annealing={zero=0.1, rise=0.2}"]),
    ] {
        train(dir.path(), out, &long(sets)).unwrap();
        let lines = metrics::read_lines(&dir.path().join(out).join("metrics.jsonl")).unwrap();
        let last = lines.iter().rfind(|line| line.split == Split::Eval).unwrap();
        let (terms, targets) = (last.terms.unwrap(), last.tokens as f64 / 11.0);
        assert!((last.loss.unwrap() * targets - terms.reconstruction - terms.divergence).abs() < 1e-9);

        let model = load(dir.path(), out);
        let all = fs::read_to_string(dir.path().join("text.txt")).unwrap();
        let data = model.sentences(&all.lines().collect(), 16).unwrap();
        let options = QualityOptions { draws: 5, samples: 30, ..QualityOptions::default() };
        let quality = model.quality(&data, options).unwrap();
        assert!(quality.from_means.tokens > right, "{out}: {:?}", quality.from_means);
        assert!(quality.from_means.tokens >= quality.from_means.exact);
        let usage = quality.usage.unwrap();
        assert!(usage.rise_by_other > 6.0 && usage.layers.len() == 2, "{out}: {usage:?}");
        // More draws make the bound tighter.
        let (one, five) = (quality.evidence_lower_bound, quality.importance_weighted.unwrap());
        assert!(five.nats_per_sentence > one.nats_per_sentence, "{out}: {one:?} {five:?}");
        let samples = quality.samples.unwrap();
        assert!(samples.ended > 0.8 && samples.distinct_texts > 0.2, "{out}: {samples:?}");
    }
}

/// A run that was stopped and one that was not end in the same bytes.
#[test]
fn a_resumed_run_is_the_same_to_the_byte() {
    for sets in [
        &["model.dropout.branch=0.1"][..],
        &["objective.posterior={kind=\"power_spherical\"}", GAU],
        &["objective.latent.whitening=true", "train.accumulation=1"],
        &[NORMALISED, "train.accumulation=1", "objective.free_bits=0.1"],
        &["objective.reference_loss=true", "objective.concentration_annealing={from=300.0, until=0.8}"],
    ] {
        let dir = folder();
        let files = ["model/model.safetensors", "model/config.json", "samples.txt"];
        assert_resumes(dir.path(), &files, |out| train(dir.path(), out, sets));
        let samples = fs::read_to_string(dir.path().join("halves/samples.txt")).unwrap();
        assert!(samples.contains("returned:") && samples.contains("made up:"), "{samples}");
    }
}

/// One batch of twelve, two of six, twelve of one: the same gradient, draws included, though pieces are padded to other lengths.
#[test]
fn the_gradient_does_not_depend_on_how_it_is_computed() {
    let dir = folder();
    fs::write(
        dir.path().join("text.txt"),
        "a b c d\ne\nfox and dog\nbee\nant ant\neel, fox. dog\n".repeat(4),
    )
    .unwrap();
    for set in ["objective.beta=1.0", GAUSSIAN, "objective.reference_loss=true"] {
        let gradient = |batch: &str, accumulation: &str| -> Vec<(String, Tensor<1>)> {
            let sets = [batch, accumulation, set, "run.precision=f64", "model.dropout.branch=0.1"];
            let config = resolved(dir.path(), &sets).value;
            text_vae_task(&config, None, &mut Silent).unwrap().gradient(3).1.into_iter().collect()
        };
        let whole = gradient("train.batch=12", "train.accumulation=1");
        for (batch, accumulation) in
            [("train.batch=6", "train.accumulation=2"), ("train.batch=1", "train.accumulation=12")]
        {
            for ((path, expected), (other, found)) in whole.iter().zip(gradient(batch, accumulation)) {
                assert_eq!(*path, other);
                let difference: Tensor<1> = (expected.clone() - found).abs().max();
                assert!(difference.into_scalar::<f64>() < 1e-12, "{path}, {set}, {batch}");
            }
        }
    }
}

/// The running moments follow those of the batches, are saved with the model and average, and keep the divergence up: half of γ² for every
/// number of a latent at least.
#[test]
fn normalised_means_cannot_collapse() {
    let dir = folder();
    let sets =
        [NORMALISED, "train.accumulation=1", "train.batch=32", "train.steps=60", "objective.beta=20.0"];
    let divergence = |out: &str, sets: &[&str]| {
        train(dir.path(), out, sets).unwrap();
        let lines = metrics::read_lines(&dir.path().join(out).join("metrics.jsonl")).unwrap();
        lines.iter().rfind(|line| line.split == Split::Train).unwrap().terms.unwrap().divergence
    };
    let least = 2.0 * 8.0 * 0.5 * 0.8 * 0.8;
    assert!(divergence("normalised", &sets) > 0.99 * least);
    assert!(divergence("plain", &[&[GAUSSIAN], &sets[1..]].concat()) < 0.5 * least);
    let running = load(dir.path(), "normalised").folder.model.running_moments();
    assert_eq!(running.len(), 2);
    for ([path, _], moments) in running {
        assert!(path.ends_with("normalisation.mean"));
        assert!(moments.mean.abs().max().into_scalar::<f64>() > 1e-3, "{path} has not moved");
    }
}

#[derive(Default)]
struct Heard(Vec<String>);

impl Observer for Heard {
    fn notice(&mut self, message: &str) {
        self.0.push(message.to_owned());
    }
}

/// A weight that presses all divergence out leaves latents that no one listens to, and the run says so with what to do.
#[test]
fn a_run_says_what_is_wrong_with_its_latents() {
    let dir = folder();
    let mut heard = Heard::default();
    let sets = [GAUSSIAN, "objective.beta=50.0", "train.steps=40", "evaluate.every=20"];
    run(&resolved(dir.path(), &sets), &dir.path().join("out"), &mut heard, &Interrupt::new()).unwrap();
    let ignored: Vec<&String> =
        heard.0.iter().filter(|notice| notice.contains("hardly uses the latents")).collect();
    assert!(ignored.len() == 1 && ignored[0].contains("objective.free_bits"), "{:?}", heard.0);
}

#[test]
fn long_sentences_and_whole_files_are_told() {
    let dir = folder();
    fs::write(
        dir.path().join("text.txt"),
        "one, two three four five six\nthe end\nxx yy zz qq rr ss tt uu\n",
    )
    .unwrap();
    let told = |sets: &[&str]| {
        let mut heard = Heard::default();
        let sets =
            [&["tokenizer={kind=\"byte\"}", "data.evaluate_fraction=0.0", "train.length=10"], sets].concat();
        text_vae_task(&resolved(dir.path(), &sets).value, None, &mut heard).unwrap();
        heard.0.join("\n")
    };
    let lines = told(&[]);
    assert!(
        lines.contains("2 of 3 sentences") && lines.contains("1 behind punctuation and 1 between"),
        "{lines}"
    );
    assert!(told(&["data.document_separator=file"]).contains("document_separator = \"line\""));
    let rare = told(&["tokenizer={kind=\"character\", minimum_count=5}"]);
    assert!(!rare.contains("spelled"), "ASCII is always known: {rare}");
    fs::write(dir.path().join("text.txt"), "好好好好好人\n好好\n").unwrap();
    let rare = told(&["tokenizer={kind=\"character\", minimum_count=5}", "train.length=12"]);
    assert!(rare.contains("spelled in bytes: 1 in 2"), "{rare}");
}

#[test]
fn what_cannot_be_is_refused_with_the_remedy() {
    let dir = folder();
    for (sets, part) in [
        (&["objective.latent.layers=4"][..], "objective.latent.layers"),
        (&["objective.latent.layers=0"], "1 to 3"),
        (&["objective.posterior.concentration=0.0"], "objective.posterior.concentration"),
        (&["objective.posterior.concentration=-3.0"], "above 0"),
        (&["objective.latent.width=1"], "a latent is a direction"),
        (&["objective.beta=-1.0"], "objective.beta"),
        (&["objective.free_bits=0.5"], "a constant"),
        (&["objective.annealing.rise=0.5"], "objective.annealing"),
        (&[GAUSSIAN, "objective.annealing={zero=0.7, rise=0.6}"], "objective.annealing.rise"),
        (&[GAUSSIAN, "objective.reference_loss=true"], "no divergence"),
        (&[GAUSSIAN, "objective.concentration_annealing={}"], "no concentration"),
        (&["objective.concentration_annealing={from=0.0}"], "objective.concentration_annealing.from"),
        (&["objective.concentration_annealing={until=1.5}"], "objective.concentration_annealing.until"),
        (&[NORMALISED], "train.accumulation = 2"),
        (&["objective.latent.whitening=true"], "train.accumulation = 2"),
        (&[GAUSSIAN, "objective.latent.whitening=true", "train.accumulation=1"], "batch_norm"),
        (&["objective.posterior={kind=\"gaussian\", batch_norm=0.0}", "train.accumulation=1"], "batch_norm"),
        (&["model.recompute=1"], "model.recompute"),
        (&["model.mixer={kind=\"flash\"}"], "softmax_attention"),
        (&["train.length=13"], "model.max_length"),
    ] {
        let error = resolved(dir.path(), sets).value.validate().expect_err("a mistake");
        let error = format!("{error}\n{}", error.hint().unwrap_or_default());
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    let Err(error) = text_vae_task(&resolved(dir.path(), &["train.length=2"]).value, None, &mut Silent)
    else {
        panic!("there is no room for a sentence")
    };
    assert!(error.to_string().contains("train.length"), "{error}");
    // The folder is that of no other kind of model.
    train(dir.path(), "out", &["train.steps=1"]).unwrap();
    let Err(error) = <ModelFolder>::load(&dir.path().join("out/model"), &Device::flex()) else {
        panic!("no language model")
    };
    assert!(error.to_string().contains("describes a text VAE, expected a language model"), "{error}");
}

#[test]
fn a_description_shows_the_first_sentence_and_its_length() {
    let dir = folder();
    let description = describe(&resolved(dir.path(), &[]).value).unwrap();
    let crate::DataDescription::Sentences { length, train, evaluate, text, .. } = description.data else {
        panic!("sentences")
    };
    assert_eq!((train, evaluate, description.batch), (61, 11, [2, 6, length]));
    assert!(text.ends_with(['!', '.']), "{text}");
}

/// A model that has learned nothing still has to be used rightly.
fn untrained() -> (tempfile::TempDir, TextVaeFolder) {
    let dir = folder();
    train(dir.path(), "out", &["train.steps=1"]).unwrap();
    let model = load(dir.path(), "out");
    (dir, model)
}

fn texts(texts: &[&str]) -> Documents {
    texts.iter().copied().collect()
}

#[test]
fn a_text_is_written_the_same_among_others_and_by_every_way_of_greed() {
    let (_dir, model) = untrained();
    let latents = model.encode(&texts(&["ant bee!", "fox fox.", "dog cat!"]), None).unwrap().latents;
    let write = |latents: &Latents, writing: &Writing| model.write(latents, writing, &mut unheard).unwrap();
    let greedy = write(&latents, &Writing::greedy());
    let searched = write(&latents, &Writing::Search { beams: 1 });
    for (row, (greedy, searched)) in greedy.iter().zip(&searched).enumerate() {
        assert_eq!((&greedy.tokens, greedy.ended), (&searched.tokens, searched.ended));
        assert!((greedy.log_probability - searched.log_probability).abs() < 1e-4);
        assert_eq!(write(&latents.select([row]), &Writing::greedy())[0].tokens, greedy.tokens);
    }
    let sampling = SamplingConfig { temperature: 1.0, top_k: 0, top_p: 1.0 };
    let drawn = |seed| write(&latents, &Writing::Draw { sampling: sampling.clone(), seed });
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    assert!(drawn(1).iter().all(|text| text.tokens.len() <= 7 && text.log_probability < 0.0));
}

#[test]
fn what_is_told_while_writing_is_what_is_written() {
    let (_dir, model) = untrained();
    let latents = model.encode(&texts(&["ant bee!", "fox fox."]), None).unwrap().latents;
    let sampling = SamplingConfig { temperature: 3.0, top_k: 0, top_p: 1.0 };
    for writing in [Writing::Draw { sampling, seed: 4 }, Writing::Search { beams: 3 }] {
        let (mut told, mut ends) = (vec![String::new(); 2], [0; 2]);
        let written = model
            .write(&latents, &writing, &mut |row, piece| {
                match piece {
                    crate::Piece::Text(text) => told[row].push_str(text),
                    crate::Piece::End => ends[row] += 1,
                }
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(written.iter().map(|text| text.text.clone()).collect::<Vec<_>>(), told);
        assert_eq!(ends, [1, 1]);
        // Who has heard enough is not told more.
        let mut heard = 0;
        let stop = &mut |_: usize, _: crate::Piece<'_>| {
            heard += 1;
            std::ops::ControlFlow::Break(())
        };
        model.write(&latents, &writing, stop).unwrap();
        assert_eq!(heard, 1);
    }
}

#[test]
fn latents_are_drawn_around_their_means() {
    let (_dir, model) = untrained();
    let sentence = texts(&["ant bee!"; 40]);
    let mean = model.encode(&texts(&["ant bee!"]), None).unwrap().latents;
    let spread = |concentration: f64| {
        let draw = Draw { seed: 3, concentration: Some(concentration), first: 0 };
        let drawn = model.encode(&sentence, Some(draw)).unwrap().latents;
        let cosine =
            |row: usize| drawn.latent(row, 0).iter().zip(mean.latent(0, 0)).map(|(a, b)| a * b).sum::<f64>();
        (0..40).map(cosine).sum::<f64>() / 40.0
    };
    assert!(spread(1e4) > 0.999 && spread(200.0) > spread(5.0), "{} {}", spread(200.0), spread(5.0));
    // The draw of a text is that of its number.
    let draw = |first| Draw { seed: 3, concentration: None, first };
    let all = model.encode(&sentence, Some(draw(0))).unwrap().latents;
    let tail = model.encode(&texts(&["ant bee!"; 2]), Some(draw(38))).unwrap().latents;
    let gap = all
        .select([38, 39])
        .values()
        .iter()
        .zip(tail.values())
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    assert!(gap < 1e-5, "{gap}");
    let refused = |concentration| {
        let draw = Draw { seed: 3, concentration: Some(concentration), first: 0 };
        model.encode(&sentence, Some(draw)).err().unwrap().to_string()
    };
    assert!(refused(0.0).contains("--concentration") && refused(f64::NAN).contains("--concentration"));
}
