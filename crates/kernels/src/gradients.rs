//! Entering an operation into the graph, and handing gradients to its operands.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn_flex::FlexTensor;

/// The value `out` of an operation as a node of the graph, with the state that its backward pass needs.
pub(crate) fn track<C: CheckpointStrategy, B: Backward<Flex, N>, const N: usize>(
    operation: B,
    operands: [NodeGuard; N],
    out: FlexTensor,
    state: B::State,
) -> FloatTensor<Autodiff<Flex, C>> {
    match operation.prepare::<C>(operands).compute_bound().stateful() {
        OpsKind::UnTracked(preparation) => preparation.finish(out),
        OpsKind::Tracked(preparation) => preparation.finish(state, out),
    }
}

/// What the backward pass of an affine map needs.
#[derive(Clone, Debug)]
pub(crate) struct AffineState<S> {
    pub saved: S,
    pub has_bias: bool,
}

/// An affine map of `x` as a node of the graph. `forward` answers with the value and what the backward pass needs of it, and is
/// told whether there will be one.
pub(crate) fn track_affine<C, B, S>(
    operation: B,
    [x, weight]: [FloatTensor<Autodiff<Flex, C>>; 2],
    bias: Option<FloatTensor<Autodiff<Flex, C>>>,
    forward: impl FnOnce(FlexTensor, FlexTensor, Option<&FlexTensor>, bool) -> (FlexTensor, S),
) -> FloatTensor<Autodiff<Flex, C>>
where
    C: CheckpointStrategy,
    B: Backward<Flex, 3, State = AffineState<S>>,
    S: Clone + Send + std::fmt::Debug + 'static,
{
    // The node of x stands for an absent bias; no gradient is registered for it there.
    let nodes = [x.node(), weight.node(), bias.as_ref().unwrap_or(&x).node()];
    let has_bias = bias.is_some();
    let (x, weight) = (x.into_primitive(), weight.into_primitive());
    let bias = bias.map(|bias| bias.into_primitive());
    match operation.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::UnTracked(preparation) => preparation.finish(forward(x, weight, bias.as_ref(), false).0),
        OpsKind::Tracked(preparation) => {
            let (y, saved) = forward(x, weight, bias.as_ref(), true);
            preparation.finish(AffineState { saved, has_bias }, y)
        }
    }
}

/// Gives each tracked operand its gradient.
///
/// `backward` receives the gradient of the output, the state, and which operands are tracked. It answers
/// with one gradient an operand, or none for an operand that is absent: the engine wants a node for every
/// operand, and that of another stands in for an absent one.
pub(crate) fn propagate<S, const N: usize>(
    ops: Ops<S, N>,
    gradients: &mut Gradients,
    backward: impl FnOnce(FlexTensor, S, [bool; N]) -> [Option<FlexTensor>; N],
) {
    let upstream = gradients.consume::<Flex>(&ops.node);
    let tracked = ops.parents.each_ref().map(Option::is_some);
    let results = backward(upstream, ops.state, tracked);
    for (node, result) in ops.parents.into_iter().zip(results) {
        if let (Some(node), Some(result)) = (node, result) {
            gradients.register::<Flex>(node.id, result);
        }
    }
}
