//! Softmax attention.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::cpu::serves;
use crate::{Dropout, Mask};
use backend::SoftmaxBackend;

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
/// result is `[batch, n, heads, dv]`. Query i stands at key position `m − n + i`; attention to another
/// sequence, neither causal nor with segments, may have more queries than keys. A query that sees no key gives zeros. Source: Vaswani et al. 2017, equation 1; Ainslie et al. 2023 for groups. On the CPU scores are
/// made in tiles, and again for the gradients (Dao et al. 2022, algorithm 1): nothing of size n×m is held.
///
/// # Panics
/// If the shapes do not fit.
pub fn softmax_attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, options: SoftmaxOptions) -> Tensor<4> {
    let ([batch, n, heads, width], [_, m, groups, _]) = (q.dims(), k.dims());
    assert_eq!(k.dims(), [batch, m, groups, width], "keys have the batch and width of the queries");
    assert_eq!(v.dims()[..3], [batch, m, groups], "keys and values have the same batch, length and groups");
    let placed = options.causal || options.mask.segments.is_some();
    assert!(n <= m || !placed, "{n} queries stand at the last of {m} key positions");
    assert!(heads.is_multiple_of(groups), "{groups} key groups must divide {heads} heads");
    options.mask.assert_fits(batch, m);
    if !serves(&q) {
        return portable::softmax_attention(q, k, v, options);
    }
    Tensor::from_dispatch(Dispatch::fused_softmax_attention(
        q.into_dispatch(),
        k.into_dispatch(),
        v.into_dispatch(),
        options,
    ))
}
