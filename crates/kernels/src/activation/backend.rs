//! The activation as an operation of the CPU back end, and its gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::{Activation, cpu};
use crate::gradients::track;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait ActivationBackend: Backend {
    fn fused_activation(x: FloatTensor<Self>, kind: Activation) -> FloatTensor<Self>;
}

impl ActivationBackend for Flex {
    fn fused_activation(x: FlexTensor, kind: Activation) -> FlexTensor {
        cpu::forward(&x, kind)
    }
}

impl<C: CheckpointStrategy> ActivationBackend for Autodiff<Flex, C> {
    fn fused_activation(x: FloatTensor<Self>, kind: Activation) -> FloatTensor<Self> {
        let node = x.node();
        let x = x.into_primitive();
        let y = cpu::forward(&x, kind);
        track::<C, _, _>(ActivationBackward, [node], y, (x, kind))
    }
}

#[derive(Debug)]
struct ActivationBackward;

impl Backward<Flex, 1> for ActivationBackward {
    type State = (FlexTensor, Activation);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (x, kind) = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |dy| cpu::backward(&dy, &x, kind));
    }
}
