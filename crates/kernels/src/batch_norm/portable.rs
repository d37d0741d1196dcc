//! Batch normalisation in plain tensor operations.

use burn::tensor::Tensor;

use super::BatchNormed;

pub(crate) fn batch_norm<const D: usize>(
    x: Tensor<D>,
    gain: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> BatchNormed<D> {
    let (shape, channels) = (x.dims(), x.dims()[D - 1]);
    let rows = shape[..D - 1].iter().product::<usize>();
    let x: Tensor<2> = x.reshape([rows, channels]);
    let mean = x.clone().mean_dim(0);
    let away = x - mean.clone();
    let variance = (away.clone() * away.clone()).mean_dim(0);
    let value = away / variance.clone().add_scalar(epsilon).sqrt() * gain.unsqueeze() + bias.unsqueeze();
    let [mean, variance] = [mean, variance].map(|moment| moment.detach().reshape([channels]));
    BatchNormed { value: value.reshape(shape), mean, variance }
}
