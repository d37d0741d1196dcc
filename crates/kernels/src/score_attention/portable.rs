//! The operation in plain tensor operations; holds all scores.

use burn::tensor::{DType, Int, Tensor, TensorData};

use super::{ScoreOptions, ScoreWeight};
use crate::dropout::drop_scores;
use crate::mask::Geometry;
use crate::{Activation, activation};

pub(crate) fn score_attention(
    q: Tensor<3>,
    k: Tensor<3>,
    v: Tensor<3>,
    bias: Option<Tensor<1>>,
    options: ScoreOptions,
) -> Tensor<3> {
    let ([batch, n, _], [_, m, _]) = (q.dims(), k.dims());
    let geometry = Geometry { batch, queries: n, keys: m, causal: options.causal };
    let scores = q.mul_scalar(options.scale).matmul(k.swap_dims(1, 2));
    let scores = match bias {
        Some(bias) => scores + toeplitz(bias, n, m).unsqueeze(),
        None => scores,
    };
    let weights = weigh(scores, options.weight);
    let weights = if options.mask.is_trivial(&geometry) {
        weights
    } else {
        let hidden = options.mask.hidden(&geometry, &weights.device());
        weights.mask_fill(hidden, 0.0)
    };
    let weights = match &options.dropout {
        Some(dropout) => drop_scores(weights.unsqueeze_dim(1), dropout).squeeze_dim(1),
        None => weights,
    };
    weights.matmul(v)
}

/// The matrix `[n, m]` with `B[i, j] = values[j − i + n − 1]`.
fn toeplitz(values: Tensor<1>, n: usize, m: usize) -> Tensor<2> {
    toeplitz_at(values, n, m, |i, j| (j + n - 1 - i) as i64)
}

/// The matrix `[n, m]` with `B[i, j] = values[index(i, j)]`.
pub(crate) fn toeplitz_at(
    values: Tensor<1>,
    n: usize,
    m: usize,
    index: impl Fn(usize, usize) -> i64,
) -> Tensor<2> {
    let index: Vec<i64> =
        (0..n).flat_map(|i| (0..m).map(move |j| (i, j))).map(|(i, j)| index(i, j)).collect();
    let index = Tensor::<1, Int>::from_data(TensorData::new(index, [n * m]), (&values.device(), DType::I64));
    values.select(0, index).reshape([n, m])
}

pub(crate) fn weigh<const D: usize>(scores: Tensor<D>, weight: ScoreWeight) -> Tensor<D> {
    match weight {
        ScoreWeight::SquaredRelu => activation(scores, Activation::SquaredRelu),
        ScoreWeight::Laplace { mean, deviation } => {
            // Not `div_scalar`, whose gradient takes the reciprocal in single precision (Burn 0.22.1).
            let standard = scores.sub_scalar(mean).mul_scalar(1.0 / (deviation * std::f64::consts::SQRT_2));
            standard.erf().add_scalar(1.0).mul_scalar(0.5)
        }
    }
}
