//! The map in plain tensor operations; a masked weight is held once for every sample.

use burn::tensor::Tensor;

use super::TokenOptions;
use crate::Mask;
use crate::activation::portable;
use crate::mask::Geometry;

pub(crate) fn token_linear(
    x: Tensor<3>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    TokenOptions { activation, causal, segments }: TokenOptions,
) -> Tensor<3> {
    let ([batch, ..], [m, n]) = (x.dims(), weight.dims());
    let geometry = Geometry { batch, queries: m, keys: n, causal };
    let mask = Mask { padding: None, segments };
    let weight: Tensor<3> = weight.unsqueeze();
    let weight = if mask.is_trivial(&geometry) {
        weight
    } else {
        let hidden = mask.hidden(&geometry, &weight.device());
        weight.expand([batch, m, n]).mask_fill(hidden, 0.0)
    };
    let y = weight.matmul(x);
    let y = match bias {
        Some(bias) => y + bias.reshape([1, m, 1]),
        None => y,
    };
    portable::activation(y, activation)
}
