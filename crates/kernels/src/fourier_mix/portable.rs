//! The transform in plain tensor operations: products with matrices of cosines and sines.

use std::f64::consts::TAU;

use burn::tensor::{Bool, DType, Int, Tensor, TensorData};

use super::FourierGroups;

pub(crate) fn fourier_mix(x: Tensor<3>, groups: Option<FourierGroups>) -> Tensor<3> {
    let shape @ [batch, n, channels] = x.dims();
    if shape.contains(&0) {
        return x;
    }
    let Some(groups) = groups else {
        return transform(x);
    };
    let rows: Tensor<2> = x.reshape([batch * n, channels]);
    let device = rows.device();
    let indices = |values: Vec<i64>| {
        let length = values.len();
        Tensor::<1, Int>::from_data(TensorData::new(values, [length]), (&device, DType::I64))
    };
    // The transformed groups one after the other, and a row of zeros for the positions in none.
    let mut parts = Vec::new();
    let (mut sources, mut length) = (vec![None; batch * n], 0);
    for group in groups.iter().filter(|group| !group.is_empty()) {
        let group_rows = rows.clone().select(0, indices(group.iter().map(|&at| i64::from(at)).collect()));
        parts.push(transform(group_rows.unsqueeze()).squeeze_dim(0));
        for &at in group {
            sources[at as usize] = Some(length);
            length += 1;
        }
    }
    let everywhere =
        Tensor::<2, Bool>::from_data(TensorData::new(vec![true; channels], [1, channels]), &device);
    parts.push(rows.narrow(0, 0, 1).mask_fill(everywhere, 0.0));
    let sources = sources.into_iter().map(|source| source.unwrap_or(length)).collect();
    Tensor::cat(parts, 0).select(0, indices(sources)).reshape(shape)
}

/// `C_n·X·C_d − S_n·X·S_d` for each sample.
fn transform(x: Tensor<3>) -> Tensor<3> {
    let shape @ [batch, n, channels] = x.dims();
    let along_tokens = waves(&x, n).map(|wave| wave.unsqueeze::<3>());
    let along_channels = waves(&x, channels);
    let rows: Tensor<2> = x.reshape([batch * n, channels]);
    let part =
        |tokens: Tensor<3>, channels: Tensor<2>| tokens.matmul(rows.clone().matmul(channels).reshape(shape));
    let ([cos_n, sin_n], [cos_d, sin_d]) = (along_tokens, along_channels);
    part(cos_n, cos_d) - part(sin_n, sin_d)
}

/// `cos(2πjk/n)` and `sin(2πjk/n)` as matrices `[n, n]` for the tensor `like`. The product `jk` is reduced modulo n as
/// an integer, so that large indices lose nothing.
fn waves(like: &Tensor<3>, n: usize) -> [Tensor<2>; 2] {
    [f64::cos, f64::sin].map(|wave| {
        let circle: Vec<f64> = (0..n).map(|i| wave(TAU * i as f64 / n as f64)).collect();
        let values: Vec<f64> = (0..n * n).map(|at| circle[(at / n) * (at % n) % n]).collect();
        Tensor::from_data(TensorData::new(values, [n, n]), (&like.device(), like.dtype()))
    })
}
