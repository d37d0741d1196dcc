//! Mixed chunk attention: quadratic inside a chunk, linear between chunks.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::cpu::serves;
use crate::operand::Operand;
use crate::{Dropout, Mask};
use backend::MixedChunkBackend;

/// What the sum over other chunks is divided by. The sources disagree; the choice is stored with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkNormaliser {
    /// The number of real tokens the sum runs over (paper's appendix: (g−1)·c for chunk g when causal).
    Mean,
    /// The chunk length when causal, so that the sum grows along the sequence (the FLASH-pytorch
    /// package). Without a causal order there is no growth, and it is the same as `Mean`: that package
    /// divides by the padded length there, which would make the result depend on the padding.
    PerChunk,
}

/// Chunk length, normalisers, and which keys a query sees.
#[derive(Clone, Debug)]
pub struct MixedChunkOptions {
    /// Chunk length c; the last chunk may be shorter.
    pub chunk: usize,
    /// Whether a query sees earlier positions only: quadratic inside its chunk up to itself, linear to
    /// earlier chunks. Otherwise quadratic to its whole chunk and linear to all chunks, its own included.
    pub causal: bool,
    /// Factor on quadratic scores before the bias, 1/c in the paper's appendix.
    pub scale: f64,
    /// Normaliser of the linear part.
    pub normaliser: ChunkNormaliser,
    /// Key padding and segments, exact to the token.
    pub mask: Mask,
    /// Dropout of the quadratic weights.
    pub dropout: Option<Dropout>,
}

/// `relu(scale · Q^q K^qᵀ + B)² · V` inside each chunk plus `Q^l · Σ K^lᵀ V / normaliser` over other chunks.
///
/// Shapes: the queries and keys `[batch, n, s]`, `v` `[batch, n, e]`; `bias` `[2c − 1]` is Toeplitz inside a
/// chunk: `B[i, j] = bias[j − i + c − 1]`; the result is `[batch, n, e]`. The linear part has neither feature map
/// nor denominator and may be negative: that is intended. It is zero in the first chunk of a causal document.
/// Source: Hua et al., "Transformer quality in
/// linear time", 2022, section 3.2 and appendix; normalisers after the errata of public code. On the CPU scores
/// are made in tiles, and again for the gradients, and one state walks along the chunks: memory is linear in n.
///
/// # Panics
/// If the shapes do not fit.
pub fn mixed_chunk_attention(
    q_quadratic: Tensor<3>,
    k_quadratic: Tensor<3>,
    q_linear: Tensor<3>,
    k_linear: Tensor<3>,
    v: Tensor<3>,
    bias: Option<Tensor<1>>,
    options: MixedChunkOptions,
) -> Tensor<3> {
    assert!(options.chunk > 0, "a chunk holds at least one position");
    if let Some(bias) = &bias {
        assert_eq!(bias.dims(), [2 * options.chunk - 1], "a Toeplitz bias has one value an offset");
    }
    let [batch, n, _] = v.dims();
    for (query, key) in [(&q_quadratic, &k_quadratic), (&q_linear, &k_linear)] {
        assert_eq!(query.dims(), key.dims(), "queries and keys have the same shape");
        assert_eq!(query.dims()[..2], [batch, n], "queries and values have the same batch and length");
    }
    options.mask.assert_fits(batch, n);
    if !serves(&v) {
        return portable::mixed_chunk_attention(
            [q_quadratic, k_quadratic, q_linear, k_linear],
            v,
            bias,
            options,
        );
    }
    Tensor::from_dispatch(Dispatch::fused_mixed_chunk_attention(
        q_quadratic.into_dispatch(),
        k_quadratic.into_dispatch(),
        q_linear.into_dispatch(),
        k_linear.into_dispatch(),
        v.into_dispatch(),
        Operand::new(bias),
        options,
    ))
}
