//! Dropout as an operation of the CPU back end; its gradient is the same operation.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::{Dropout, cpu};
use crate::gradients::track;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait DropoutBackend: Backend {
    fn fused_dropout(x: FloatTensor<Self>, options: Dropout) -> FloatTensor<Self>;
}

impl DropoutBackend for Flex {
    fn fused_dropout(x: FlexTensor, options: Dropout) -> FlexTensor {
        cpu::dropout(&x, &options)
    }
}

impl<C: CheckpointStrategy> DropoutBackend for Autodiff<Flex, C> {
    fn fused_dropout(x: FloatTensor<Self>, options: Dropout) -> FloatTensor<Self> {
        let node = x.node();
        let y = cpu::dropout(&x.into_primitive(), &options);
        track::<C, _, _>(DropoutBackward, [node], y, options)
    }
}

#[derive(Debug)]
struct DropoutBackward;

impl Backward<Flex, 1> for DropoutBackward {
    type State = Dropout;

    fn backward(self, ops: Ops<Dropout, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let options = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |dy| cpu::dropout(&dy, &options));
    }
}
