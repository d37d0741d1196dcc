//! The look-up as an operation of the CPU back end, and its gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, unary};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::cpu::{self, Lookup};
use crate::gradients::track;
use crate::profile;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait EmbeddingBackend: Backend {
    fn fused_embedding(weight: FloatTensor<Self>, ids: IntTensor<Self>) -> FloatTensor<Self>;
}

impl EmbeddingBackend for Flex {
    fn fused_embedding(weight: FlexTensor, ids: FlexTensor) -> FlexTensor {
        profile::operation("embedding", [], || cpu::forward(weight, &ids)).0
    }
}

impl<C: CheckpointStrategy> EmbeddingBackend for Autodiff<Flex, C> {
    fn fused_embedding(weight: FloatTensor<Self>, ids: IntTensor<Self>) -> FloatTensor<Self> {
        let node = weight.node();
        let weight = weight.into_primitive();
        let (y, lookup) = profile::operation("embedding", [], || cpu::forward(weight, &ids));
        track::<C, _, _>(EmbeddingBackward, [node], y, lookup)
    }
}

#[derive(Debug)]
struct EmbeddingBackward;

impl Backward<Flex, 1> for EmbeddingBackward {
    type State = Lookup;

    fn backward(self, ops: Ops<Lookup, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let lookup = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |dy| {
            profile::operation("embedding", [&dy], || cpu::backward(&dy, &lookup))
        });
    }
}
