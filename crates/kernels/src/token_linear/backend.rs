//! The map over tokens as an operation of the CPU back end, and its gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::{TokenOptions, cpu};
use crate::gradients::{AffineState, propagate, track_affine};
use crate::operand::Operand;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait TokenLinearBackend: Backend {
    fn fused_token_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Operand<Self>,
        options: TokenOptions,
    ) -> FloatTensor<Self>;
}

impl TokenLinearBackend for Flex {
    fn fused_token_linear(
        x: FlexTensor,
        weight: FlexTensor,
        bias: Operand<Self>,
        options: TokenOptions,
    ) -> FlexTensor {
        cpu::forward(x, weight, bias.into_option().as_ref(), options, false).0
    }
}

impl<C: CheckpointStrategy> TokenLinearBackend for Autodiff<Flex, C> {
    fn fused_token_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Operand<Self>,
        options: TokenOptions,
    ) -> FloatTensor<Self> {
        track_affine::<C, _, _>(
            TokenLinearBackward,
            [x, weight],
            bias.into_option(),
            |x, weight, bias, tracked| cpu::forward(x, weight, bias, options, tracked),
        )
    }
}

#[derive(Debug)]
struct TokenLinearBackward;

impl Backward<Flex, 3> for TokenLinearBackward {
    type State = AffineState<cpu::Saved>;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |dy, AffineState { saved, has_bias }, [x, weight, bias]| {
            cpu::backward(dy, &saved, [x, weight, bias && has_bias])
        });
    }
}
