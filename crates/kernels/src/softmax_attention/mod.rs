//! Softmax attention.

mod portable;

use burn::tensor::Tensor;

use crate::{Dropout, Mask};

/// How scores become weights, and which keys a query sees.
#[derive(Clone, Debug)]
pub struct SoftmaxOptions {
    /// Factor on the scores, usually 1/sqrt(d).
    pub scale: f64,
    /// Whether a query sees keys at its own and earlier positions only.
    pub causal: bool,
    /// Key padding and segments.
    pub mask: Mask,
    /// Dropout of the weights after the softmax.
    pub dropout: Option<Dropout>,
}

/// `softmax(scale · QKᵀ + mask) · V` for every head.
///
/// Shapes: `q` `[batch, n, heads, d]`, `k` `[batch, m, groups, d]`, `v` `[batch, m, groups, dv]` with
/// `groups` dividing `heads` (grouped-query attention: head h reads group `h·groups/heads`); the
/// result is `[batch, n, heads, dv]`. Query i stands at key position `m − n + i`. A query that sees no
/// key gives zeros. Source: Vaswani et al. 2017, equation 1; Ainslie et al. 2023 for groups.
pub fn softmax_attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, options: SoftmaxOptions) -> Tensor<4> {
    let ([_, n, heads, _], [_, m, groups, _]) = (q.dims(), k.dims());
    assert!(n <= m, "{n} queries stand at the last of {m} key positions");
    assert!(heads.is_multiple_of(groups), "{groups} key groups must divide {heads} heads");
    portable::softmax_attention(q, k, v, options)
}
