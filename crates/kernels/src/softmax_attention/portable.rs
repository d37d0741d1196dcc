//! Softmax attention in plain tensor operations; holds all scores.

use burn::tensor::Tensor;

use super::SoftmaxOptions;
use crate::dropout::drop_scores;
use crate::mask::Geometry;

pub(crate) fn softmax_attention(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    options: SoftmaxOptions,
) -> Tensor<4> {
    let ([batch, n, heads, _], [_, m, groups, _]) = (q.dims(), k.dims());
    let geometry = Geometry { batch, queries: n, keys: m, causal: options.causal };
    let (k, v) = (spread(k, heads / groups), spread(v, heads / groups));
    let scores = q.swap_dims(1, 2).mul_scalar(options.scale).matmul(k.swap_dims(1, 2).swap_dims(2, 3));
    let weights = if options.mask.is_trivial(&geometry) {
        let largest = scores.clone().detach().max_dim(3);
        let exponentials = (scores - largest).exp();
        exponentials.clone() / exponentials.sum_dim(3)
    } else {
        let hidden = options
            .mask
            .hidden(&geometry, &scores.device())
            .unsqueeze_dim::<4>(1)
            .expand([batch, heads, n, m]);
        // The row maximum is over visible keys; a row that sees none gives zeros, not 0/0.
        let scores = scores.mask_fill(hidden.clone(), f64::from(f32::MIN));
        let largest = scores.clone().detach().max_dim(3);
        let exponentials = (scores - largest).exp().mask_fill(hidden, 0.0);
        let sum = exponentials.clone().sum_dim(3);
        let empty = sum.clone().equal_elem(0.0);
        exponentials / sum.mask_fill(empty, 1.0)
    };
    let weights = match &options.dropout {
        Some(dropout) => drop_scores(weights, dropout),
        None => weights,
    };
    weights.matmul(v.swap_dims(1, 2)).swap_dims(1, 2)
}

/// Repeats each group for the heads that read it: `[b, m, groups, d]` to `[b, m, groups · times, d]`.
fn spread(x: Tensor<4>, times: usize) -> Tensor<4> {
    if times == 1 {
        return x;
    }
    let [b, m, groups, d] = x.dims();
    x.unsqueeze_dim::<5>(3).expand([b, m, groups, times, d]).reshape([b, m, groups * times, d])
}
