//! Sequence to sequence: the negative log-likelihood of a target, given its source and what is before each token.
//!
//! The loss is that of [language modelling](crate::language), whose normaliser is the total weight of the targets of an
//! optimiser step. Source: Sutskever, Vinyals and Le, "Sequence to sequence learning with neural networks", 2014, section 2.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use mixlab_nn::seq2seq::{Memory, SequenceToSequence};
use mixlab_nn::{Context, add_gradients, backward_from, parameter_gradients};

use crate::language::{LanguageBatch, hidden_loss};
use crate::segmented::{ByPath, Segments, input_gradient, tracked};

/// Sources and targets as tensors, each with the circumstances of its forward pass.
#[derive(Clone, Debug)]
pub struct SequencePairs {
    /// Ids of the sources `[batch, m]`.
    pub source: Tensor<2, Int>,
    /// Noise and padding of the sources.
    pub source_context: Context,
    /// What the decoder is shown, and what comes next.
    pub target: LanguageBatch,
    /// Noise and padding of the targets.
    pub target_context: Context,
}

impl SequencePairs {
    fn source_context(&self) -> Context {
        Context { causal: false, memory: None, ..self.source_context.clone() }
    }

    fn target_context(&self, memory: Memory) -> Context {
        Context { causal: true, memory: Some(memory), ..self.target_context.clone() }
    }
}

/// The weighted loss of all targets; shape `[1]`.
pub fn sequence_to_sequence_loss(model: &SequenceToSequence, pairs: &SequencePairs) -> Tensor<1> {
    let memory = model.encode(pairs.source.clone(), &pairs.source_context);
    let hidden = model.decode(pairs.target.inputs(), memory, &pairs.target_context);
    hidden_loss(model.output_weight(), hidden, &pairs.target)
}

/// Loss `[1]` and parameter gradients with the activations of `segment` blocks at a time, those of the loss's whole graph
/// up to rounding: the gradient of the encoder's output is summed over the segments of the decoder.
///
/// # Panics
/// If `segment` is 0.
pub fn segmented_gradients(
    model: &SequenceToSequence,
    pairs: &SequencePairs,
    segment: usize,
) -> (Tensor<1>, ByPath) {
    let mut sums = ByPath::new();
    let valid = model.valid();
    let source_context = pairs.source_context();
    let source = valid.embedding().forward(pairs.source.clone().inner(), &source_context);
    let (encoder, encoded) = Segments::forward(valid.encoder(), source, &source_context, segment);
    let states = valid.encoder().finish(encoded.clone());
    let context = pairs.target_context(Memory::new(states, source_context.mask.padding.clone()));
    let target = valid.embedding().forward(pairs.target.inputs().inner(), &context);
    let (decoder, last) = Segments::forward(valid.decoder(), target, &context, segment);

    let top = tracked(last);
    let loss = hidden_loss(model.output_weight(), model.decoder().finish(top.clone()), &pairs.target);
    let mut gradients = loss.backward();
    let upstream = input_gradient(&top, &mut gradients);
    add_gradients(&mut sums, parameter_gradients(model, &mut gradients));

    let (upstream, of_memory) = decoder.backward(model.decoder(), "decoder", upstream, &context, &mut sums);
    let mut gradients = backward_from(model.embedding().forward(pairs.target.inputs(), &context), upstream);
    add_gradients(&mut sums, parameter_gradients(model, &mut gradients));

    let end = tracked(encoded);
    let of_memory = of_memory.unwrap_or_else(|| end.clone().inner().zeros_like());
    let mut gradients = backward_from(model.encoder().finish(end.clone()), of_memory);
    let upstream = input_gradient(&end, &mut gradients);
    add_gradients(&mut sums, parameter_gradients(model, &mut gradients));
    let (upstream, _) = encoder.backward(model.encoder(), "encoder", upstream, &source_context, &mut sums);
    let source = model.embedding().forward(pairs.source.clone(), &source_context);
    let mut gradients = backward_from(source, upstream);
    add_gradients(&mut sums, parameter_gradients(model, &mut gradients));
    (loss.inner(), sums)
}
