//! Score attention as an operation of the CPU back end, and its gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::{ScoreOptions, cpu};
use crate::gradients::{propagate, track};
use crate::operand::Operand;
use crate::tiled::readable;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait ScoreBackend: Backend {
    fn fused_score_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        #[extension_type] bias: Operand<Self>,
        options: ScoreOptions,
    ) -> FloatTensor<Self>;
}

impl ScoreBackend for Flex {
    fn fused_score_attention(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        bias: Operand<Self>,
        options: ScoreOptions,
    ) -> FlexTensor {
        cpu::forward(&operands([q, k, v], bias.into_option()), &options)
    }
}

impl<C: CheckpointStrategy> ScoreBackend for Autodiff<Flex, C> {
    fn fused_score_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: Operand<Self>,
        options: ScoreOptions,
    ) -> FloatTensor<Self> {
        let bias = bias.into_option();
        // An absent bias is stood for by q; nothing is registered for it.
        let nodes = [q.node(), k.node(), v.node(), bias.as_ref().unwrap_or(&q).node()];
        let tensors = [q, k, v].map(|operand| operand.into_primitive());
        let operands = operands(tensors, bias.map(|bias| bias.into_primitive()));
        let out = cpu::forward(&operands, &options);
        track::<C, _, _>(ScoreBackward, nodes, out, State { operands, options })
    }
}

fn operands(tensors: [FlexTensor; 3], bias: Option<FlexTensor>) -> cpu::Operands {
    cpu::Operands { tensors: tensors.map(readable), bias: bias.map(|bias| bias.to_contiguous()) }
}

#[derive(Clone, Debug)]
struct State {
    operands: cpu::Operands,
    options: ScoreOptions,
}

#[derive(Debug)]
struct ScoreBackward;

impl Backward<Flex, 4> for ScoreBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 4>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |upstream, State { operands, options }, _| {
            cpu::backward(&readable(upstream), &operands, &options)
        });
    }
}
