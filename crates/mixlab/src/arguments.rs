//! What may be typed: one subcommand per verb. Help, man-page text and completions come from here.

use burn::tensor::Device;
use clap::{Args, Parser, Subcommand};
use mixlab_core::DeviceChoice;
use mixlab_train::set_threads;

use crate::verb;

/// Trains, measures and uses sequence models beyond the standard Transformer.
#[derive(Debug, Parser)]
#[command(
    name = "mixlab",
    version,
    max_term_width = 80,
    disable_help_subcommand = true,
    after_long_help = "\
Example, from a text file to text of its kind:
  mixlab new novel.txt > novel.toml
  mixlab train novel.toml --out runs/novel
  mixlab generate runs/novel \"It is a truth\"

Exit codes: 0 done, 1 a check came out negative, 2 wrong usage, config or
file, 3 the run failed, 130 interrupted and saved."
)]
pub struct Arguments {
    #[command(subcommand)]
    pub verb: Verb,
}

/// One variant per verb; its documentation and arguments stand in the verb's file.
#[derive(Debug, Subcommand)]
pub enum Verb {
    New(verb::new::New),
    Train(verb::train::Train),
    Resume(verb::resume::Resume),
    Eval(verb::eval::Eval),
    Generate(verb::generate::Generate),
    Embed(verb::embed::Embed),
    Search(verb::search::Search),
    Vae(verb::vae::Vae),
    Gan(verb::gan::Gan),
    Import(verb::import::Import),
    Export(verb::export::Export),
    Plan(verb::plan::Plan),
    Measure(verb::measure::Measure),
    Tokenizer(verb::tokenizer::Tokenizer),
    Config(verb::config::Config),
    Data(verb::data::Data),
    Blocks(verb::blocks::Blocks),
    Audit(verb::audit::Audit),
    Sweep(verb::sweep::Sweep),
    Compare(verb::compare::Compare),
    Completions(verb::completions::Completions),
}

/// A config as several verbs take it.
#[derive(Debug, Args)]
pub struct ConfigSource {
    /// TOML files; a later one wins key by key
    #[arg(required = true, value_name = "CONFIG")]
    pub files: Vec<std::path::PathBuf>,

    #[command(flatten)]
    pub sets: Overrides,
}

/// Overrides of single keys.
#[derive(Debug, Args)]
pub struct Overrides {
    /// Override one key, for example train.steps=200 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// The device, for verbs that compute without a config of their own.
#[derive(Debug, Args)]
pub struct DeviceOption {
    /// Where to compute
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: DeviceChoice,
}

impl DeviceOption {
    /// The device, with all cores in its service.
    pub fn open(&self) -> Device {
        set_threads(0);
        self.device.device()
    }
}
