//! Normalisation in plain tensor operations.

use burn::tensor::Tensor;

use super::NormKind;

pub(crate) fn norm<const D: usize>(
    x: Tensor<D>,
    kind: NormKind,
    gain: Option<Tensor<1>>,
    bias: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    let mean_square = |x: Tensor<D>| (x.clone() * x).mean_dim(D - 1);
    let normalised = match kind {
        NormKind::Layer => {
            let centred = x.clone() - x.mean_dim(D - 1);
            let variance = mean_square(centred.clone());
            centred / variance.add_scalar(epsilon).sqrt()
        }
        NormKind::Rms | NormKind::ScaleMean => x.clone() / mean_square(x).add_scalar(epsilon).sqrt(),
        // max(sqrt(m), ε) = sqrt(max(m, ε²)): the root is never taken of zero, where its gradient is infinite.
        NormKind::ScaleClamp => x.clone() / mean_square(x).clamp_min(epsilon * epsilon).sqrt(),
    };
    let scaled = match gain {
        Some(gain) => normalised * gain.unsqueeze(),
        None => normalised,
    };
    match bias {
        Some(bias) => scaled + bias.unsqueeze(),
        None => scaled,
    }
}

pub(crate) fn add_norm<const D: usize>(
    x: Tensor<D>,
    branch: Tensor<D>,
    shortcut_scale: f64,
    kind: NormKind,
    gain: Option<Tensor<1>>,
    bias: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    let shortcut = if shortcut_scale == 1.0 { x } else { x.mul_scalar(shortcut_scale) };
    norm(shortcut + branch, kind, gain, bias, epsilon)
}
