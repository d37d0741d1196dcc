//! Batch normalisation by given moments as an operation of the CPU back end, and its gradient through them.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::cpu;
use crate::gradients::{propagate, track};

#[backend_extension(Autodiff, Flex)]
pub(crate) trait BatchNormBackend: Backend {
    /// `mean` and `variance` are those of `x`.
    fn fused_batch_norm(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;
}

impl BatchNormBackend for Flex {
    fn fused_batch_norm(
        x: FlexTensor,
        gain: FlexTensor,
        bias: FlexTensor,
        mean: FlexTensor,
        variance: FlexTensor,
        epsilon: f64,
    ) -> FlexTensor {
        cpu::forward(&cpu::Saved { x, gain, mean, variance, epsilon }, &bias)
    }
}

impl<C: CheckpointStrategy> BatchNormBackend for Autodiff<Flex, C> {
    fn fused_batch_norm(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), gain.node(), bias.node()];
        let [x, gain, mean, variance] = [x, gain, mean, variance].map(|operand| operand.into_primitive());
        let saved = cpu::Saved { x, gain, mean, variance, epsilon };
        let y = cpu::forward(&saved, &bias.into_primitive());
        track::<C, _, _>(BatchNormBackward, nodes, y, saved)
    }
}

#[derive(Debug)]
struct BatchNormBackward;

impl Backward<Flex, 3> for BatchNormBackward {
    type State = cpu::Saved;

    fn backward(self, ops: Ops<cpu::Saved, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |dy, saved, needed| cpu::backward(&dy, &saved, needed));
    }
}
