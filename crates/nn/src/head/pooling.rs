//! From the vectors of a sequence to one: over its real positions, whatever stands at padding.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

/// 1 where a position is real, `[b, n, 1]`.
fn ones(hidden: &Tensor<3>, real: &Arc<[bool]>) -> Tensor<3> {
    let [batch, n, _] = hidden.dims();
    let values: Vec<f64> = real.iter().map(|&real| f64::from(u8::from(real))).collect();
    Tensor::from_data(TensorData::new(values, [batch, n, 1]), (&hidden.device(), hidden.dtype()))
}

/// What stands at padding is unspecified, so it is replaced, not multiplied by 0.
fn filled(hidden: Tensor<3>, ones: &Tensor<3>, value: f64) -> Tensor<3> {
    let shape = hidden.dims();
    hidden.mask_fill(ones.clone().equal_elem(0.0).expand(shape), value)
}

/// The mean over all real positions, `[b, n, d]` to `[b, 1, d]`; 0 where there is none.
pub(crate) fn mean(hidden: Tensor<3>, real: Option<&Arc<[bool]>>) -> Tensor<3> {
    let Some(real) = real else { return hidden.mean_dim(1) };
    let ones = ones(&hidden, real);
    let count = ones.clone().sum_dim(1).clamp_min(1.0);
    filled(hidden, &ones, 0.0).sum_dim(1) / count
}

/// The greatest value of every channel, `[b, n, d]` to `[b, 1, d]`.
pub(crate) fn max(hidden: Tensor<3>, real: Option<&Arc<[bool]>>) -> Tensor<3> {
    let hidden = match real {
        Some(real) => {
            let ones = ones(&hidden, real);
            filled(hidden, &ones, f64::NEG_INFINITY)
        }
        None => hidden,
    };
    hidden.max_dim(1)
}

/// `Σ softmax(h·w)·h` over all real positions with a learned w `[d]`, `[b, n, d]` to `[b, 1, d]`.
pub(crate) fn attention(hidden: Tensor<3>, query: Tensor<1>, real: Option<&Arc<[bool]>>) -> Tensor<3> {
    let scores = |hidden: &Tensor<3>| (hidden.clone() * query.unsqueeze()).sum_dim(2);
    let (hidden, scores) = match real {
        Some(real) => {
            let ones = ones(&hidden, real);
            let hidden = filled(hidden, &ones, 0.0);
            let scores = filled(scores(&hidden), &ones, f64::NEG_INFINITY);
            (hidden, scores)
        }
        None => {
            let scores = scores(&hidden);
            (hidden, scores)
        }
    };
    let highest = scores.clone().detach().max_dim(1);
    let weights = (scores - highest).exp();
    (hidden * weights.clone()).sum_dim(1) / weights.sum_dim(1)
}
