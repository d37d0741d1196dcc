//! Cross-entropy fused with the output projection.

mod backend;
mod cpu;
mod portable;
mod rows;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use crate::cpu::serves;
use crate::operand::Operand;
use backend::CrossEntropyBackend;

/// `Σ_i weight_i · ( logsumexp(h_i·Wᵀ + b) − (h_i·Wᵀ + b)[target_i] )`, in nats.
///
/// Shapes: `hidden` `[t, d]`, `weight` `[vocabulary, d]`, `bias` `[vocabulary]`, `targets` `[t]`, `weights`
/// `[t]`; the result is `[1]`. `weights` get no gradient. Rows of weight 0 cost nothing on the CPU and their
/// targets are not read.
///
/// On the CPU the logits are made for some rows at a time and never held whole. When the result is
/// tracked, the gradients of the operands are computed in the same pass, while the logits of a
/// block are there, and only multiplied by the incoming gradient later: the memory is that of the gradients.
///
/// # Panics
/// If the target of a row with weight is not below `vocabulary`, or shapes differ.
pub fn cross_entropy(
    hidden: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    targets: Tensor<1, Int>,
    weights: Tensor<1>,
) -> Tensor<1> {
    let ([rows, width], [vocabulary, weight_width]) = (hidden.dims(), weight.dims());
    assert_eq!(width, weight_width, "widths of the hidden rows and the output weight");
    assert!(
        targets.dims() == [rows] && weights.dims() == [rows],
        "a target and a weight for each of {rows} rows"
    );
    assert!(
        bias.as_ref().is_none_or(|bias| bias.dims() == [vocabulary]),
        "a bias for each of {vocabulary} logits"
    );
    if !serves(&hidden) {
        return portable::cross_entropy(hidden, weight, bias, targets, weights);
    }
    Tensor::from_dispatch(Dispatch::fused_cross_entropy(
        hidden.into_dispatch(),
        weight.into_dispatch(),
        Operand::new(bias),
        targets.into_dispatch(),
        weights.into_dispatch(),
    ))
}
