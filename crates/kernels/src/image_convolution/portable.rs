//! The three maps by the engine's own convolutions, which have channels first.

use burn::tensor::Tensor;
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};

use super::ConvolutionWindow;

fn channels_first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}

fn channels_last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

/// `[side·side·in, out]` as `[out, in, side, side]`.
fn kernel(weight: Tensor<2>, window: ConvolutionWindow) -> Tensor<4> {
    let [rows, out] = weight.dims();
    weight.reshape([window.side, window.side, rows / window.size(), out]).permute([3, 2, 0, 1])
}

fn options(window: ConvolutionWindow) -> ConvOptions<2> {
    ConvOptions::new([window.stride; 2], [window.padding; 2], [1; 2], 1)
}

pub(crate) fn convolution(
    x: Tensor<4>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    window: ConvolutionWindow,
) -> Tensor<4> {
    channels_last(conv2d(channels_first(x), kernel(weight, window), bias, options(window)))
}

pub(crate) fn transposed(
    y: Tensor<4>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    window: ConvolutionWindow,
    size: [usize; 2],
) -> Tensor<4> {
    // Pixels at the end that no window reaches.
    let rest = size.map(|side| (side + 2 * window.padding - window.side) % window.stride);
    let options = ConvTransposeOptions::new([window.stride; 2], [window.padding; 2], rest, [1; 2], 1);
    channels_last(conv_transpose2d(channels_first(y), kernel(weight, window), bias, options))
}

/// Σ over pixels of the input's pixel under each place of the window times the gradient.
pub(crate) fn weights(x: Tensor<4>, dy: Tensor<4>, window: ConvolutionWindow) -> Tensor<2> {
    let ([batch, height, width, channels], [_, rows, columns, out]) = (x.dims(), dy.dims());
    let [tall, wide] = [height, width].map(|side| side + 2 * window.padding);
    let framed = Tensor::zeros([batch, tall, wide, channels], (&x.device(), x.dtype()));
    let (p, s) = (window.padding, window.stride);
    let framed = framed.slice_assign([0..batch, p..p + height, p..p + width, 0..channels], x);
    let dy = dy.reshape([batch * rows * columns, out]);
    let mut parts = Vec::new();
    for i in 0..window.side {
        for j in 0..window.side {
            let picked = |axis: usize, start: usize, count: usize, x: Tensor<4>| {
                let places: Vec<i64> = (0..count).map(|k| (start + k * s) as i64).collect();
                let places = burn::tensor::TensorData::new(places, [count]);
                x.select(axis, Tensor::from_data(places, &dy.device()))
            };
            let seen = picked(2, j, columns, picked(1, i, rows, framed.clone()));
            let seen = seen.reshape([batch * rows * columns, channels]);
            parts.push(seen.transpose().matmul(dy.clone()));
        }
    }
    Tensor::cat(parts, 0)
}
