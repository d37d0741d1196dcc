//! The loss as an operation of the CPU back end, and its gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::cpu::{self, Inputs, OperandGradients};
use crate::gradients::{propagate, track};
use crate::operand::Operand;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait CrossEntropyBackend: Backend {
    fn fused_cross_entropy(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Operand<Self>,
        targets: IntTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

impl CrossEntropyBackend for Flex {
    fn fused_cross_entropy(
        hidden: FlexTensor,
        weight: FlexTensor,
        bias: Operand<Self>,
        targets: FlexTensor,
        weights: FlexTensor,
    ) -> FlexTensor {
        let inputs = Inputs { hidden, weight, bias: bias.into_option(), targets, weights };
        cpu::forward(&inputs, [false; 3]).0
    }
}

impl<C: CheckpointStrategy> CrossEntropyBackend for Autodiff<Flex, C> {
    fn fused_cross_entropy(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Operand<Self>,
        targets: IntTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let bias = bias.into_option();
        // The node of the hidden rows stands for an absent bias; no gradient is registered for it there.
        let nodes = [hidden.node(), weight.node(), bias.as_ref().unwrap_or(&hidden).node()];
        let needed =
            [hidden.is_tracked(), weight.is_tracked(), bias.as_ref().is_some_and(|bias| bias.is_tracked())];
        let inputs = Inputs {
            hidden: hidden.into_primitive(),
            weight: weight.into_primitive(),
            bias: bias.map(|bias| bias.into_primitive()),
            targets,
            weights: weights.into_primitive(),
        };
        let (loss, gradients) = cpu::forward(&inputs, needed);
        track::<C, _, _>(CrossEntropyBackward, nodes, loss, gradients)
    }
}

#[derive(Debug)]
struct CrossEntropyBackward;

impl Backward<Flex, 3> for CrossEntropyBackward {
    type State = OperandGradients;

    fn backward(self, ops: Ops<OperandGradients, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |seed, gradients, _| {
            gradients.map(|gradient| gradient.map(|gradient| cpu::scaled(gradient, &seed)))
        });
    }
}
