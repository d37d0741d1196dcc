//! Slopes of a critic between points at a distance.

use burn::tensor::{Tensor, TensorData};
use mixlab_core::Key;
use mixlab_nn::adversarial::Critic;

use super::constraint::ConstraintConfig;
use super::effective::effective_values;

/// |f̂(x + r·e) − f̂(x)|/r of each of `samples`, whose values f̂ are `here`, for one random direction e a sample. A class is not moved.
pub fn secants(
    critic: &Critic,
    constraint: &ConstraintConfig,
    samples: &Tensor<4>,
    here: &[f64],
    radius: f64,
    key: Key,
) -> Vec<f64> {
    let there = effective_values(critic, constraint, samples.clone() + steps(critic, samples, radius, key));
    here.iter().zip(&there).map(|(here, there)| (there - here).abs() / radius).collect()
}

/// Steps of this length in directions that are alike all around.
fn steps(critic: &Critic, samples: &Tensor<4>, radius: f64, key: Key) -> Tensor<4> {
    let [batch, height, width, all] = samples.dims();
    let (pixels, channels) = (height * width, critic.sample().channels);
    let key = key.site("direction");
    let mut steps = vec![0.0; batch * pixels * all];
    for (row, step) in steps.chunks_exact_mut(pixels * all).enumerate() {
        let places = step.chunks_exact_mut(all).flat_map(|place| &mut place[..channels]);
        places.zip(key.sample(row as u64).normals()).for_each(|(place, x)| *place = x);
        let length = step.iter().map(|x| x * x).sum::<f64>().sqrt();
        step.iter_mut().for_each(|x| *x *= radius / length);
    }
    Tensor::from_data(TensorData::new(steps, samples.dims()), (&samples.device(), samples.dtype()))
}
