//! The affine map and rotation as an operation of the CPU back end, and its gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::cpu::{self, Head, Operands};
use crate::gradients::{propagate, track};
use crate::operand::Operand;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait AffineRotaryBackend: Backend {
    fn fused_affine_rotary(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        #[extension_type] beta: Operand<Self>,
        head: Head,
    ) -> FloatTensor<Self>;
}

impl AffineRotaryBackend for Flex {
    fn fused_affine_rotary(x: FlexTensor, gamma: FlexTensor, beta: Operand<Self>, head: Head) -> FlexTensor {
        cpu::forward(&Operands::new(x, gamma, beta.into_option(), head))
    }
}

impl<C: CheckpointStrategy> AffineRotaryBackend for Autodiff<Flex, C> {
    fn fused_affine_rotary(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: Operand<Self>,
        head: Head,
    ) -> FloatTensor<Self> {
        let beta = beta.into_option();
        // The node of γ stands for an absent β; no gradient is registered for it there.
        let nodes = [x.node(), gamma.node(), beta.as_ref().unwrap_or(&gamma).node()];
        let beta = beta.map(|beta| beta.into_primitive());
        let operands = Operands::new(x.into_primitive(), gamma.into_primitive(), beta, head);
        let out = cpu::forward(&operands);
        track::<C, _, _>(AffineRotaryBackward, nodes, out, operands)
    }
}

#[derive(Debug)]
struct AffineRotaryBackward;

impl Backward<Flex, 3> for AffineRotaryBackward {
    type State = Operands;

    fn backward(self, ops: Ops<Operands, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |dy, operands, _| {
            let [x, gamma, beta] = cpu::backward(&dy, &operands);
            [Some(x), Some(gamma), operands.has_beta().then_some(beta)]
        });
    }
}
