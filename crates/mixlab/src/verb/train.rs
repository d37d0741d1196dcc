//! `mixlab train`: run a config.

use std::path::{Path, PathBuf};

use clap::Args;
use mixlab_core::DeviceChoice;
use mixlab_measure::plan::{Proposal, plan};
use mixlab_nn::ClassifierInput;
use mixlab_nn::embed::ImageShape;
use mixlab_train::{
    Config, DataDescription, Description, Interrupt, Outcome, Summary, describe, run, set_threads,
};

use crate::arguments::ConfigSource;
use crate::budget::MemoryBudget;
use crate::failure::{Exit, Failure};
use crate::input::{read_config, resolve_config};
use crate::output::{columns, print, print_json, tell};
use crate::progress::{Display, count, duration};
use crate::verb::plan::settings;

/// Train a model as a config says
///
/// The run folder holds the resolved config, metrics.jsonl, TensorBoard
/// events, samples.txt, curves.svg, checkpoints and the final model. Ctrl-C
/// finishes the step and saves; a second Ctrl-C stops at once. With --memory
/// the fastest way to make the same updates within it is chosen first, as
/// `mixlab plan` foresees it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab train configs/quickstart.toml --out runs/wide \\
      --set model.width=256 --set train.steps=500")]
pub struct Train {
    #[command(flatten)]
    source: ConfigSource,

    /// The run folder; runs/ and the name of the config if absent
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Where to compute; the config's run.device if absent
    #[arg(long, value_name = "DEVICE")]
    device: Option<DeviceChoice>,

    #[command(flatten)]
    memory: MemoryBudget,

    /// Show shapes, parameters, memory and one batch; train nothing
    #[arg(long)]
    dry_run: bool,

    /// Print the outcome as JSON, without the sample
    #[arg(long)]
    json: bool,
}

impl Train {
    pub fn run(mut self) -> Result<Exit, Failure> {
        if let Some(device) = self.device {
            // Serialised by the same rule that reads it from a config.
            let name = serde_json::to_string(&device).unwrap_or_default();
            self.source.sets.sets.push(format!("run.device={name}"));
        }
        let mut config = read_config(&self.source)?;
        set_threads(config.value.run.threads);
        if let Some(budget) = self.memory.bytes()? {
            self.source.sets.sets.extend(fitting(&config.value, budget)?);
            // What was dropped has been told.
            config = resolve_config(&self.source)?;
        }
        if self.dry_run {
            return dry_run(&config.value, self.json);
        }
        let out = self.out.unwrap_or_else(|| default_folder(&self.source.files));
        let interrupt = Interrupt::on_signals()?;
        let mut display = Display::new();
        let outcome = run(&config, &out, &mut display, &interrupt);
        display.finish();
        finish(&outcome?, &out, &display, self.json)
    }
}

/// The settings of the fastest way to make the same updates within a budget.
fn fitting(config: &Config, budget: u64) -> Result<Vec<String>, Failure> {
    let report = Display::during(|display| plan(config, Some(budget), display))?;
    let Some(proposal) = report.proposals.and_then(|all| all.into_iter().next()) else {
        return Ok(Vec::new());
    };
    let chosen = settings(&proposal.setting);
    let Proposal { peak_mib, milliseconds, .. } = proposal;
    tell(&format!(
        "within --memory: {}, about {peak_mib:.0} MiB and {milliseconds:.0} ms an update",
        chosen.join(", ")
    ));
    Ok(chosen)
}

/// `runs/` and the name of the last config.
fn default_folder(configs: &[PathBuf]) -> PathBuf {
    let name = configs.last().and_then(|path| path.file_stem()).unwrap_or("run".as_ref());
    Path::new("runs").join(name)
}

fn dry_run(config: &Config, json: bool) -> Result<Exit, Failure> {
    let description = describe(config)?;
    if json {
        print_json(&description)?;
    } else {
        print(&description_text(&description))?;
    }
    Ok(Exit::Done)
}

fn description_text(description: &Description) -> String {
    let Description { memory, batch: [accumulation, rows, length], .. } = description;
    let mut lines: Vec<Vec<String>> = description
        .parameters
        .iter()
        .map(|p| vec![format!("  {}", p.path), format!("{:?}", p.shape), p.size.to_string()])
        .collect();
    lines.push(vec!["  all parameters".into(), String::new(), description.parameter_count.to_string()]);
    let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let held = [
        ("parameters", memory.parameters),
        ("gradients", memory.gradients),
        ("optimiser", memory.optimizer),
        ("average", memory.average),
        ("activations (estimate)", memory.activations),
        ("together", memory.total()),
    ];
    let held = held.map(|(name, bytes)| vec![format!("  {name}"), mebibytes(bytes)]);
    let batch = format!("an update reads {accumulation} × {rows} rows of {length}");
    let data = data_text(&description.data, &batch, description.epochs);
    format!("parameters\n{}\nmemory\n{}\ndata\n{data}", columns(&lines), columns(&held))
}

fn data_text(data: &DataDescription, batch: &str, epochs: f64) -> String {
    match data {
        DataDescription::Text { vocabulary, train_tokens, evaluate_tokens, evaluate_bytes, excerpt } => {
            format!(
                "  vocabulary {vocabulary}, {train_tokens} tokens to train on, {evaluate_tokens} held out \
             ({evaluate_bytes} bytes)\n  {batch} tokens; the run reads the text {epochs:.1} times\n\n\
             the first row begins\n{}\n",
                indent(excerpt)
            )
        }
        DataDescription::Contrastive {
            input: ClassifierInput::Tokens { vocabulary },
            rows,
            train,
            evaluate,
            texts,
            ..
        } => {
            let texts: Vec<String> = texts.iter().map(|text| indent(text)).collect();
            format!(
                "  vocabulary {vocabulary}, {train} examples to train on, {evaluate} held out\n  {batch} tokens, {rows} texts \
                 that are told apart at once; the run reads the examples {epochs:.1} times\n\nthe first example\n{}\n",
                texts.join("\n")
            )
        }
        DataDescription::Contrastive {
            input: ClassifierInput::Images(image), rows, train, evaluate, ..
        } => {
            format!(
                "  images of {} × {} × {}, {train} to train on, {evaluate} held out\n  {batch} patches, {rows} views that \
                 are told apart at once; the run reads the images {epochs:.1} times\n",
                image.height, image.width, image.channels
            )
        }
        DataDescription::Sentences { vocabulary, real, train, evaluate, text, .. } => {
            format!(
                "  vocabulary {vocabulary}, {train} sentences to train on, {evaluate} held out\n  {batch} tokens ({:.0} % of them text); \
                 the run reads the sentences {epochs:.1} times\n\nthe first sentence\n{}\n",
                100.0 * real,
                indent(text)
            )
        }
        DataDescription::Pairs { vocabulary, lengths, real, train, evaluate, source, target, .. } => {
            let [from, to] = lengths;
            let [real_from, real_to] = real.map(|share| 100.0 * share);
            format!(
                "  vocabulary {vocabulary}, {train} pairs to train on, {evaluate} held out\n  {batch} tokens, of a pair {from} to \
             read ({real_from:.0} % of them text) and {to} to write ({real_to:.0} %); the run reads the pairs {epochs:.1} times\n\nthe first source begins\n{}\nand its \
             target\n{}\n",
                indent(source),
                indent(target)
            )
        }
        DataDescription::Samples { shape, points, classes, train, evaluate, networks } => {
            let [channels, height, width] = shape;
            let what = match points {
                Some(points) => format!("points, {points}"),
                None => format!("images of {height} × {width}, {channels} numbers a pixel"),
            };
            let count = train.map_or_else(String::new, |train| {
                format!(", {train} to train on, {evaluate} held out; the run reads them {epochs:.1} times")
            });
            let told = match classes.len() {
                0 => String::new(),
                many => format!("\n  both networks are told which of {many} classes a sample has"),
            };
            let [generator, critic] = networks;
            format!(
                "  {what}{count}\n  {batch}{told}\n  {generator} weights of the generator, {critic} of the critic\n"
            )
        }
        DataDescription::Examples { input, classes, train, evaluate } => {
            let (kind, unit) = match input {
                ClassifierInput::Images(image) => {
                    let ImageShape { height, width, channels } = image;
                    (format!("images of {height} × {width}, {channels} numbers a pixel"), "patches")
                }
                ClassifierInput::Tokens { vocabulary } => {
                    (format!("texts, vocabulary {vocabulary}"), "tokens")
                }
            };
            format!(
                "  {kind}; {} classes: {}\n  {train} examples to train on, {evaluate} held out\n  {batch} {unit}; \
                 the run reads the examples {epochs:.1} times\n",
                classes.len(),
                classes.join(", ")
            )
        }
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
}

/// Tells how a run ended, and prints its last sample.
pub fn finish(outcome: &Outcome, run: &Path, display: &Display, json: bool) -> Result<Exit, Failure> {
    match outcome {
        Outcome::Interrupted { step, checkpoint } => {
            let saved = match checkpoint {
                Some(path) => format!("after step {step}; saved {}", path.display()),
                None => "before the first step".into(),
            };
            tell(&format!("interrupted {saved}\nhint: go on with `mixlab resume {}`", run.display()));
            Ok(Exit::Interrupted)
        }
        Outcome::Finished(summary) => {
            tell(&summary_text(summary, display));
            if json {
                print_json(&summary_json(summary, display))?;
            } else if let Some(sample) = &display.sample {
                print(&format!("{}\n", sample.trim_end()))?;
            }
            Ok(Exit::Done)
        }
    }
}

fn summary_text(summary: &Summary, display: &Display) -> String {
    let mut text = format!(
        "finished {} steps, {} tokens in {}",
        summary.steps,
        count(summary.tokens as f64),
        duration(summary.seconds)
    );
    if let Some(distance) = display.energy_distance(summary.model_step) {
        text.push_str(&format!("; energy distance {distance:.5} at step {}", summary.model_step));
    } else if let Some(best) = summary.best {
        let unit = if display.accuracy(summary.model_step).is_some() { "example" } else { "token" };
        text.push_str(&format!("; best held-out loss {:.4} nats/{unit} at step {}", best.loss, best.step));
    }
    if let Some(accuracy) = display.accuracy(summary.model_step) {
        text.push_str(&format!("; accuracy {:.2} % at step {}", 100.0 * accuracy, summary.model_step));
    }
    if let Some(bits) = display.bits_per_byte(summary.model_step) {
        text.push_str(&format!(", {bits:.4} bits/byte"));
    }
    format!("{text}\nmodel of step {} in {}", summary.model_step, summary.model.display())
}

fn summary_json(summary: &Summary, display: &Display) -> serde_json::Value {
    serde_json::json!({
        "steps": summary.steps,
        "tokens": summary.tokens,
        "seconds": summary.seconds,
        "best_step": summary.best.map(|best| best.step),
        "best_loss": summary.best.map(|best| best.loss),
        "bits_per_byte": display.bits_per_byte(summary.model_step),
        "accuracy": display.accuracy(summary.model_step),
        "model": summary.model.display().to_string(),
        "model_step": summary.model_step,
    })
}
