//! The way of queries, keys and values through the engine, for every attention that has just these.

use std::fmt::Debug;
use std::marker::PhantomData;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn_flex::FlexTensor;

use crate::gradients::{propagate, track};
use crate::profile;
use crate::tiled::readable;

/// Queries, keys and values.
pub(crate) type Operands = [FlexTensor; 3];

/// The options of an attention, which know its kernel.
pub(crate) trait AttentionKernel: Clone + Debug + Send + 'static {
    /// Its name in a profile.
    const NAME: &'static str;

    /// What the backward pass needs beside the operands.
    type Saved: Clone + Debug + Send + 'static;

    fn forward(&self, operands: &Operands) -> (FlexTensor, Self::Saved);

    /// The gradients of the operands from that of the output.
    fn backward(&self, upstream: &FlexTensor, operands: &Operands, saved: &Self::Saved) -> Operands;
}

/// The attention's value.
pub(crate) fn attend<K: AttentionKernel>(operands: Operands, kernel: &K) -> FlexTensor {
    forward(&operands.map(readable), kernel).0
}

/// The attention's value, with its gradient tracked.
pub(crate) fn attend_tracked<K: AttentionKernel, C: CheckpointStrategy>(
    operands: [FloatTensor<Autodiff<Flex, C>>; 3],
    kernel: K,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = operands.each_ref().map(|operand| operand.node());
    let operands = operands.map(|operand| readable(operand.into_primitive()));
    let (out, saved) = forward(&operands, &kernel);
    track::<C, _, _>(AttentionBackward(PhantomData), nodes, out, State { operands, saved, kernel })
}

fn forward<K: AttentionKernel>(operands: &Operands, kernel: &K) -> (FlexTensor, K::Saved) {
    profile::operation(K::NAME, operands, || kernel.forward(operands))
}

#[derive(Clone, Debug)]
struct State<K: AttentionKernel> {
    operands: Operands,
    saved: K::Saved,
    kernel: K,
}

#[derive(Debug)]
struct AttentionBackward<K>(PhantomData<fn() -> K>);

impl<K: AttentionKernel> Backward<Flex, 3> for AttentionBackward<K> {
    type State = State<K>;

    fn backward(self, ops: Ops<State<K>, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |upstream, State { operands, saved, kernel }, _| {
            let upstream = readable(upstream);
            profile::operation(K::NAME, operands.iter().chain([&upstream]), || {
                kernel.backward(&upstream, &operands, &saved)
            })
            .map(Some)
        });
    }
}
