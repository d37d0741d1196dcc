//! The two kinds of models that write a target: an encoder–decoder, and a decoder that reads the source itself.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Precision};
use mixlab_data::PairBatch;
use mixlab_kernels::Mask;
use mixlab_nn::search::{Hypothesis, SearchOptions};
use mixlab_nn::seq2seq::{Memory, SequenceToSequence};
use mixlab_nn::{Context, LanguageModel, Mode, ModelError};
use mixlab_objectives::ByPath;
use mixlab_objectives::language::{self, LanguageBatch, causal_lm_loss};
use mixlab_objectives::seq2seq::{self, SequencePairs, sequence_to_sequence_loss};

use crate::generate::Stepper;
use crate::token_ids::token_ids;

/// What the forward pass of a batch depends on beside the model and the batch.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// Training or evaluation.
    pub mode: Mode,
    /// Of the noise.
    pub key: Key,
    /// What the sum of the weighted losses is divided by.
    pub normaliser: f64,
    /// Where the model is.
    pub device: &'a Device,
    /// That of the model.
    pub precision: Precision,
    /// Id of padding.
    pub padding: u32,
    /// Positions that rows of a decoder that reads the source itself are padded to, where its mixer takes one length only.
    pub full: Option<usize>,
}

/// A model that writes the target of a source.
pub trait Writer: Module {
    /// A batch of pairs as the model takes it.
    type Batch;

    /// Puts a batch of pairs on the device.
    fn batch(pairs: &PairBatch, at: Circumstances<'_>) -> Self::Batch;

    /// Σ weight · loss / normaliser of all targets.
    fn loss(&self, batch: &Self::Batch) -> Tensor<1>;

    /// The same with the gradients of all parameters, with the activations of `segment` blocks at a time.
    fn gradients_in_segments(&self, batch: &Self::Batch, segment: usize) -> (Tensor<1>, ByPath);

    /// The best targets of a source, which ends with the end-of-text token.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if the token mixer of the decoder cannot go token by token.
    fn search(
        &self,
        source: &[u32],
        options: SearchOptions,
        device: &Device,
    ) -> Result<Vec<Hypothesis>, ModelError>;

    /// Whether the decoder can go token by token.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if its token mixer cannot.
    fn check_stepping(&self) -> Result<(), ModelError>;

    /// The model after it has read a source, which ends with the end-of-text token.
    ///
    /// # Errors
    /// As [`Writer::search`].
    fn stepper<'a>(&'a self, source: &[u32], device: &Device) -> Result<Stepper<'a>, ModelError>;
}

fn context(samples: &[u64], padding: Option<&Vec<bool>>, at: Circumstances<'_>, site: &str) -> Context {
    Context {
        mode: at.mode,
        causal: true,
        key: at.key.site(site),
        samples: samples.into(),
        mask: Mask { padding: padding.map(|padding| Arc::from(padding.as_slice())), segments: None },
        start: 0,
        gap: 0,
        memory: None,
    }
}

impl Writer for SequenceToSequence {
    type Batch = SequencePairs;

    fn batch(pairs: &PairBatch, at: Circumstances<'_>) -> SequencePairs {
        let [source, target] = [pairs.source_length, pairs.target_length].map(|length| [pairs.batch, length]);
        let source_context = context(&pairs.samples, pairs.source_padding.as_ref(), at, "source");
        SequencePairs {
            source: token_ids(&pairs.sources, source, at.device),
            source_context: Context { causal: false, ..source_context },
            target: LanguageBatch::new(
                target,
                &pairs.inputs,
                &pairs.targets,
                &pairs.weights,
                at.normaliser,
                at.device,
                at.precision,
            ),
            target_context: context(&pairs.samples, pairs.target_padding.as_ref(), at, "target"),
        }
    }

    fn loss(&self, batch: &SequencePairs) -> Tensor<1> {
        sequence_to_sequence_loss(self, batch)
    }

    fn gradients_in_segments(&self, batch: &SequencePairs, segment: usize) -> (Tensor<1>, ByPath) {
        seq2seq::segmented_gradients(self, batch, segment)
    }

    fn search(
        &self,
        source: &[u32],
        options: SearchOptions,
        device: &Device,
    ) -> Result<Vec<Hypothesis>, ModelError> {
        self.search(read(self, source, device), options)
    }

    fn check_stepping(&self) -> Result<(), ModelError> {
        self.decoder().state(1).map(drop)
    }

    fn stepper<'a>(&'a self, source: &[u32], device: &Device) -> Result<Stepper<'a>, ModelError> {
        let mut state = self.state(read(self, source, device))?;
        let begin = source[source.len() - 1..].to_vec();
        let step = move |tokens| self.logits(self.step(tokens, &mut state));
        Ok(Stepper { step: Box::new(step), begin })
    }
}

/// The encoder's output for one source.
fn read(model: &SequenceToSequence, source: &[u32], device: &Device) -> Memory {
    model.encode(token_ids(source, [1, source.len()], device), &Context::evaluation(1, false))
}

impl Writer for LanguageModel {
    type Batch = (LanguageBatch, Context);

    fn batch(pairs: &PairBatch, at: Circumstances<'_>) -> Self::Batch {
        let rows = pairs.joined(at.full, at.padding);
        let context = context(&rows.samples, rows.padding.as_ref(), at, "target");
        let batch = LanguageBatch::new(
            [rows.batch, rows.length],
            &rows.inputs,
            &rows.targets,
            &rows.weights,
            at.normaliser,
            at.device,
            at.precision,
        );
        (batch, context)
    }

    fn loss(&self, (batch, context): &Self::Batch) -> Tensor<1> {
        causal_lm_loss(self, batch, context)
    }

    fn gradients_in_segments(&self, (batch, context): &Self::Batch, segment: usize) -> (Tensor<1>, ByPath) {
        language::segmented_gradients(self, batch, context, segment)
    }

    fn search(
        &self,
        source: &[u32],
        options: SearchOptions,
        device: &Device,
    ) -> Result<Vec<Hypothesis>, ModelError> {
        // The end of the source begins the target, and is the first token that the search feeds.
        let read = &source[..source.len() - 1];
        let read = (!read.is_empty()).then(|| token_ids(read, [1, read.len()], device));
        self.search(read, options, device)
    }

    fn check_stepping(&self) -> Result<(), ModelError> {
        self.state(1).map(drop)
    }

    fn stepper<'a>(&'a self, source: &[u32], _device: &Device) -> Result<Stepper<'a>, ModelError> {
        let mut state = self.state(1)?;
        let step = move |tokens| self.logits(self.step(tokens, &mut state));
        Ok(Stepper { step: Box::new(step), begin: source.to_vec() })
    }
}
