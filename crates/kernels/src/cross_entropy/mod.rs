//! Cross-entropy fused with the output projection.

mod portable;

use burn::tensor::{Int, Tensor};

/// `Σ_i weight_i · ( logsumexp(h_i·Wᵀ + b) − (h_i·Wᵀ + b)[target_i] )`, in nats.
///
/// Shapes: `hidden` `[t, d]`, `weight` `[vocabulary, d]`, `bias` `[vocabulary]`, `targets` `[t]`, `weights`
/// `[t]`; the result is `[1]`. `weights` get no gradient.
pub fn cross_entropy(
    hidden: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    targets: Tensor<1, Int>,
    weights: Tensor<1>,
) -> Tensor<1> {
    portable::cross_entropy(hidden, weight, bias, targets, weights)
}
