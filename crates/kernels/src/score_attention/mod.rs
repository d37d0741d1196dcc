//! Single-head attention whose weights are a function of each score alone: squared relu or Laplace.

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
use backend::ScoreBackend;

pub(crate) use portable::{toeplitz_at, weigh};

/// The function from a score to its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScoreWeight {
    /// max(x, 0)² (So et al. 2021; Hua et al. 2022).
    SquaredRelu,
    /// 0.5 · (1 + erf((x − mean) / (deviation · sqrt 2))) (Ma et al., "Mega", 2022).
    Laplace {
        /// Mean of the normal distribution function.
        mean: f64,
        /// Its standard deviation.
        deviation: f64,
    },
}

/// How scores become weights, and which keys a query sees.
#[derive(Clone, Debug)]
pub struct ScoreOptions {
    /// The function from score to weight.
    pub weight: ScoreWeight,
    /// Factor on q·k before the bias is added.
    pub scale: f64,
    /// Whether a query sees keys at its own and earlier positions only.
    pub causal: bool,
    /// Key padding and segments.
    pub mask: Mask,
    /// Dropout of the weights.
    pub dropout: Option<Dropout>,
}

/// `f(scale · QKᵀ + B) · V` with hidden weights set to zero after f, as f(0) or f(B) need not be zero.
///
/// Shapes: `q` `[batch, n, s]`, `k` `[batch, m, s]`, `v` `[batch, m, e]`; `bias` `[n + m − 1]` is Toeplitz:
/// `B[i, j] = bias[j − i + n − 1]`; the result is `[batch, n, e]`. Query i stands at key position
/// `m − n + i`. Source: Hua et al., "Transformer quality in linear time", 2022, equation 4. On the CPU scores
/// are made in tiles, and again for the gradients: nothing of size n×m is held.
///
/// # Panics
/// If the shapes do not fit.
pub fn score_attention(
    q: Tensor<3>,
    k: Tensor<3>,
    v: Tensor<3>,
    bias: Option<Tensor<1>>,
    options: ScoreOptions,
) -> Tensor<3> {
    let ([batch, n, width], [_, m, _]) = (q.dims(), k.dims());
    assert!(n <= m, "{n} queries stand at the last of {m} key positions");
    if let Some(bias) = &bias {
        assert_eq!(bias.dims(), [n + m - 1], "a Toeplitz bias has one value an offset");
    }
    assert_eq!(k.dims(), [batch, m, width], "keys have the batch and width of the queries");
    assert_eq!(v.dims()[..2], [batch, m], "keys and values have the same batch and length");
    options.mask.assert_fits(batch, m);
    if !serves(&q) {
        return portable::score_attention(q, k, v, bias, options);
    }
    Tensor::from_dispatch(Dispatch::fused_score_attention(
        q.into_dispatch(),
        k.into_dispatch(),
        v.into_dispatch(),
        Operand::new(bias),
        options,
    ))
}
