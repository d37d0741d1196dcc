//! The normalisation as an operation of the CPU back end, and its gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::{Rule, cpu};
use crate::gradients::propagate;
use crate::operand::Operand;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait NormBackend: Backend {
    fn fused_norm(
        x: FloatTensor<Self>,
        #[extension_type] branch: Operand<Self>,
        #[extension_type] gain: Operand<Self>,
        #[extension_type] bias: Operand<Self>,
        rule: Rule,
    ) -> FloatTensor<Self>;
}

impl NormBackend for Flex {
    fn fused_norm(
        x: FlexTensor,
        branch: Operand<Self>,
        gain: Operand<Self>,
        bias: Operand<Self>,
        rule: Rule,
    ) -> FlexTensor {
        let [branch, gain, bias] = [branch, gain, bias].map(Operand::into_option);
        cpu::forward(&x, branch.as_ref(), gain.as_ref(), bias.as_ref(), rule, false).0
    }
}

impl<C: CheckpointStrategy> NormBackend for Autodiff<Flex, C> {
    fn fused_norm(
        x: FloatTensor<Self>,
        branch: Operand<Self>,
        gain: Operand<Self>,
        bias: Operand<Self>,
        rule: Rule,
    ) -> FloatTensor<Self> {
        let [branch, gain, bias] = [branch, gain, bias].map(Operand::into_option);
        // An absent operand is stood for by x, whose gradient is registered in its own place only.
        let node = |operand: &Option<FloatTensor<Self>>| operand.as_ref().unwrap_or(&x).node();
        let nodes = [x.node(), node(&branch), node(&gain), node(&bias)];
        let present = [true, branch.is_some(), gain.is_some(), bias.is_some()];
        let [branch, gain, bias] =
            [branch, gain, bias].map(|operand| operand.map(|operand| operand.into_primitive()));
        let x = x.into_primitive();
        let forward =
            |tracked| cpu::forward(&x, branch.as_ref(), gain.as_ref(), bias.as_ref(), rule, tracked);
        match NormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::UnTracked(preparation) => preparation.finish(forward(false).0),
            OpsKind::Tracked(preparation) => {
                let (y, saved) = forward(true);
                preparation.finish(State { saved, gain, present, rule }, y)
            }
        }
    }
}

#[derive(Clone, Debug)]
struct State {
    saved: cpu::Saved,
    gain: Option<FlexTensor>,
    present: [bool; 4],
    rule: Rule,
}

#[derive(Debug)]
struct NormBackward;

impl Backward<Flex, 4> for NormBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 4>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |gradient, State { saved, gain, present, rule }, _| {
            let mut results = cpu::backward(&gradient, &saved, gain.as_ref(), rule).into_iter();
            present.map(|present| results.next().filter(|_| present))
        });
    }
}
