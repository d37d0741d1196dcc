//! Making images smaller and larger: 2 × 2 averages and maxima, the average of all pixels, and every pixel four times.

use burn::tensor::Tensor;
use burn::tensor::module::{avg_pool2d, max_pool2d_with_indices};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

use super::config::PoolConfig;
use super::dense::flat;
use super::tape::{Operation, Tape};
use crate::dual::Dual;

/// Side and step of a pool.
pub(super) const SIDE: usize = 2;

/// How pixels become fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The average of 2 × 2 pixels.
    Average,
    /// The largest of 2 × 2 pixels; a tangent comes from where the largest is.
    Max,
    /// The average of all pixels.
    Global,
}

impl From<PoolConfig> for Pool {
    fn from(config: PoolConfig) -> Self {
        match config {
            PoolConfig::Average => Pool::Average,
            PoolConfig::Max => Pool::Max,
        }
    }
}

impl Pool {
    /// `[b, c, h, w]` to half of both sides, or to `[b, c, 1, 1]`.
    pub fn forward(self, x: Dual<4>) -> Dual<4> {
        match self {
            Pool::Average => x.linear(average),
            Pool::Global => x.linear(mean),
            Pool::Max => {
                let shape = x.value.dims();
                let (value, indices) = largest(x.value);
                let tangent = x.tangent.map(|tangent| {
                    let [b, c, h, w] = value.dims();
                    let places = indices.reshape([b, c, h * w]);
                    tangent
                        .reshape([shape[0], shape[1], shape[2] * shape[3]])
                        .gather(2, places)
                        .reshape([b, c, h, w])
                });
                Dual { value, tangent }
            }
        }
    }

    /// The same, noted down.
    pub fn trace(self, x: Tensor<4>, tape: &mut Tape) -> Tensor<4> {
        let shape = x.dims();
        match self {
            Pool::Average => {
                tape.note(Operation::Average { shape });
                average(x)
            }
            Pool::Global => {
                tape.note(Operation::Mean { shape });
                mean(x)
            }
            Pool::Max => {
                let (value, indices) = largest(x);
                tape.note(Operation::Largest { shape, indices });
                value
            }
        }
    }
}

/// 2 × 2 averages.
pub(super) fn average(x: Tensor<4>) -> Tensor<4> {
    avg_pool2d(x, AvgPoolOptions::new([SIDE; 2]))
}

/// The average of all pixels, `[b, c, 1, 1]`.
pub(super) fn mean(x: Tensor<4>) -> Tensor<4> {
    let [b, c, h, w] = x.dims();
    flat(x).reshape([b, c, h * w]).mean_dim(2).reshape([b, c, 1, 1])
}

fn largest(x: Tensor<4>) -> (Tensor<4>, Tensor<4, burn::tensor::Int>) {
    max_pool2d_with_indices(x, MaxPoolOptions::new([SIDE; 2]))
}

/// Every pixel four times: `[b, c, h, w]` to `[b, c, 2h, 2w]`.
pub(super) fn doubled(x: Tensor<4>) -> Tensor<4> {
    let [b, c, h, w] = x.dims();
    let wide = x.reshape([b * c, h, w, 1]).repeat_dim(3, 2).reshape([b * c, h, 1, 2 * w]);
    wide.repeat_dim(2, 2).reshape([b, c, 2 * h, 2 * w])
}
