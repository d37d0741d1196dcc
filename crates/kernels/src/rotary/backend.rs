//! The rotation as an operation of the CPU back end; its gradient is the rotation back.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::cpu::{self, Rotation};
use crate::gradients::track;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait RotaryBackend: Backend {
    fn fused_rotary(x: FloatTensor<Self>, rotation: Rotation) -> FloatTensor<Self>;
}

impl RotaryBackend for Flex {
    fn fused_rotary(x: FlexTensor, rotation: Rotation) -> FlexTensor {
        cpu::rotate(&x, &rotation)
    }
}

impl<C: CheckpointStrategy> RotaryBackend for Autodiff<Flex, C> {
    fn fused_rotary(x: FloatTensor<Self>, rotation: Rotation) -> FloatTensor<Self> {
        let node = x.node();
        let y = cpu::rotate(&x.into_primitive(), &rotation);
        track::<C, _, _>(RotaryBackward, [node], y, rotation)
    }
}

#[derive(Debug)]
struct RotaryBackward;

impl Backward<Flex, 1> for RotaryBackward {
    type State = Rotation;

    fn backward(self, ops: Ops<Rotation, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let rotation = ops.state.inverse();
        unary::<Flex, _>(ops.parents, ops.node, gradients, |dy| cpu::rotate(&dy, &rotation));
    }
}
