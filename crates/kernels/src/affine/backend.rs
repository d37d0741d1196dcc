//! Gain, bias and sum as an operation of the CPU back end, and its gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::cpu;
use crate::gradients::propagate;
use crate::operand::Operand;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait AffineBackend: Backend {
    fn fused_affine(
        x: FloatTensor<Self>,
        #[extension_type] gain: Operand<Self>,
        #[extension_type] bias: Operand<Self>,
        #[extension_type] shortcut: Operand<Self>,
    ) -> FloatTensor<Self>;
}

impl AffineBackend for Flex {
    fn fused_affine(
        x: FlexTensor,
        gain: Operand<Self>,
        bias: Operand<Self>,
        shortcut: Operand<Self>,
    ) -> FlexTensor {
        let [gain, bias, shortcut] = [gain, bias, shortcut].map(Operand::into_option);
        cpu::forward(&x.to_contiguous(), gain.as_ref(), bias.as_ref(), shortcut.as_ref())
    }
}

impl<C: CheckpointStrategy> AffineBackend for Autodiff<Flex, C> {
    fn fused_affine(
        x: FloatTensor<Self>,
        gain: Operand<Self>,
        bias: Operand<Self>,
        shortcut: Operand<Self>,
    ) -> FloatTensor<Self> {
        let [gain, bias, shortcut] = [gain, bias, shortcut].map(Operand::into_option);
        // An absent operand is stood for by x, whose gradient is registered in its own place only.
        let node = |operand: &Option<FloatTensor<Self>>| operand.as_ref().unwrap_or(&x).node();
        let nodes = [x.node(), node(&gain), node(&bias), node(&shortcut)];
        let present = [true, gain.is_some(), bias.is_some(), shortcut.is_some()];
        let [gain, bias, shortcut] =
            [gain, bias, shortcut].map(|operand| operand.map(|operand| operand.into_primitive()));
        let x = x.into_primitive().to_contiguous();
        let lengths = [&gain, &bias].map(|operand| operand.as_ref().map(|p| p.layout().num_elements()));
        let y = cpu::forward(&x, gain.as_ref(), bias.as_ref(), shortcut.as_ref());
        match AffineBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::UnTracked(preparation) => preparation.finish(y),
            OpsKind::Tracked(preparation) => preparation.finish(State { x, gain, lengths, present }, y),
        }
    }
}

#[derive(Clone, Debug)]
struct State {
    x: FlexTensor,
    gain: Option<FlexTensor>,
    /// Of gain and bias.
    lengths: [Option<usize>; 2],
    present: [bool; 4],
}

#[derive(Debug)]
struct AffineBackward;

impl Backward<Flex, 4> for AffineBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 4>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |gradient, State { x, gain, lengths, present }, _| {
            let mut results = cpu::backward(&gradient, &x, gain.as_ref(), lengths).into_iter();
            present.map(|present| results.next().filter(|_| present))
        });
    }
}
