//! Rectifiers as operations of the CPU back end, and their gradients.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::cpu;
use crate::gradients::track;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait RectifierBackend: Backend {
    fn fused_leaky_relu(x: FloatTensor<Self>, slope: f64) -> FloatTensor<Self>;

    fn fused_rectifier_gate(
        x: FloatTensor<Self>,
        rectified: FloatTensor<Self>,
        slope: f64,
    ) -> FloatTensor<Self>;
}

impl RectifierBackend for Flex {
    fn fused_leaky_relu(x: FlexTensor, slope: f64) -> FlexTensor {
        cpu::gate(&x, &x, slope)
    }

    fn fused_rectifier_gate(x: FlexTensor, rectified: FlexTensor, slope: f64) -> FlexTensor {
        cpu::gate(&x, &rectified, slope)
    }
}

impl<C: CheckpointStrategy> RectifierBackend for Autodiff<Flex, C> {
    fn fused_leaky_relu(x: FloatTensor<Self>, slope: f64) -> FloatTensor<Self> {
        let node = x.node();
        let x = x.into_primitive();
        let y = cpu::gate(&x, &x, slope);
        track::<C, _, _>(GateBackward, [node], y, (x, slope))
    }

    fn fused_rectifier_gate(
        x: FloatTensor<Self>,
        rectified: FloatTensor<Self>,
        slope: f64,
    ) -> FloatTensor<Self> {
        let node = x.node();
        let (x, rectified) = (x.into_primitive(), rectified.into_primitive());
        let y = cpu::gate(&x, &rectified, slope);
        track::<C, _, _>(GateBackward, [node], y, (rectified, slope))
    }
}

/// Through the same gate.
#[derive(Debug)]
struct GateBackward;

impl Backward<Flex, 1> for GateBackward {
    type State = (FlexTensor, f64);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (signs, slope) = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |dy| cpu::gate(&dy, &signs, slope));
    }
}
