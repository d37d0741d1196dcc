//! The affine map as an operation of the CPU back end, and its gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::cpu;
use crate::Activation;
use crate::gradients::{AffineState, propagate, track_affine};
use crate::operand::Operand;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait LinearBackend: Backend {
    fn fused_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Operand<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;
}

impl LinearBackend for Flex {
    fn fused_linear(
        x: FlexTensor,
        weight: FlexTensor,
        bias: Operand<Self>,
        activation: Activation,
    ) -> FlexTensor {
        cpu::forward(x, weight, bias.into_option().as_ref(), activation, false).0
    }
}

impl<C: CheckpointStrategy> LinearBackend for Autodiff<Flex, C> {
    fn fused_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Operand<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        track_affine::<C, _, _>(
            LinearBackward,
            [x, weight],
            bias.into_option(),
            |x, weight, bias, tracked| cpu::forward(x, weight, bias, activation, tracked),
        )
    }
}

#[derive(Debug)]
struct LinearBackward;

impl Backward<Flex, 3> for LinearBackward {
    type State = AffineState<cpu::Saved>;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |dy, AffineState { saved, has_bias }, [x, weight, bias]| {
            cpu::backward(dy, &saved, [x, weight, bias && has_bias])
        });
    }
}
