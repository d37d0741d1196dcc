//! Writing a target: greedily, or by beam search.
//!
//! A hypothesis of n tokens, its end included, has the score Σ log p / ((5 + n)/6)^α. The search keeps the `beams` best
//! unfinished hypotheses by Σ log p and goes on while one of them could still beat the worst of the finished ones it
//! keeps. With one beam and α = 0 this is greedy decoding; with as many beams as there are hypotheses it is exhaustive.
//! Source: Wu et al., "Google's neural machine translation system", 2016, section 7, without its coverage penalty.

use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::latent::TextVae;
use crate::seq2seq::{DecoderState, Memory, SequenceToSequence};
use crate::{LanguageModel, ModelError, ModelState};

/// How targets are searched.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchOptions {
    /// Hypotheses that are kept; 1 is greedy.
    pub beams: usize,
    /// Most tokens of a target, its end included.
    pub tokens: usize,
    /// α, which makes up for the many small probabilities of long targets.
    pub length_penalty: f64,
    /// Token that a decoder starts from.
    pub begin: u32,
    /// Token that ends a target.
    pub end: u32,
    /// Tokens that are never written: those that stand for no text.
    pub never: Vec<u32>,
}

/// A target that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Its tokens, without the end.
    pub tokens: Vec<u32>,
    /// Σ log p over its tokens and its end, if it has one.
    pub log_probability: f64,
    /// By which hypotheses are compared.
    pub score: f64,
    /// Whether it ended, and was not cut at the most tokens.
    pub ended: bool,
}

/// An unfinished hypothesis.
#[derive(Clone)]
struct Beam {
    tokens: Vec<u32>,
    log_probability: f64,
}

impl SearchOptions {
    fn check(&self) -> Result<(), ModelError> {
        for (key, value) in [("beams", self.beams), ("tokens", self.tokens)] {
            if value == 0 {
                return Err(ModelError::out_of_range(key, value, "at least 1"));
            }
        }
        Ok(())
    }

    fn score(&self, log_probability: f64, tokens: usize) -> f64 {
        log_probability / ((5.0 + tokens as f64) / 6.0).powf(self.length_penalty)
    }

    fn hypothesis(&self, beam: &Beam, ended: bool) -> Hypothesis {
        let score = self.score(beam.log_probability, beam.tokens.len() + usize::from(ended));
        Hypothesis { tokens: beam.tokens.clone(), log_probability: beam.log_probability, score, ended }
    }
}

/// A model in the middle of targets, one row of its state a hypothesis.
trait Writing {
    /// Logits `[beams, 1, vocabulary]` after the next token `[beams, 1]` of every hypothesis.
    fn step(&mut self, tokens: Tensor<2, Int>) -> Tensor<3>;

    /// Goes on with some of the hypotheses, in any order and any number of times.
    fn select(&mut self, rows: &[usize]);
}

struct Decoding<'a> {
    model: &'a SequenceToSequence,
    state: DecoderState,
}

impl Writing for Decoding<'_> {
    fn step(&mut self, tokens: Tensor<2, Int>) -> Tensor<3> {
        self.model.logits(self.model.step(tokens, &mut self.state))
    }

    fn select(&mut self, rows: &[usize]) {
        self.state = self.state.select(rows);
    }
}

/// Any model whose state is one of its layers alone; `step` gives the logits of the next tokens.
struct Continuing<'a, F> {
    step: F,
    state: ModelState,
    device: &'a Device,
}

impl<F: Fn(Tensor<2, Int>, &mut ModelState) -> Tensor<3>> Writing for Continuing<'_, F> {
    fn step(&mut self, tokens: Tensor<2, Int>) -> Tensor<3> {
        (self.step)(tokens, &mut self.state)
    }

    fn select(&mut self, rows: &[usize]) {
        self.state = self.state.select(rows, self.device);
    }
}

impl TextVae {
    /// The most probable texts of latents `[1, latent]`, the best first, at most `beams` of them.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if the mixer has no streaming form; [`ModelError::OutOfRange`] without beams or tokens.
    ///
    /// # Panics
    /// If there are not as many latents as layers with one.
    pub fn search(
        &self,
        latents: &[Tensor<2>],
        options: SearchOptions,
        device: &Device,
    ) -> Result<Vec<Hypothesis>, ModelError> {
        options.check()?;
        let step = |tokens, state: &mut ModelState| self.logits(self.step(tokens, state));
        search(&mut Continuing { step, state: self.state(latents)?, device }, &options, device)
    }
}

impl SequenceToSequence {
    /// The best targets of one source, the best first, at most `beams` of them. `memory` has one row.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if the decoder's mixer has no streaming form; [`ModelError::OutOfRange`] without beams
    /// or tokens.
    pub fn search(&self, memory: Memory, options: SearchOptions) -> Result<Vec<Hypothesis>, ModelError> {
        options.check()?;
        let device = memory.states.device();
        search(&mut Decoding { model: self, state: self.state(memory)? }, &options, &device)
    }
}

impl LanguageModel {
    /// The best continuations of `read`, token ids `[1, n]`, and the token that begins a target.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if the mixer has no streaming form; [`ModelError::OutOfRange`] without beams or tokens.
    pub fn search(
        &self,
        read: Option<Tensor<2, Int>>,
        options: SearchOptions,
        device: &Device,
    ) -> Result<Vec<Hypothesis>, ModelError> {
        options.check()?;
        let mut state = self.state(1)?;
        if let Some(read) = read {
            self.step(read, &mut state);
        }
        let step = |tokens, state: &mut ModelState| self.logits(self.step(tokens, state));
        search(&mut Continuing { step, state, device }, &options, device)
    }
}

fn search(
    writing: &mut dyn Writing,
    options: &SearchOptions,
    device: &Device,
) -> Result<Vec<Hypothesis>, ModelError> {
    let mut beams = vec![Beam { tokens: Vec::new(), log_probability: 0.0 }];
    let mut finished: Vec<Hypothesis> = Vec::new();
    for length in 1..=options.tokens {
        let next = next_probabilities(writing, &beams, options, device);
        let vocabulary = next.len() / beams.len();
        // (score, beam, token), the most probable first; a tie goes to the earlier beam and the smaller token.
        let mut grown: Vec<(f64, usize, u32)> = next
            .iter()
            .enumerate()
            .map(|(i, &p)| {
                (beams[i / vocabulary].log_probability + p, i / vocabulary, (i % vocabulary) as u32)
            })
            .filter(|grown| grown.0 > f64::NEG_INFINITY)
            .collect();
        grown.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let (mut kept, mut from) = (Vec::new(), Vec::new());
        for (rank, (log_probability, beam, token)) in grown.into_iter().enumerate() {
            if kept.len() == options.beams {
                break;
            }
            let mut tokens = beams[beam].tokens.clone();
            if token == options.end {
                // An end that is not among the best has no place among them.
                if rank < options.beams {
                    finished.push(options.hypothesis(&Beam { tokens, log_probability }, true));
                }
                continue;
            }
            tokens.push(token);
            kept.push(Beam { tokens, log_probability });
            from.push(beam);
        }
        finished.sort_by(|a, b| b.score.total_cmp(&a.score));
        finished.truncate(options.beams);
        if length == options.tokens {
            finished.extend(kept.iter().map(|beam| options.hypothesis(beam, false)));
            break;
        }
        if kept.is_empty() || done(&finished, &kept, options) {
            break;
        }
        writing.select(&from);
        beams = kept;
    }
    finished.sort_by(|a, b| b.ended.cmp(&a.ended).then(b.score.total_cmp(&a.score)));
    finished.truncate(options.beams);
    Ok(finished)
}

/// Log probabilities of every next token of every beam, row by row; −∞ of those that are never written.
fn next_probabilities(
    writing: &mut dyn Writing,
    beams: &[Beam],
    options: &SearchOptions,
    device: &Device,
) -> Vec<f64> {
    let last: Vec<i64> =
        beams.iter().map(|beam| i64::from(beam.tokens.last().copied().unwrap_or(options.begin))).collect();
    let last = Tensor::from_data(TensorData::new(last, [beams.len(), 1]), (device, DType::I64));
    let mut next: Vec<f64> = log_softmax(writing.step(last), 2).into_data().iter::<f64>().collect();
    let vocabulary = next.len() / beams.len();
    for row in next.chunks_exact_mut(vocabulary) {
        for &token in &options.never {
            row[token as usize] = f64::NEG_INFINITY;
        }
    }
    next
}

/// Whether no unfinished hypothesis can still enter the finished ones. Log probabilities only fall; the best score that a
/// beam may reach is with what it has, at the length that makes the most of it.
fn done(finished: &[Hypothesis], beams: &[Beam], options: &SearchOptions) -> bool {
    if finished.len() < options.beams {
        return false;
    }
    let worst = finished.iter().map(|hypothesis| hypothesis.score).fold(f64::INFINITY, f64::min);
    let best = beams.iter().map(|beam| {
        let here = options.score(beam.log_probability, beam.tokens.len() + 1);
        here.max(options.score(beam.log_probability, options.tokens))
    });
    best.fold(f64::NEG_INFINITY, f64::max) <= worst
}
