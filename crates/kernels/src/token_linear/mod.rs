//! Affine maps over the token axis, with an activation.

mod backend;
mod cpu;
mod masked;
mod portable;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::Activation;
use crate::cpu::serves;
use crate::operand::Operand;
use backend::TokenLinearBackend;

/// Which tokens a map over the token axis connects, and what follows it.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    /// The element-wise function after the bias.
    pub activation: Activation,
    /// Whether a token of the result sees tokens at its own and earlier positions only.
    pub causal: bool,
    /// `[batch · n]`, an id per document as in [`Mask::segments`](crate::Mask::segments); the tokens of a
    /// document are contiguous. Tokens of different documents never see each other.
    pub segments: Option<Arc<[u32]>>,
}

impl TokenOptions {
    /// Every token sees every other, and `activation` follows.
    pub fn new(activation: Activation) -> Self {
        TokenOptions { activation, causal: false, segments: None }
    }
}

impl Default for TokenOptions {
    fn default() -> Self {
        TokenOptions::new(Activation::Identity)
    }
}

/// `y[b,i,c] = f( Σ_j W[i,j]·x[b,j,c] + bias[i] )`: one map over the tokens, shared by all channels.
///
/// Shapes: `x` `[batch, n, channels]`, `weight` `[m, n]`, `bias` `[m]`; the result is `[batch, m, channels]`. The
/// weight may be a slice of a larger matrix or a transposed view: it is read where it lies. Sources: the
/// token-mixing layers of MLP-Mixer (Tolstikhin et al. 2021, equation 1) and ResMLP (Touvron et al. 2021), the
/// spatial gating unit of gMLP (Liu et al. 2021, section 2.1).
///
/// Where a causal map or segments hide token j from token i, `W[i,j]` is read as zero and its gradient is zero.
/// On the CPU a causal map costs about half the products of a full one, and documents cost the sum of their squares.
///
/// # Panics
/// If the shapes do not fit, or if a map that is causal or has segments is not square.
pub fn token_linear(
    x: Tensor<3>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    options: TokenOptions,
) -> Tensor<3> {
    let ([batch, tokens, _], [m, n]) = (x.dims(), weight.dims());
    assert_eq!(tokens, n, "tokens of the input of a map from {n} to {m} tokens");
    assert!(bias.as_ref().is_none_or(|bias| bias.dims() == [m]), "a bias for each of {m} tokens");
    assert!(
        m == n || !options.causal && options.segments.is_none(),
        "a causal map, or one with segments, is square, not {m} x {n}"
    );
    if let Some(segments) = &options.segments {
        assert_eq!(segments.len(), batch * n, "an id for each of {batch}×{n} tokens");
    }
    if !serves(&x) {
        return portable::token_linear(x, weight, bias, options);
    }
    Tensor::from_dispatch(Dispatch::fused_token_linear(
        x.into_dispatch(),
        weight.into_dispatch(),
        Operand::new(bias),
        options,
    ))
}
