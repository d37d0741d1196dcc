//! Text from a causal model, token by token.

use std::ops::ControlFlow;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_core::{Key, Purpose};
use mixlab_data::Tokenizer;
use mixlab_nn::{LanguageModel, ModelConfig, ModelState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// How a token is drawn from the distribution of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SamplingConfig {
    /// Logits are divided by it; 0 always takes the most probable token.
    pub temperature: f64,
    /// Only the k most probable tokens can be drawn; 0 allows all.
    pub top_k: usize,
    /// Only the most probable tokens that together reach this probability can be drawn.
    pub top_p: f64,
}

impl Default for SamplingConfig {
    fn default() -> Self {
        SamplingConfig { temperature: 0.8, top_k: 0, top_p: 0.95 }
    }
}

impl SamplingConfig {
    /// Checks every number against its range; the keys are what an error calls them.
    ///
    /// # Errors
    /// [`TrainError::OutOfRange`].
    pub fn validate(&self, temperature: &'static str, top_p: &'static str) -> Result<(), TrainError> {
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            return Err(TrainError::out_of_range(temperature, self.temperature, "0 or more"));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(TrainError::out_of_range(top_p, self.top_p, "more than 0, at most 1"));
        }
        Ok(())
    }

    /// Draws one token. `uniform` lies in [0, 1). Equal logits are taken in the order of their ids.
    pub fn draw(&self, logits: &[f64], uniform: f64) -> u32 {
        let mut order: Vec<u32> = (0..logits.len() as u32).collect();
        let by_probability =
            |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
        if self.temperature == 0.0 {
            return order.into_iter().min_by(by_probability).unwrap_or(0);
        }
        order.sort_unstable_by(by_probability);
        if self.top_k > 0 {
            order.truncate(self.top_k);
        }
        let largest = order.first().map_or(0.0, |&id| logits[id as usize]);
        let weight = |&id: &u32| ((logits[id as usize] - largest) / self.temperature).exp();
        let mut weights: Vec<f64> = order.iter().map(weight).collect();
        let nucleus = self.top_p * weights.iter().sum::<f64>();
        let mut sum = 0.0;
        let kept = weights.iter().take_while(|&&weight| {
            let before = sum;
            sum += weight;
            before < nucleus
        });
        let kept = kept.count();
        weights.truncate(kept.max(1));
        let mut rest = uniform * weights.iter().sum::<f64>();
        let drawn = weights.iter().position(|&weight| {
            rest -= weight;
            rest < 0.0
        });
        order.get(drawn.unwrap_or(weights.len() - 1)).copied().unwrap_or(0)
    }
}

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
        let draws = Key::root(options.seed).purpose(Purpose::Sample).sample(0);
        let mut text = self.tokenizer.stream();
        let mut stops = StopTexts::new(&options.stop);
        let mut generated = Generated { tokens: 0, prompt_tokens: history.len(), ended: Ended::Limit };
        while generated.tokens < options.tokens {
            let mut logits = memory.logits(&history)?;
            self.silence_placeholders(&mut logits);
            let token = options.sampling.draw(&logits, draws.uniform(generated.tokens as u64));
            generated.tokens += 1;
            if token == self.tokenizer.end_of_text() {
                generated.ended = Ended::EndOfText;
                break;
            }
            history.push(token);
            let (certain, stopped) = stops.push(&text.push(token));
            if !certain.is_empty() && receive(&certain).is_break() {
                generated.ended = Ended::Receiver;
                return Ok(generated);
            }
            if stopped {
                generated.ended = Ended::Stop;
                return Ok(generated);
            }
        }
        let (mut certain, stopped) = stops.push(&text.finish());
        if stopped {
            generated.ended = Ended::Stop;
        } else {
            certain += &stops.finish();
        }
        if !certain.is_empty() && receive(&certain).is_break() {
            generated.ended = Ended::Receiver;
        }
        Ok(generated)
    }

    /// Padding and mask tokens stand for no text: they are never drawn, however likely an untrained
    /// model finds them.
    fn silence_placeholders(&self, logits: &mut [f64]) {
        for token in [Some(self.tokenizer.padding()), self.tokenizer.mask_token()].into_iter().flatten() {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit = f64::NEG_INFINITY;
            }
        }
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

impl Memory<'_> {
    /// Logits after the last token of `history`, of which earlier calls have seen a prefix.
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
        let ids: Vec<i64> = new.iter().map(|&id| i64::from(id)).collect();
        let data = TensorData::new(ids, [1, new.len()]);
        let tokens: Tensor<2, Int> = Tensor::from_data(data, (self.generator.device, DType::I64));
        let hidden = self.generator.model.step(tokens, &mut self.state);
        let last = hidden.narrow(1, new.len() - 1, 1);
        Ok(self.generator.model.logits(last).into_data().iter::<f64>().collect())
    }
}

/// Looks for stop texts and holds back what may be the beginning of one.
struct StopTexts<'a> {
    stops: Vec<&'a str>,
    held: String,
}

impl<'a> StopTexts<'a> {
    fn new(stops: &'a [String]) -> Self {
        let stops = stops.iter().map(String::as_str).filter(|stop| !stop.is_empty()).collect();
        StopTexts { stops, held: String::new() }
    }

    /// Takes new text in; returns what is certain, and whether a stop text was found right after it.
    fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop)).min() {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let suspicious = |&at: &usize| self.stops.iter().any(|stop| stop.starts_with(&self.held[at..]));
        let boundaries = self.held.char_indices().map(|(at, _)| at);
        let certain = boundaries.into_iter().find(suspicious).unwrap_or(self.held.len());
        let rest = self.held.split_off(certain);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back in vain.
    fn finish(self) -> String {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mixlab_core::Precision;
    use mixlab_data::{Documents, TokenizerConfig};

    #[test]
    fn placeholders_are_never_drawn() {
        let config = crate::tests::config().model;
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &Documents::default()).unwrap();
        let device = Device::flex();
        let model = config.build(tokenizer.vocabulary(), 1, &device, Precision::F64).unwrap();
        let generator = Generator { model: &model, config: &config, tokenizer: &tokenizer, device: &device };
        let mut logits = vec![0.0; tokenizer.vocabulary()];
        let placeholders = [tokenizer.padding(), tokenizer.mask_token().unwrap()];
        for token in placeholders {
            logits[token as usize] = 50.0;
        }
        generator.silence_placeholders(&mut logits);
        let sampling = sampling(1.0, 0, 1.0);
        assert!((0..2000).all(|i| !placeholders.contains(&sampling.draw(&logits, f64::from(i) / 2000.0))));
    }

    fn sampling(temperature: f64, top_k: usize, top_p: f64) -> SamplingConfig {
        SamplingConfig { temperature, top_k, top_p }
    }

    /// Logits of the probabilities 0.1, 0.4, 0.2, 0.3.
    fn logits() -> [f64; 4] {
        [0.1f64, 0.4, 0.2, 0.3].map(f64::ln)
    }

    fn reachable(sampling: &SamplingConfig) -> Vec<(u32, usize)> {
        let mut counts = std::collections::BTreeMap::new();
        for i in 0..1000 {
            *counts.entry(sampling.draw(&logits(), i as f64 / 1000.0)).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    #[test]
    fn temperature_zero_is_greedy_and_ties_go_to_the_first() {
        assert_eq!(reachable(&sampling(0.0, 0, 1.0)), [(1, 1000)]);
        assert_eq!(sampling(0.0, 0, 1.0).draw(&[2.0, 5.0, 5.0], 0.9), 1);
    }

    #[test]
    fn probabilities_are_those_of_the_model() {
        assert_eq!(reachable(&sampling(1.0, 0, 1.0)), [(0, 100), (1, 400), (2, 200), (3, 300)]);
        let squared: Vec<f64> = [0.01, 0.16, 0.04, 0.09].map(|p: f64| p / 0.30).into();
        for (id, count) in reachable(&sampling(0.5, 0, 1.0)) {
            assert!((count as f64 / 1000.0 - squared[id as usize]).abs() < 2e-3);
        }
    }

    #[test]
    fn top_k_and_top_p_cut_the_tail() {
        assert_eq!(reachable(&sampling(1.0, 2, 1.0)).iter().map(|x| x.0).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(reachable(&sampling(1.0, 0, 0.75)).iter().map(|x| x.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(reachable(&sampling(1.0, 0, 1e-9)), [(1, 1000)]);
    }

    fn run_stops(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let stops: Vec<String> = stops.iter().map(|s| s.to_string()).collect();
        let mut filter = StopTexts::new(&stops);
        let mut out = String::new();
        for piece in pieces {
            let (certain, stopped) = filter.push(piece);
            out += &certain;
            if stopped {
                return (out, true);
            }
        }
        (out + &filter.finish(), false)
    }

    #[test]
    fn a_stop_text_is_found_across_tokens_and_never_shown() {
        assert_eq!(run_stops(&["END"], &["ab", "E", "N", "D", "c"]), ("ab".into(), true));
        assert_eq!(run_stops(&["END"], &["abEN", "x"]), ("abENx".into(), false));
        assert_eq!(run_stops(&["\n\n", "é."], &["aé", "\n", "é", "."]), ("aé\n".into(), true));
        assert_eq!(run_stops(&["aab"], &["a", "a", "a", "b"]), ("a".into(), true));
        assert_eq!(run_stops(&[""], &["a"]), ("a".into(), false));
    }
}
