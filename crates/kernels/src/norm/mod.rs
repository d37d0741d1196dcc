//! Normalisation of the last axis, with or without a residual sum before it.

mod portable;

use burn::tensor::Tensor;

/// Which statistics a normalisation uses. For a vector x of width d:
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// (x − mean) / sqrt(variance + ε), biased variance (Ba et al. 2016).
    Layer,
    /// x / sqrt(mean(x²) + ε) (Zhang and Sennrich 2019).
    Rms,
    /// x / max(‖x‖ / sqrt(d), ε): ScaleNorm, variant A; ε is a floor.
    ScaleClamp,
    /// x / sqrt(mean(x²) + ε) with one scalar gain: ScaleNorm, variant B; ε is added.
    ScaleMean,
}

/// `gain ⊙ normalise(x) + bias` over the last axis; the shape stays.
///
/// `gain` is `[d]`, or `[1]` for the ScaleNorm variants; `bias` is `[d]`.
pub fn norm<const D: usize>(
    x: Tensor<D>,
    kind: NormKind,
    gain: Option<Tensor<1>>,
    bias: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    portable::norm(x, kind, gain, bias, epsilon)
}

/// `norm(shortcut_scale · x + branch)`, the sum of a post-norm sublayer and its norm in one.
pub fn add_norm<const D: usize>(
    x: Tensor<D>,
    branch: Tensor<D>,
    shortcut_scale: f64,
    kind: NormKind,
    gain: Option<Tensor<1>>,
    bias: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    portable::add_norm(x, branch, shortcut_scale, kind, gain, bias, epsilon)
}
