//! Texts written from latents, many at once.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Purpose};
use mixlab_data::{Enclosure, TextStream, Tokenizer};
use mixlab_nn::latent::TextVae;
use mixlab_nn::search::SearchOptions;
use rayon::prelude::*;

use crate::generate::placeholders;
use crate::token_ids::token_ids;
use crate::{SamplingConfig, TrainError};

/// How texts are written from their latents.
#[derive(Clone, Debug, PartialEq)]
pub enum Writing {
    /// Token by token, as `sampling` draws them; with a temperature of 0 always the most probable one. Token i of text number r is drawn
    /// with element i of the stream r of the seed, whatever is written beside it.
    Draw {
        /// How a token is drawn.
        sampling: SamplingConfig,
        /// Seed of the draws.
        seed: u64,
    },
    /// By a search with so many hypotheses for the most probable text, without regard to its length.
    Search {
        /// Hypotheses.
        beams: usize,
    },
}

impl Writing {
    /// Always the most probable token.
    pub fn greedy() -> Self {
        Writing::Draw { sampling: SamplingConfig { temperature: 0.0, ..SamplingConfig::default() }, seed: 0 }
    }
}

/// A text that was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WrittenText {
    /// The text.
    pub text: String,
    /// Its tokens, without those around it.
    pub tokens: Vec<u32>,
    /// Σ log p of its tokens and its end in nats, as the model has it before any temperature.
    pub log_probability: f64,
    /// Whether it ended by itself, and not because there was no more room.
    pub ended: bool,
}

/// What is told of a text while it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// More of it, which is certain.
    Text(&'a str),
    /// That it is complete.
    End,
}

/// Is told of the texts that are written, each by its number, and may break it all off. Several are written at once: what is told of one
/// comes in order, of different ones in any.
pub type ReceivePiece<'a> = &'a mut (dyn FnMut(usize, Piece<'_>) -> ControlFlow<()> + Send);

/// Texts that are written together; other groups are written beside them, each by one thread. A step of so few rows is too little work to be
/// shared between threads. Fixed, so that the same texts always go together.
pub const TEXTS_TOGETHER: usize = 32;

/// A receiver that does not look.
pub fn unheard(_: usize, _: Piece<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A model that writes texts, with what belongs to it.
#[derive(Clone, Copy)]
pub struct SentenceWriter<'a> {
    /// The model, without gradient tracking.
    pub model: &'a TextVae,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The tokens around a text.
    pub enclosure: Enclosure,
    /// Longest text in tokens with those around it.
    pub length: usize,
    /// Where the model is.
    pub device: &'a Device,
}

/// A text in the making.
struct OpenText<'a> {
    written: WrittenText,
    stream: TextStream<'a>,
    tokenizer: &'a Tokenizer,
}

impl<'a> OpenText<'a> {
    fn new(tokenizer: &'a Tokenizer) -> Self {
        OpenText { written: WrittenText::default(), stream: tokenizer.stream(), tokenizer }
    }

    fn push(&mut self, token: u32, row: usize, receive: ReceivePiece<'_>) -> ControlFlow<()> {
        self.written.tokens.push(token);
        let piece = self.stream.push(token);
        self.written.text.push_str(&piece);
        if piece.is_empty() { ControlFlow::Continue(()) } else { receive(row, Piece::Text(&piece)) }
    }

    fn finish(&mut self, row: usize, receive: ReceivePiece<'_>) -> ControlFlow<()> {
        let rest = std::mem::replace(&mut self.stream, self.tokenizer.stream()).finish();
        self.written.text.push_str(&rest);
        if !rest.is_empty() {
            receive(row, Piece::Text(&rest))?;
        }
        receive(row, Piece::End)
    }
}

impl SentenceWriter<'_> {
    /// Writes a text from each row of `latents`, `[b, latent]` of every layer. `receive` is told
    /// what is certain of each text as soon as it is; of a text that is cut at the most tokens the end is told last.
    ///
    /// # Errors
    /// A mixer that cannot go token by token; a search without hypotheses.
    pub fn write(
        &self,
        latents: &[Tensor<2>],
        writing: &Writing,
        receive: ReceivePiece<'_>,
    ) -> Result<Vec<WrittenText>, TrainError> {
        let rows = latents[0].dims()[0];
        let (receive, stopped) = (Mutex::new(receive), AtomicBool::new(false));
        let write = |&start: &usize| {
            let count = TEXTS_TOGETHER.min(rows - start);
            let latents: Vec<Tensor<2>> =
                latents.iter().map(|latent| latent.clone().narrow(0, start, count)).collect();
            let mut told = |row: usize, piece: Piece<'_>| {
                if stopped.load(Ordering::Relaxed) {
                    return ControlFlow::Break(());
                }
                let flow = receive.lock().unwrap_or_else(PoisonError::into_inner)(start + row, piece);
                if flow.is_break() {
                    stopped.store(true, Ordering::Relaxed);
                }
                flow
            };
            match writing {
                Writing::Draw { sampling, seed } => {
                    self.draw(&latents, (start as u64, *seed), sampling, &mut told)
                }
                Writing::Search { beams } => self.search(&latents, *beams, &mut told),
            }
        };
        let starts: Vec<usize> = (0..rows).step_by(TEXTS_TOGETHER).collect();
        let mut texts = Vec::with_capacity(rows);
        // As many as there are threads, and then the next: a listener hears the first texts first.
        for together in starts.chunks(rayon::current_num_threads()) {
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            let written: Vec<Vec<WrittenText>> =
                together.par_iter().map(write).collect::<Result<_, TrainError>>()?;
            texts.extend(written.into_iter().flatten());
        }
        Ok(texts)
    }

    /// The most tokens of a text with its end.
    fn most(&self) -> usize {
        self.length - 1
    }

    fn never(&self) -> Vec<u32> {
        let vocabulary = self.model.output_weight().0.dims()[0];
        let mut never = placeholders(self.tokenizer, vocabulary, false);
        never.push(self.enclosure.begin);
        never.retain(|&token| token != self.enclosure.end);
        never
    }

    fn draw(
        &self,
        latents: &[Tensor<2>],
        (first, seed): (u64, u64),
        sampling: &SamplingConfig,
        receive: ReceivePiece<'_>,
    ) -> Result<Vec<WrittenText>, TrainError> {
        let rows = latents[0].dims()[0];
        let (never, key) = (self.never(), Key::root(seed).purpose(Purpose::Sample));
        let (output, mut state) = (self.model.output(), self.model.state(latents)?);
        let mut texts: Vec<OpenText> = (0..rows).map(|_| OpenText::new(self.tokenizer)).collect();
        // The texts that are still written, in the order of the rows of the state.
        let mut open: Vec<usize> = (0..rows).collect();
        let mut last = vec![self.enclosure.begin; rows];
        for index in 0..self.most() {
            let hidden = self.model.step(token_ids(&last, [open.len(), 1], self.device), &mut state);
            let mut next: Vec<f64> = log_softmax(output.logits(hidden), 2).into_data().iter().collect();
            let (mut kept, vocabulary) = (Vec::new(), next.len() / open.len());
            for (row, likelihoods) in next.chunks_exact_mut(vocabulary).enumerate() {
                never.iter().for_each(|&token| likelihoods[token as usize] = f64::NEG_INFINITY);
                let uniform = key.sample(first + open[row] as u64).uniform(index as u64);
                let token = sampling.draw(likelihoods, uniform);
                let text = &mut texts[open[row]];
                text.written.log_probability += likelihoods[token as usize];
                let ends = token == self.enclosure.end;
                text.written.ended = ends;
                let told =
                    if ends { text.finish(open[row], receive) } else { text.push(token, open[row], receive) };
                if told.is_break() {
                    return Ok(texts.into_iter().map(|text| text.written).collect());
                }
                if !ends {
                    kept.push((row, token));
                }
            }
            if kept.len() < open.len() {
                let rows: Vec<usize> = kept.iter().map(|&(row, _)| row).collect();
                open = rows.iter().map(|&row| open[row]).collect();
                if open.is_empty() {
                    break;
                }
                state = state.select(&rows, self.device);
            }
            last = kept.into_iter().map(|(_, token)| token).collect();
        }
        for row in open {
            if texts[row].finish(row, receive).is_break() {
                break;
            }
        }
        Ok(texts.into_iter().map(|text| text.written).collect())
    }

    fn search(
        &self,
        latents: &[Tensor<2>],
        beams: usize,
        receive: ReceivePiece<'_>,
    ) -> Result<Vec<WrittenText>, TrainError> {
        let options = SearchOptions {
            beams,
            tokens: self.most(),
            length_penalty: 0.0,
            begin: self.enclosure.begin,
            end: self.enclosure.end,
            never: self.never(),
        };
        let mut texts = Vec::new();
        for row in 0..latents[0].dims()[0] {
            let of_row: Vec<Tensor<2>> =
                latents.iter().map(|latent| latent.clone().narrow(0, row, 1)).collect();
            let found = self.model.search(&of_row, options.clone(), self.device)?;
            let best = found.into_iter().next();
            let text = best.map_or_else(WrittenText::default, |best| WrittenText {
                text: self.tokenizer.decode(&best.tokens),
                tokens: best.tokens,
                log_probability: best.log_probability,
                ended: best.ended,
            });
            let mut flow = receive(row, Piece::Text(&text.text));
            if flow.is_continue() {
                flow = receive(row, Piece::End);
            }
            texts.push(text);
            if flow.is_break() {
                break;
            }
        }
        Ok(texts)
    }
}
