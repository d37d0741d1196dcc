//! The norms of a critic's matrices.

use burn::tensor::Device;
use mixlab_core::{Key, Precision};
use mixlab_nn::adversarial::Critic;
use mixlab_nn::parameter_values;
use mixlab_objectives::adversarial::SpectralNorm;
use serde::Serialize;

/// Steps of the power iteration.
const ROUNDS: usize = 200;

/// The largest singular value of one matrix; of a convolution as the matrix `[out, in·h·w]`, which is no exact norm of the map.
#[derive(Clone, Debug, Serialize)]
pub struct LayerNorm {
    /// Path of the parameter.
    pub path: String,
    /// σ.
    pub norm: f64,
}

/// The norms of all matrices.
pub(super) fn norms(critic: &Critic, device: &Device, precision: Precision) -> Vec<LayerNorm> {
    let mut iteration = SpectralNorm::new(critic, Key::root(0), device, precision);
    for _ in 1..ROUNDS {
        iteration.normalised(critic, parameter_values(critic), true);
    }
    let (_, divided) = iteration.normalised(critic, parameter_values(critic), true);
    divided.sigmas().map(|(path, norm)| LayerNorm { path: path.to_owned(), norm }).collect()
}
