//! Text from a model, token by token.

mod answer;
mod sampling;
mod speak;
mod stop;

use std::ops::ControlFlow;

use burn::tensor::Device;
use mixlab_data::Tokenizer;
use mixlab_nn::{LanguageModel, ModelConfig, ModelState};

pub use self::answer::{Answer, Stepper};
pub use self::sampling::SamplingConfig;
pub(crate) use self::speak::placeholders;
use self::speak::{Speaker, speak};
use crate::TrainError;
use crate::token_ids::token_ids;

/// What to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateOptions {
    /// How tokens are drawn.
    pub sampling: SamplingConfig,
    /// Seed of the draws.
    pub seed: u64,
    /// Number of tokens at most.
    pub tokens: usize,
    /// Generation ends before any of these texts; they are not part of the result.
    pub stop: Vec<String>,
}

/// Why generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The limit of tokens was reached.
    Limit,
    /// The model ended the text.
    EndOfText,
    /// A stop text came up.
    Stop,
    /// The receiver had enough.
    Receiver,
}

/// How generation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Tokens drawn.
    pub tokens: usize,
    /// Tokens of the prompt, with the one that begins a text.
    pub prompt_tokens: usize,
    /// Why it ended.
    pub ended: Ended,
}

/// A causal model that speaks.
pub struct Generator<'a> {
    /// The model, without gradient tracking.
    pub model: &'a LanguageModel,
    /// Its architecture.
    pub config: &'a ModelConfig,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The device of the model.
    pub device: &'a Device,
}

impl Generator<'_> {
    /// Continues `prompt` and hands out the text as soon as it is certain: whole characters, and
    /// nothing that may turn out to begin a stop text.
    ///
    /// Token i is drawn with element i of a stream that the seed alone decides. A model that is defined
    /// up to a maximum length forgets the first half of the text each time it gets there.
    ///
    /// # Errors
    /// [`TrainError::Model`] if the model's mixer cannot go token by token, [`TrainError::Data`] if the
    /// tokenizer cannot encode the prompt.
    pub fn generate(
        &self,
        prompt: &str,
        options: &GenerateOptions,
        receive: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, TrainError> {
        let mut history = vec![self.tokenizer.end_of_text()];
        history.extend(self.tokenizer.encode(prompt)?);
        let mut memory = Memory { generator: self, state: self.model.state(1)?, seen: 0, forgotten: 0 };
        speak(&mut memory, self.tokenizer, history, options, false, receive)
    }
}

/// What a model remembers of the text so far.
struct Memory<'a> {
    generator: &'a Generator<'a>,
    state: ModelState,
    /// Tokens of the history that the state has seen, or that were given up.
    seen: usize,
    /// Tokens of the history that were given up.
    forgotten: usize,
}

impl Speaker for Memory<'_> {
    fn logits(&mut self, history: &[u32]) -> Result<Vec<f64>, TrainError> {
        if let Some(maximum) = self.generator.config.lengths(true).most()
            && history.len() - self.forgotten > maximum
        {
            self.forgotten = history.len() - maximum.div_ceil(2);
            self.seen = self.forgotten;
            self.state = self.generator.model.state(1)?;
        }
        let new = &history[self.seen..];
        self.seen = history.len();
        let tokens = token_ids(new, [1, new.len()], self.generator.device);
        let hidden = self.generator.model.step(tokens, &mut self.state);
        let last = hidden.narrow(1, new.len() - 1, 1);
        Ok(self.generator.model.logits(last).into_data().iter::<f64>().collect())
    }
}
