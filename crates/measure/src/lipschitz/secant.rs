//! Slopes between points at a distance.

use burn::tensor::{Tensor, TensorData};
use mixlab_core::Key;
use mixlab_nn::adversarial::Critic;
use mixlab_objectives::adversarial::ConstraintConfig;
use serde::Serialize;

use super::{Quantiles, values};

/// Secants over one radius.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SecantReport {
    /// r, in units of the samples.
    pub radius: f64,
    /// |f̂(x + r·e) − f̂(x)|/r.
    pub slopes: Quantiles,
    /// The share of them above 1.
    pub above_one: f64,
}

/// Secants of `samples`, whose values are `here`, one random direction each. A class is not moved.
pub(super) fn secants(
    critic: &Critic,
    constraint: &ConstraintConfig,
    samples: &Tensor<4>,
    here: &[f64],
    radius: f64,
    key: Key,
) -> SecantReport {
    let there = values(critic, constraint, samples.clone() + steps(critic, samples, radius, key));
    let slopes: Vec<f64> =
        here.iter().zip(&there).map(|(here, there)| (there - here).abs() / radius).collect();
    let above = slopes.iter().filter(|&&slope| slope > 1.0).count();
    SecantReport {
        radius,
        slopes: Quantiles::of(&slopes),
        above_one: above as f64 / slopes.len().max(1) as f64,
    }
}

/// Steps of this length in directions that are alike all around.
fn steps(critic: &Critic, samples: &Tensor<4>, radius: f64, key: Key) -> Tensor<4> {
    let [batch, channels, height, width] = samples.dims();
    let (moved, all) = (critic.sample().size(), channels * height * width);
    let key = key.site("direction");
    let mut steps = vec![0.0; batch * all];
    for (row, step) in steps.chunks_exact_mut(all).enumerate() {
        let stream = key.sample(row as u64);
        step[..moved].iter_mut().zip(0..).for_each(|(x, i)| *x = stream.normal(i));
        let length = step.iter().map(|x| x * x).sum::<f64>().sqrt();
        step.iter_mut().for_each(|x| *x *= radius / length);
    }
    Tensor::from_data(TensorData::new(steps, samples.dims()), (&samples.device(), samples.dtype()))
}
