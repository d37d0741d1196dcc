//! Gain, bias and sum in plain tensor operations.

use burn::tensor::Tensor;

pub(crate) fn affine<const D: usize>(
    x: Tensor<D>,
    gain: Option<Tensor<1>>,
    bias: Option<Tensor<1>>,
    shortcut: Option<Tensor<D>>,
) -> Tensor<D> {
    let scaled = match gain {
        Some(gain) => x * gain.unsqueeze(),
        None => x,
    };
    let moved = match bias {
        Some(bias) => scaled + bias.unsqueeze(),
        None => scaled,
    };
    match shortcut {
        Some(shortcut) => shortcut + moved,
        None => moved,
    }
}
