//! Linear attention: a product of feature maps instead of an exponential.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::Mask;
use crate::cpu::serves;
use backend::LinearBackend;

/// How the sums are formed, and which keys a query sees.
#[derive(Clone, Debug)]
pub struct LinearOptions {
    /// Whether a query sees keys at its own and earlier positions only.
    pub causal: bool,
    /// ε of the denominator; none: no denominator.
    pub epsilon: Option<f64>,
    /// Positions processed together by the causal form; it does not change the result.
    pub chunk: usize,
    /// Key padding and segments: a hidden key leaves numerator and denominator.
    pub mask: Mask,
}

/// `o_i = (q_iᵀ Σ_j k_j v_jᵀ) / (q_iᵀ Σ_j k_j + ε)` over the keys j that query i sees, for every head.
///
/// Shapes: `q`, `k` `[batch, n, heads, d]` after the feature map, `v` `[batch, n, heads, dv]`; the result is
/// `[batch, n, heads, dv]`. A query that sees no key gives zeros. On the CPU time and memory are linear in n.
/// Source: Katharopoulos et al., "Transformers are RNNs", 2020, equations 5 and 9; the chunked form is that
/// of Hua et al. 2022, section 3.2.
///
/// # Panics
/// If the shapes do not fit.
pub fn linear_attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, options: LinearOptions) -> Tensor<4> {
    assert!(options.chunk > 0, "a chunk holds at least one position");
    assert_eq!(q.dims(), k.dims(), "queries and keys have the same shape");
    let [batch, n, heads, _] = q.dims();
    assert_eq!(v.dims()[..3], [batch, n, heads], "queries and values have the same batch, length and heads");
    options.mask.assert_fits(batch, n);
    if !serves(&q) {
        return portable::linear_attention(q, k, v, options);
    }
    Tensor::from_dispatch(Dispatch::fused_linear_attention(
        q.into_dispatch(),
        k.into_dispatch(),
        v.into_dispatch(),
        options,
    ))
}
