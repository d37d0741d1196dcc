//! Softmax attention as an operation of the CPU back end, and its gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::{SoftmaxOptions, cpu};
use crate::tiled::readable;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait SoftmaxBackend: Backend {
    fn fused_softmax_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        options: SoftmaxOptions,
    ) -> FloatTensor<Self>;
}

impl SoftmaxBackend for Flex {
    fn fused_softmax_attention(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        options: SoftmaxOptions,
    ) -> FlexTensor {
        cpu::forward(&[q, k, v].map(readable), &options).0
    }
}

impl<C: CheckpointStrategy> SoftmaxBackend for Autodiff<Flex, C> {
    fn fused_softmax_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        options: SoftmaxOptions,
    ) -> FloatTensor<Self> {
        let nodes = [q.node(), k.node(), v.node()];
        let operands = [q, k, v].map(|operand| readable(operand.into_primitive()));
        let (out, saved) = cpu::forward(&operands, &options);
        match SoftmaxBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::UnTracked(preparation) => preparation.finish(out),
            OpsKind::Tracked(preparation) => preparation.finish(State { operands, saved, options }, out),
        }
    }
}

#[derive(Clone, Debug)]
struct State {
    operands: cpu::Operands,
    saved: cpu::Saved,
    options: SoftmaxOptions,
}

#[derive(Debug)]
struct SoftmaxBackward;

impl Backward<Flex, 3> for SoftmaxBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let State { operands, saved, options } = ops.state;
        let upstream = readable(gradients.consume::<Flex>(&ops.node));
        let results = cpu::backward(&upstream, &operands, &saved, &options);
        for (node, result) in ops.parents.into_iter().zip(results) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, result);
            }
        }
    }
}
