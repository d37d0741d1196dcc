//! The map over tokens as an operation of the CPU back end, and its gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::{TokenOptions, cpu};
use crate::gradients::propagate;
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
        let bias = bias.into_option();
        // The node of x stands for an absent bias; no gradient is registered for it there.
        let nodes = [x.node(), weight.node(), bias.as_ref().unwrap_or(&x).node()];
        let has_bias = bias.is_some();
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let bias = bias.map(|bias| bias.into_primitive());
        match TokenLinearBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::UnTracked(preparation) => {
                preparation.finish(cpu::forward(x, weight, bias.as_ref(), options, false).0)
            }
            OpsKind::Tracked(preparation) => {
                let (y, saved) = cpu::forward(x, weight, bias.as_ref(), options, true);
                preparation.finish(State { saved, has_bias }, y)
            }
        }
    }
}

#[derive(Clone, Debug)]
struct State {
    saved: cpu::Saved,
    has_bias: bool,
}

#[derive(Debug)]
struct TokenLinearBackward;

impl Backward<Flex, 3> for TokenLinearBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |dy, State { saved, has_bias }, [x, weight, bias]| {
            cpu::backward(dy, &saved, [x, weight, bias && has_bias])
        });
    }
}
