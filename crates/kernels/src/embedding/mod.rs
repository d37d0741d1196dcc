//! Rows of a matrix by index.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use crate::cpu::serves;
use backend::EmbeddingBackend;

/// Row `ids[b, t]` of `weight` for every token.
///
/// Shapes: `weight` `[vocabulary, width]`, `ids` `[batch, n]`; the result is `[batch, n, width]`. The
/// gradient adds the rows of equal ids in the order of the tokens.
///
/// # Panics
/// If an id is not below `vocabulary`.
pub fn embedding(weight: Tensor<2>, ids: Tensor<2, Int>) -> Tensor<3> {
    if !serves(&weight) {
        return portable::embedding(weight, ids);
    }
    Tensor::from_dispatch(Dispatch::fused_embedding(weight.into_dispatch(), ids.into_dispatch()))
}
