//! Normalisation of the last axis, with or without a residual sum before it.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::cpu::serves;
use crate::operand::Operand;
use backend::NormBackend;

/// Which statistics a normalisation uses. For a vector x of width d:
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// (x − mean) / sqrt(variance + ε), biased variance (Ba et al. 2016, equation 3).
    Layer,
    /// x / sqrt(mean(x²) + ε) (Zhang and Sennrich 2019, equation 4).
    Rms,
    /// x / max(‖x‖ / sqrt(d), ε): ScaleNorm (Nguyen and Salazar 2019), variant A; ε is a floor.
    ScaleClamp,
    /// x / sqrt(mean(x²) + ε) with one scalar gain: ScaleNorm, variant B; ε is added.
    ScaleMean,
}

/// What a normalisation computes, apart from its tensors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    kind: NormKind,
    epsilon: f64,
    /// Factor on the shortcut of a residual sum.
    shortcut_scale: f64,
}

/// `gain ⊙ normalise(x) + bias` over the last axis; the shape stays.
///
/// `gain` is `[d]`, or `[1]` for the ScaleNorm variants; `bias` is `[d]`. `epsilon` is in the units of x² for
/// the kinds that add it, in the units of x for [`NormKind::ScaleClamp`].
pub fn norm<const D: usize>(
    x: Tensor<D>,
    kind: NormKind,
    gain: Option<Tensor<1>>,
    bias: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    if !serves(&x) {
        return portable::norm(x, kind, gain, bias, epsilon);
    }
    fused(x, None, gain, bias, Rule { kind, epsilon, shortcut_scale: 1.0 })
}

/// `norm(shortcut_scale · x + branch)`, the sum of a post-norm sublayer and its norm in one.
///
/// The scaled shortcut is that of DeepNorm (Wang et al. 2022, equation 1); see [`norm`] for the rest.
pub fn add_norm<const D: usize>(
    x: Tensor<D>,
    branch: Tensor<D>,
    shortcut_scale: f64,
    kind: NormKind,
    gain: Option<Tensor<1>>,
    bias: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    assert_eq!(x.dims(), branch.dims(), "shapes of the shortcut and the branch");
    if !serves(&x) {
        return portable::add_norm(x, branch, shortcut_scale, kind, gain, bias, epsilon);
    }
    fused(x, Some(branch), gain, bias, Rule { kind, epsilon, shortcut_scale })
}

fn fused<const D: usize>(
    x: Tensor<D>,
    branch: Option<Tensor<D>>,
    gain: Option<Tensor<1>>,
    bias: Option<Tensor<1>>,
    rule: Rule,
) -> Tensor<D> {
    let width = x.dims()[D - 1];
    for parameter in gain.iter().chain(&bias) {
        let [length] = parameter.dims();
        assert!(length == width || length == 1, "a parameter of {length} on a width of {width}");
    }
    Tensor::from_dispatch(Dispatch::fused_norm(
        x.into_dispatch(),
        Operand::new(branch),
        Operand::new(gain),
        Operand::new(bias),
        rule,
    ))
}
