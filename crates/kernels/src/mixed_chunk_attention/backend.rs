//! Mixed chunk attention as an operation of the CPU back end, and its gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::{MixedChunkOptions, cpu};
use crate::gradients::{propagate, track};
use crate::operand::Operand;
use crate::tiled::readable;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait MixedChunkBackend: Backend {
    fn fused_mixed_chunk_attention(
        q_quadratic: FloatTensor<Self>,
        k_quadratic: FloatTensor<Self>,
        q_linear: FloatTensor<Self>,
        k_linear: FloatTensor<Self>,
        v: FloatTensor<Self>,
        #[extension_type] bias: Operand<Self>,
        options: MixedChunkOptions,
    ) -> FloatTensor<Self>;
}

impl MixedChunkBackend for Flex {
    fn fused_mixed_chunk_attention(
        q_quadratic: FlexTensor,
        k_quadratic: FlexTensor,
        q_linear: FlexTensor,
        k_linear: FlexTensor,
        v: FlexTensor,
        bias: Operand<Self>,
        options: MixedChunkOptions,
    ) -> FlexTensor {
        let tensors = [q_quadratic, k_quadratic, q_linear, k_linear, v];
        cpu::forward(&operands(tensors, bias.into_option()), &options)
    }
}

impl<C: CheckpointStrategy> MixedChunkBackend for Autodiff<Flex, C> {
    fn fused_mixed_chunk_attention(
        q_quadratic: FloatTensor<Self>,
        k_quadratic: FloatTensor<Self>,
        q_linear: FloatTensor<Self>,
        k_linear: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: Operand<Self>,
        options: MixedChunkOptions,
    ) -> FloatTensor<Self> {
        let bias = bias.into_option();
        // An absent bias is stood for by the values; nothing is registered for it.
        let bias_node = bias.as_ref().unwrap_or(&v).node();
        let nodes =
            [q_quadratic.node(), k_quadratic.node(), q_linear.node(), k_linear.node(), v.node(), bias_node];
        let tensors =
            [q_quadratic, k_quadratic, q_linear, k_linear, v].map(|operand| operand.into_primitive());
        let operands = operands(tensors, bias.map(|bias| bias.into_primitive()));
        let out = cpu::forward(&operands, &options);
        track::<C, _, _>(MixedChunkBackward, nodes, out, State { operands, options })
    }
}

fn operands(tensors: [FlexTensor; 5], bias: Option<FlexTensor>) -> cpu::Operands {
    cpu::Operands { tensors: tensors.map(readable), bias: bias.map(|bias| bias.to_contiguous()) }
}

#[derive(Clone, Debug)]
struct State {
    operands: cpu::Operands,
    options: MixedChunkOptions,
}

#[derive(Debug)]
struct MixedChunkBackward;

impl Backward<Flex, 6> for MixedChunkBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 6>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |upstream, State { operands, options }, _| {
            cpu::backward(&readable(upstream), &operands, &options)
        });
    }
}
