//! The transform as an operation of the CPU back end; its gradient is the same operation.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::{FourierGroups, cpu};
use crate::gradients::track;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait FourierBackend: Backend {
    fn fused_fourier_mix(x: FloatTensor<Self>, groups: Option<FourierGroups>) -> FloatTensor<Self>;
}

impl FourierBackend for Flex {
    fn fused_fourier_mix(x: FlexTensor, groups: Option<FourierGroups>) -> FlexTensor {
        cpu::fourier_mix(x, groups.as_ref())
    }
}

impl<C: CheckpointStrategy> FourierBackend for Autodiff<Flex, C> {
    fn fused_fourier_mix(x: FloatTensor<Self>, groups: Option<FourierGroups>) -> FloatTensor<Self> {
        let node = x.node();
        let y = cpu::fourier_mix(x.into_primitive(), groups.as_ref());
        track::<C, _, _>(FourierBackward, [node], y, groups)
    }
}

#[derive(Debug)]
struct FourierBackward;

impl Backward<Flex, 1> for FourierBackward {
    type State = Option<FourierGroups>;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let groups = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |dy| cpu::fourier_mix(dy, groups.as_ref()));
    }
}
