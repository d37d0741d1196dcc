//! Points between real and made samples.

use burn::tensor::Tensor;
use mixlab_core::Key;

use super::numbers::{column, vector};

/// α·real + (1 − α)·made with an α of its own for every pair, uniform on [0, 1).
pub fn between(real: Tensor<4>, made: Tensor<4>, key: Key) -> Tensor<4> {
    let stream = key.site("between").sample(0);
    let shares: Vec<f64> = (0..real.dims()[0] as u64).map(|pair| stream.uniform(pair)).collect();
    let shares = column(&vector(&shares, &real.device(), real.dtype()));
    made.clone() + (real - made) * shares
}
