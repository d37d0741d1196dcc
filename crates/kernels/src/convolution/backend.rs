//! The convolutions as one operation of the CPU back end, and its gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::ConvolutionOptions;
use super::cpu::{self, Operands};
use crate::gradients::{propagate, track};

#[backend_extension(Autodiff, Flex)]
pub(crate) trait ConvolutionBackend: Backend {
    /// The filters have two axes if they are shared by all positions, and four if not.
    fn fused_convolution(
        x: FloatTensor<Self>,
        filters: FloatTensor<Self>,
        options: ConvolutionOptions,
    ) -> FloatTensor<Self>;
}

impl ConvolutionBackend for Flex {
    fn fused_convolution(x: FlexTensor, filters: FlexTensor, options: ConvolutionOptions) -> FlexTensor {
        cpu::forward(&Operands::new(x, filters, options))
    }
}

impl<C: CheckpointStrategy> ConvolutionBackend for Autodiff<Flex, C> {
    fn fused_convolution(
        x: FloatTensor<Self>,
        filters: FloatTensor<Self>,
        options: ConvolutionOptions,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), filters.node()];
        let operands = Operands::new(x.into_primitive(), filters.into_primitive(), options);
        let y = cpu::forward(&operands);
        // Only the division needs the result again.
        let saved = operands.renormalises().then(|| y.clone());
        track::<C, _, _>(ConvolutionBackward, nodes, y, (operands, saved))
    }
}

#[derive(Debug)]
struct ConvolutionBackward;

impl Backward<Flex, 2> for ConvolutionBackward {
    type State = (Operands, Option<FlexTensor>);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |dy, (operands, y), needed| {
            cpu::backward(dy, &operands, y.as_ref(), needed)
        });
    }
}
