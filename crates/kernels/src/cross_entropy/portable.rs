//! The loss in plain tensor operations; holds all logits.

use burn::tensor::{Int, Tensor, activation::log_softmax};

pub(crate) fn cross_entropy(
    hidden: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    targets: Tensor<1, Int>,
    weights: Tensor<1>,
) -> Tensor<1> {
    let [rows, _] = hidden.dims();
    let logits = hidden.matmul(weight.transpose());
    let logits = match bias {
        Some(bias) => logits + bias.unsqueeze(),
        None => logits,
    };
    let picked = log_softmax(logits, 1).gather(1, targets.reshape([rows, 1])).reshape([rows]);
    (picked * weights.detach()).sum().neg()
}
