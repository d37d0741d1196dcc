//! The operation as two dense masked matrices, in plain tensor operations.

use burn::tensor::{Tensor, TensorData};

use super::{ChunkNormaliser, MixedChunkOptions};
use crate::dropout::drop_scores;
use crate::mask::{Geometry, Mask};
use crate::score_attention::{ScoreWeight, toeplitz_at, weigh};

pub(crate) fn mixed_chunk_attention(
    [q_quadratic, k_quadratic, q_linear, k_linear]: [Tensor<3>; 4],
    v: Tensor<3>,
    bias: Option<Tensor<1>>,
    options: MixedChunkOptions,
) -> Tensor<3> {
    let [batch, n, _] = q_quadratic.dims();
    let (device, dtype) = (v.device(), v.dtype());
    let factors = Factors::new(batch, n, &options);
    let matrix = |values: Vec<f64>| -> Tensor<3> {
        Tensor::from_data(TensorData::new(values, [batch, n, n]), (&device, dtype))
    };
    let scores = q_quadratic.mul_scalar(options.scale).matmul(k_quadratic.swap_dims(1, 2));
    let scores = match bias {
        Some(bias) => {
            // Offsets outside a chunk are masked below; any value inside the table serves for them.
            let offset = |i: usize, j: usize| {
                (j as i64 - i as i64 + options.chunk as i64 - 1).clamp(0, 2 * options.chunk as i64 - 2)
            };
            scores + toeplitz_at(bias, n, n, offset).unsqueeze()
        }
        None => scores,
    };
    let quadratic = weigh(scores, ScoreWeight::SquaredRelu) * matrix(factors.quadratic);
    let quadratic = match &options.dropout {
        Some(dropout) => drop_scores(quadratic.unsqueeze_dim(1), dropout).squeeze_dim(1),
        None => quadratic,
    };
    let linear = q_linear.matmul(k_linear.swap_dims(1, 2)) * matrix(factors.linear);
    (quadratic + linear).matmul(v)
}

/// What each pair's quadratic and linear product is multiplied by.
struct Factors {
    quadratic: Vec<f64>,
    linear: Vec<f64>,
}

impl Factors {
    fn new(batch: usize, n: usize, options: &MixedChunkOptions) -> Self {
        let whole = Geometry { batch, queries: n, keys: n, causal: false };
        let mut factors = Factors { quadratic: Vec::new(), linear: Vec::new() };
        for b in 0..batch {
            for i in 0..n {
                let linear = linear_keys(&options.mask, &whole, options, b, i);
                let normaliser = match options.normaliser {
                    ChunkNormaliser::PerChunk if options.causal => options.chunk,
                    ChunkNormaliser::PerChunk | ChunkNormaliser::Mean => {
                        linear.iter().filter(|&&seen| seen).count().max(1)
                    }
                };
                for (j, &seen) in linear.iter().enumerate() {
                    let near = i / options.chunk == j / options.chunk && (!options.causal || j <= i);
                    let quadratic = near && options.mask.visible(&whole, b, i, j);
                    factors.quadratic.push(f64::from(u8::from(quadratic)));
                    factors.linear.push(if seen { 1.0 / normaliser as f64 } else { 0.0 });
                }
            }
        }
        factors
    }
}

/// The keys that query `i` reaches through the linear part.
fn linear_keys(mask: &Mask, whole: &Geometry, options: &MixedChunkOptions, b: usize, i: usize) -> Vec<bool> {
    let earlier = |j: usize| !options.causal || j / options.chunk < i / options.chunk;
    (0..whole.keys).map(|j| earlier(j) && mask.visible(whole, b, i, j)).collect()
}
