//! Depthwise convolutions over the token axis, with filters shared by groups of channels.

mod backend;
mod cpu;
mod filters;
mod loops;
mod portable;
mod steps;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::Mask;
use crate::cpu::serves;
use backend::ConvolutionBackend;

/// Which of h filters a channel of d uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelMap {
    /// head(c) = c·h div d, contiguous groups of channels (Wu et al. 2019, section 3).
    Contiguous,
    /// head(c) = c mod h, as in fairseq's convolutions of batch × channels × time; for weights trained with those.
    Modular,
}

/// Where the taps of a filter lie and which of them are read.
#[derive(Clone, Debug)]
pub struct ConvolutionOptions {
    /// Whether the last tap is the present token, so that no later one is read. Otherwise (K−1) div 2 taps lie
    /// before the present token and K div 2 after it.
    pub causal: bool,
    /// Tokens from one tap to the next, at least 1.
    pub dilation: usize,
    /// Which filter a channel uses.
    pub channels: ChannelMap,
    /// Whether the result is divided by the sum of the filter over the taps that were read, which is less than the
    /// whole at the ends of a sequence. For filters that are softmaxes; where the sum is 0, so is the result.
    pub renormalise: bool,
    /// Padding and segments of the tokens. A tap reads zero at a padded token and at one of another document than that
    /// of the present token; the result at a padded token is zero, and padded tokens get no gradient.
    pub mask: Mask,
}

impl ConvolutionOptions {
    /// Number of taps before the present token.
    fn left(&self, taps: usize) -> usize {
        if self.causal { taps - 1 } else { (taps - 1) / 2 }
    }

    /// # Panics
    /// If the options do not fit a convolution of `batch` rows of `n` tokens.
    fn check(&self, [batch, n, width]: [usize; 3], heads: usize, taps: usize) {
        assert!(heads > 0 && width.is_multiple_of(heads), "{heads} filters must divide {width} channels");
        assert!(taps > 0, "a filter has at least one tap");
        assert!(self.dilation > 0, "taps lie at least one token apart");
        self.mask.assert_fits(batch, n);
    }
}

/// `O[b,i,c] = Σ_{t<K} F[head(c),t] · x[b, i + (t − left)·dilation, c]`, the lightweight convolution.
///
/// Shapes: `x` `[batch, n, d]`, `filters` `[h, K]` with h dividing d; the result is `[batch, n, d]`. What lies outside
/// the sequence reads as zero; K may exceed n. `left` is K−1 if causal, else (K−1) div 2. Source: Wu et al., "Pay less
/// attention with lightweight and dynamic convolutions", 2019, section 3; the filters are softmaxes there, which is
/// left to the caller.
///
/// # Panics
/// If the shapes do not fit, or K or the dilation is 0.
pub fn depthwise_convolution(x: Tensor<3>, filters: Tensor<2>, options: ConvolutionOptions) -> Tensor<3> {
    let [heads, taps] = filters.dims();
    options.check(x.dims(), heads, taps);
    if !serves(&x) {
        return portable::depthwise_convolution(x, filters, options);
    }
    Tensor::from_dispatch(Dispatch::fused_convolution(x.into_dispatch(), filters.into_dispatch(), options))
}

/// `O[b,i,c] = Σ_{t<K} F[b,i,head(c),t] · x[b, i + (t − left)·dilation, c]`, the dynamic convolution, whose
/// positions have filters of their own.
///
/// Shapes: `x` `[batch, n, d]`, `filters` `[batch, n, h, K]`; see [`depthwise_convolution`] for the rest. Source: Wu et
/// al. 2019, section 4.
///
/// # Panics
/// If the shapes do not fit, or K or the dilation is 0.
pub fn dynamic_convolution(x: Tensor<3>, filters: Tensor<4>, options: ConvolutionOptions) -> Tensor<3> {
    let ([batch, n, _], [.., heads, taps]) = (x.dims(), filters.dims());
    assert_eq!(filters.dims()[..2], [batch, n], "filters for each of {batch}×{n} positions");
    options.check(x.dims(), heads, taps);
    if !serves(&x) {
        return portable::dynamic_convolution(x, filters, options);
    }
    Tensor::from_dispatch(Dispatch::fused_convolution(x.into_dispatch(), filters.into_dispatch(), options))
}
