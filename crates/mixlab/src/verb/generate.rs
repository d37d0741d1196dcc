//! `mixlab generate`: text from a trained model, as it is drawn.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use mixlab_train::{GenerateOptions, Generator, ModelFolder, SamplingConfig};

use crate::arguments::DeviceOption;
use crate::failure::{Exit, Failure, ProgramError};
use crate::input::read_stdin;
use crate::output::print;

/// Continue a text with a trained model
///
/// The text appears as it is drawn. The same seed gives the same text.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab generate runs/quickstart \"It is a truth\" --tokens 100 --seed 7
  mixlab generate runs/quickstart - < beginning.txt")]
pub struct Generate {
    /// A run folder or a model folder
    model: PathBuf,

    /// What the text goes on from; - reads standard input
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
        let prompt = if self.prompt == "-" { read_stdin()? } else { self.prompt };
        let device = self.device.device.device();
        let folder = ModelFolder::load(&ModelFolder::locate(&self.model)?, &device)?;
        let options = GenerateOptions { sampling, seed: self.seed, tokens: self.tokens, stop: self.stop };
        if !folder.config.objective.is_causal() {
            return Err(ProgramError::NotCausal { path: self.model }.into());
        }
        // A mixer without a state is refused before anything is printed.
        folder.model.state(1)?;
        print(&prompt)?;
        // The stream cannot carry an error out, so it is kept here.
        let mut printed: Result<(), ProgramError> = Ok(());
        let mut receive = |text: &str| match print(text) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                printed = Err(error);
                ControlFlow::Break(())
            }
        };
        let ModelFolder { config, model, tokenizer } = &folder;
        let generator = Generator { model, config: &config.model, tokenizer, device: &device };
        generator.generate(&prompt, &options, &mut receive)?;
        printed?;
        print("\n")?;
        Ok(Exit::Done)
    }
}
