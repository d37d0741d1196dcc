//! Rows of a matrix by index.

mod portable;

use burn::tensor::{Int, Tensor};

/// Row `ids[b, t]` of `weight` for every token.
///
/// Shapes: `weight` `[vocabulary, width]`, `ids` `[batch, n]`; the result is `[batch, n, width]`. The
/// gradient adds the rows of equal ids in the order of the tokens.
pub fn embedding(weight: Tensor<2>, ids: Tensor<2, Int>) -> Tensor<3> {
    portable::embedding(weight, ids)
}
