//! The affine map and the rotation in plain tensor operations.

use burn::tensor::Tensor;

use crate::rotary::{Positions, RotaryOptions, portable};

pub(crate) fn affine_rotary(
    x: Tensor<3>,
    gamma: Tensor<2>,
    beta: Option<Tensor<2>>,
    head: usize,
    rotary: Option<RotaryOptions>,
    positions: Positions,
) -> Tensor<3> {
    let [batch, length, width] = x.dims();
    let row = |parameter: Tensor<2>| parameter.narrow(0, head, 1).unsqueeze();
    let mut y = x * row(gamma);
    if let Some(beta) = beta {
        y = y + row(beta);
    }
    match rotary {
        Some(options) => portable::rotary(y.reshape([batch, length, 1, width]), options, positions)
            .reshape([batch, length, width]),
        None => y,
    }
}
