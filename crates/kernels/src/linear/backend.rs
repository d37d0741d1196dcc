//! The affine map as an operation of the CPU back end, and its gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::cpu;
use crate::Activation;
use crate::gradients::propagate;
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
        let bias = bias.into_option();
        // The node of x stands for an absent bias; no gradient is registered for it there.
        let nodes = [x.node(), weight.node(), bias.as_ref().unwrap_or(&x).node()];
        let has_bias = bias.is_some();
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let bias = bias.map(|bias| bias.into_primitive());
        match LinearBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::UnTracked(preparation) => {
                preparation.finish(cpu::forward(x, weight, bias.as_ref(), activation, false).0)
            }
            OpsKind::Tracked(preparation) => {
                let (y, saved) = cpu::forward(x, weight, bias.as_ref(), activation, true);
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
struct LinearBackward;

impl Backward<Flex, 3> for LinearBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |dy, State { saved, has_bias }, [x, weight, bias]| {
            cpu::backward(dy, &saved, [x, weight, bias && has_bias])
        });
    }
}
