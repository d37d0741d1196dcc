//! The gated products as operations of the CPU back end, and their gradients.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::cpu;
use crate::Activation;
use crate::gradients::{propagate, track};

#[backend_extension(Autodiff, Flex)]
pub(crate) trait GatedBackend: Backend {
    fn fused_gated_product(
        value: FloatTensor<Self>,
        gate: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;

    fn fused_glu(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self>;
}

impl GatedBackend for Flex {
    fn fused_gated_product(value: FlexTensor, gate: FlexTensor, activation: Activation) -> FlexTensor {
        cpu::forward(&cpu::Gated::pair(value, gate), activation)
    }

    fn fused_glu(x: FlexTensor, activation: Activation) -> FlexTensor {
        cpu::forward(&cpu::Gated::halves(x), activation)
    }
}

impl<C: CheckpointStrategy> GatedBackend for Autodiff<Flex, C> {
    fn fused_gated_product(
        value: FloatTensor<Self>,
        gate: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let nodes = [value.node(), gate.node()];
        let gated = cpu::Gated::pair(value.into_primitive(), gate.into_primitive());
        let y = cpu::forward(&gated, activation);
        track::<C, _, _>(GatedProductBackward, nodes, y, (gated, activation))
    }

    fn fused_glu(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        let node = x.node();
        let gated = cpu::Gated::halves(x.into_primitive());
        let y = cpu::forward(&gated, activation);
        track::<C, _, _>(GluBackward, [node], y, (gated, activation))
    }
}

#[derive(Debug)]
struct GatedProductBackward;

impl Backward<Flex, 2> for GatedProductBackward {
    type State = (cpu::Gated, Activation);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |dy, (gated, activation), _| {
            cpu::pair_gradients(&dy, &gated, activation).map(Some)
        });
    }
}

#[derive(Debug)]
struct GluBackward;

impl Backward<Flex, 1> for GluBackward {
    type State = (cpu::Gated, Activation);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (gated, activation) = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |dy| {
            cpu::halves_gradient(&dy, &gated, activation)
        });
    }
}
