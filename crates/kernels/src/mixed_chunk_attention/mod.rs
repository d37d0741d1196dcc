//! Mixed chunk attention: quadratic inside a chunk, linear between chunks.

mod portable;

use burn::tensor::Tensor;

use crate::{Dropout, Mask};

/// What the sum over other chunks is divided by. The sources disagree; the choice is stored with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkNormaliser {
    /// The number of real tokens the sum runs over (paper's appendix: (g−1)·c for chunk g when causal).
    Mean,
    /// The chunk length when causal, so that the sum grows along the sequence; the padded sequence
    /// length otherwise (the FLASH-pytorch package).
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
/// nor denominator and may be negative: that is intended. In a chunk's first position nothing has been
/// completed before chunk 0, so its linear part is zero. Source: Hua et al., "Transformer quality in
/// linear time", 2022, section 3.2 and appendix; normalisers after the errata of public code.
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
    portable::mixed_chunk_attention([q_quadratic, k_quadratic, q_linear, k_linear], v, bias, options)
}
