//! Handing gradients to the operands of an operation.

use burn::backend::Flex;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::Ops;
use burn_flex::FlexTensor;

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
