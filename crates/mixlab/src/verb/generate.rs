//! `mixlab generate`: text from a trained model, as it is drawn.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use mixlab_nn::LanguageModel;
use mixlab_nn::seq2seq::SequenceToSequence;
use mixlab_train::{
    Folded, GenerateOptions, Generator, ModelFolder, ModelKind, SamplingConfig, TrainError, Writer,
    read_kind, read_objective,
};

use crate::arguments::DeviceOption;
use crate::failure::{Exit, Failure, ProgramError};
use crate::input::read_stdin;
use crate::output::print;

/// Continue a text with a trained model, or write the target of a source
///
/// The text appears as it is drawn. The same seed gives the same text. A model
/// of pairs takes the prompt as its source and writes a target; with --beams
/// it searches for the most probable one.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab generate runs/quickstart \"It is a truth\" --tokens 100 --seed 7
  mixlab generate runs/quickstart - < beginning.txt
  mixlab generate runs/verses \"Thou shalt not steal.\" --beams 4")]
pub struct Generate {
    /// A run folder or a model folder
    model: PathBuf,

    /// What the text goes on from, or the source; - reads standard input
    #[arg(default_value = "", hide_default_value = true)]
    prompt: String,

    /// At most so many tokens
    #[arg(long, value_name = "N", default_value_t = 200)]
    tokens: usize,

    /// Divide the logits by this; 0 takes the most probable token
    #[arg(long, value_name = "T", allow_negative_numbers = true, default_value_t = SamplingConfig::default().temperature)]
    temperature: f64,

    /// Draw among the K most probable tokens; 0 for all
    #[arg(long, value_name = "K", default_value_t = SamplingConfig::default().top_k)]
    top_k: usize,

    /// Draw among the tokens that together reach this probability
    #[arg(long, value_name = "P", allow_negative_numbers = true, default_value_t = SamplingConfig::default().top_p)]
    top_p: f64,

    /// Seed of the draws
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Search with N hypotheses instead of drawing; 1 is greedy. Only for models
    /// that write targets
    #[arg(long, value_name = "N", conflicts_with_all = ["temperature", "top_k", "top_p", "seed", "stop"])]
    beams: Option<usize>,

    /// α of a search: scores are divided by ((5 + tokens)/6)^α
    #[arg(long, value_name = "α", requires = "beams", default_value_t = 0.6)]
    length_penalty: f64,

    /// End before this text (repeatable)
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,

    #[command(flatten)]
    device: DeviceOption,
}

impl Generate {
    pub fn run(self) -> Result<Exit, Failure> {
        let sampling = SamplingConfig { temperature: self.temperature, top_k: self.top_k, top_p: self.top_p };
        sampling.validate("--temperature", "--top-p")?;
        let prompt = if self.prompt == "-" { read_stdin()? } else { self.prompt.clone() };
        let options =
            GenerateOptions { sampling, seed: self.seed, tokens: self.tokens, stop: self.stop.clone() };
        let path = ModelFolder::locate(&self.model)?;
        let objective = read_objective(&path)?;
        match read_kind(&path)? {
            ModelKind::SequenceToSequence => self.answer::<SequenceToSequence>(&path, &prompt, &options),
            ModelKind::LanguageModel if objective.writes() => {
                self.answer::<LanguageModel>(&path, &prompt, &options)
            }
            ModelKind::TextVae => Err(ProgramError::Argument {
                argument: "MODEL",
                found: "a text VAE".to_owned(),
                expected: "a language model; a text VAE writes from latents: `mixlab vae sample`".to_owned(),
            }
            .into()),
            ModelKind::LanguageModel
            | ModelKind::Classifier
            | ModelKind::EmbeddingModel
            | ModelKind::Generator => self.go_on(&path, &prompt, &options),
        }
    }

    /// Continues the prompt.
    fn go_on(&self, path: &Path, prompt: &str, options: &GenerateOptions) -> Result<Exit, Failure> {
        let device = self.device.open();
        let folder: ModelFolder = ModelFolder::load(path, &device)?;
        if !folder.config.objective.is_causal() {
            return Err(ProgramError::NotCausal { path: self.model.clone() }.into());
        }
        if let Some(beams) = self.beams {
            return Err(ProgramError::Argument {
                argument: "--beams",
                found: beams.to_string(),
                expected: "a model that was trained to write targets of sources".to_owned(),
            }
            .into());
        }
        // A mixer without a state is refused before anything is printed.
        folder.model.state(1)?;
        print(prompt)?;
        let ModelFolder { config, model, tokenizer } = &folder;
        let generator = Generator { model, config: &config.model, tokenizer, device: &device };
        streamed(|receive| generator.generate(prompt, options, receive))
    }

    /// Writes the target of the prompt.
    fn answer<M: Writer + Folded>(
        &self,
        path: &Path,
        source: &str,
        options: &GenerateOptions,
    ) -> Result<Exit, Failure> {
        let device = self.device.open();
        let folder: ModelFolder<M> = ModelFolder::load(path, &device)?;
        // A file or a pipe ends with a line break that belongs to no source.
        let source = source.strip_suffix('\n').unwrap_or(source);
        let Some(beams) = self.beams else {
            return streamed(|receive| folder.answer(source, options, &device, receive));
        };
        if !(self.length_penalty >= 0.0 && self.length_penalty.is_finite()) {
            return Err(ProgramError::Argument {
                argument: "--length-penalty",
                found: self.length_penalty.to_string(),
                expected: "0 or more".to_owned(),
            }
            .into());
        }
        let found = folder.search(source, beams, self.length_penalty, self.tokens, &device)?;
        print(found.first().map_or("", |answer| &answer.text))?;
        print("\n")?;
        Ok(Exit::Done)
    }
}

/// Prints what `generate` hands out, and a line break.
fn streamed<T>(
    generate: impl FnOnce(&mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<T, TrainError>,
) -> Result<Exit, Failure> {
    // The stream cannot carry an error out, so it is kept here.
    let mut printed: Result<(), ProgramError> = Ok(());
    let mut receive = |text: &str| match print(text) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            printed = Err(error);
            ControlFlow::Break(())
        }
    };
    generate(&mut receive)?;
    printed?;
    print("\n")?;
    Ok(Exit::Done)
}
