//! The target of a source, drawn token by token or searched for.

use std::ops::ControlFlow;

use burn::tensor::{Device, Int, Tensor};
use mixlab_nn::search::SearchOptions;

use super::speak::{Speaker, placeholders, speak};
use super::{GenerateOptions, Generated};
use crate::token_ids::token_ids;
use crate::{Folded, ModelFolder, TrainError, Writer};

/// A model that has read its source and writes the target.
pub struct Stepper<'a> {
    /// Logits `[1, k, vocabulary]` after each of the next tokens `[1, k]`.
    pub step: Box<dyn FnMut(Tensor<2, Int>) -> Tensor<3> + 'a>,
    /// What the model is fed with first; the last of it begins the target.
    pub begin: Vec<u32>,
}

struct Stepping<'a> {
    step: Box<dyn FnMut(Tensor<2, Int>) -> Tensor<3> + 'a>,
    seen: usize,
    device: &'a Device,
}

impl Speaker for Stepping<'_> {
    fn logits(&mut self, history: &[u32]) -> Result<Vec<f64>, TrainError> {
        let new = &history[self.seen..];
        self.seen = history.len();
        let logits = (self.step)(token_ids(new, [1, new.len()], self.device));
        Ok(logits.narrow(1, new.len() - 1, 1).into_data().iter::<f64>().collect())
    }
}

/// A target that was searched for.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Its text.
    pub text: String,
    /// By which answers are compared: Σ log p in nats, over ((5 + tokens)/6)^α.
    pub score: f64,
    /// Whether it ended, and was not cut at the most tokens.
    pub ended: bool,
}

impl<M: Writer + Folded> ModelFolder<M> {
    /// Draws a target of `source` token by token and hands out its text as soon as it is certain, as
    /// [`Generator::generate`](super::Generator::generate) does; no more tokens than in the training.
    ///
    /// # Errors
    /// A source that is longer than those of the training, or that the tokenizer cannot encode; a decoder whose mixer
    /// cannot go token by token.
    pub fn answer(
        &self,
        source: &str,
        options: &GenerateOptions,
        device: &Device,
        receive: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, TrainError> {
        let Stepper { step, begin } = self.model.stepper(&self.source(source)?, device)?;
        let tokens = options.tokens.min(self.config.pair_shape().target);
        let options = GenerateOptions { tokens, ..options.clone() };
        let mut speaker = Stepping { step, seen: 0, device };
        speak(
            &mut speaker,
            &self.tokenizer,
            begin,
            &options,
            self.config.objective.shows_sentinels(),
            receive,
        )
    }

    /// The best targets of `source` that a search with `beams` hypotheses finds, the best first; 1 is greedy.
    ///
    /// # Errors
    /// As [`ModelFolder::answer`]; [`TrainError::Model`] without beams or tokens.
    pub fn search(
        &self,
        source: &str,
        beams: usize,
        length_penalty: f64,
        tokens: usize,
        device: &Device,
    ) -> Result<Vec<Answer>, TrainError> {
        let options = SearchOptions {
            beams,
            tokens: tokens.min(self.config.pair_shape().target),
            length_penalty,
            begin: self.tokenizer.end_of_text(),
            end: self.tokenizer.end_of_text(),
            never: placeholders(
                &self.tokenizer,
                self.config.vocabulary,
                self.config.objective.shows_sentinels(),
            ),
        };
        let found = self.model.search(&self.source(source)?, options, device)?;
        let answer = |hypothesis: mixlab_nn::search::Hypothesis| Answer {
            text: self.tokenizer.decode_with_sentinels(&hypothesis.tokens),
            score: hypothesis.score,
            ended: hypothesis.ended,
        };
        Ok(found.into_iter().map(answer).collect())
    }

    /// The ids of a source, its end included.
    fn source(&self, text: &str) -> Result<Vec<u32>, TrainError> {
        let mut ids = self.tokenizer.encode_with_sentinels(text, self.config.sentinels())?;
        ids.push(self.tokenizer.end_of_text());
        let most = self.config.pair_shape().source;
        if ids.len() > most {
            return Err(TrainError::Conflict {
                first: format!("a source of {} tokens, its end included", ids.len()),
                second: "the model".into(),
                reason: format!("it was trained on sources of at most {most}"),
                remedy: "shorten the source, or train with a greater `train.source_length`".into(),
            });
        }
        Ok(ids)
    }
}
