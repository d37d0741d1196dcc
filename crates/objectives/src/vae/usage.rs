//! Whether latents are used, and how: what they tell of their texts, and where they lie.

use burn::tensor::Tensor;

use super::Posterior;

/// Densities of latents under posteriors that are computed at once.
const BLOCK: usize = 1 << 16;
/// Variance of a posterior mean over texts from which on a number counts as active (Burda, Grosse and Salakhutdinov, "Importance weighted
/// autoencoders", 2016, section 5.2).
pub const ACTIVE: f64 = 0.01;
/// Nats below its ceiling at which the estimate of mutual information says no more than the ceiling.
pub const SATURATED: f64 = 0.1;

/// What latents tell of the texts they were drawn for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MutualInformation {
    /// Nats between text and latent, estimated; a little below 0 by chance where there are none.
    pub nats: f64,
    /// log N, which an estimate from N texts cannot pass.
    pub ceiling: f64,
}

impl MutualInformation {
    /// Whether the number of texts, and not the latent, sets the estimate.
    pub fn is_saturated(&self) -> bool {
        self.nats > self.ceiling - SATURATED
    }
}

/// Mutual information of texts and one of their latents under the posterior: the mean of log q(z|x) − log q(z), with q(z) the mixture of all N
/// posteriors. It cannot pass log N.
///
/// `made_of` `[n, outputs]` is what the posteriors are made of, `latents` `[n, width]` a draw from each. Source: Hoffman and Johnson, "ELBO surgery",
/// 2016.
///
/// # Panics
/// If there are not as many latents as posteriors, or none.
pub fn mutual_information(
    posterior: &Posterior,
    made_of: &Tensor<2>,
    latents: &Tensor<2>,
) -> MutualInformation {
    let (n, [count, width]) = (made_of.dims()[0], latents.dims());
    assert!(n == count && n > 0, "a latent of each posterior");
    let (mut sum, at_once) = (0.0, (BLOCK / n).max(1));
    for first in (0..n).step_by(at_once) {
        let rows = at_once.min(n - first);
        // Every latent of the block beside every posterior.
        let block = latents.clone().narrow(0, first, rows);
        let beside: Tensor<2> =
            block.unsqueeze_dim::<3>(1).expand([rows, n, width]).reshape([rows * n, width]);
        let densities = posterior.log_density_ratio(made_of.clone().repeat(&[rows, 1]), beside);
        for (row, densities) in densities.chunks_exact(n).enumerate() {
            let highest = densities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mass: f64 = densities.iter().map(|density| (density - highest).exp()).sum();
            sum += densities[first + row] - (highest + (mass / n as f64).ln());
        }
    }
    MutualInformation { nats: sum / n as f64, ceiling: (n as f64).ln() }
}

/// Where the means of posteriors lie over many texts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanSpread {
    /// Length of the mean of all means: of directions 1 if they are one, and 0 if they lie all around.
    pub resultant: f64,
    /// (tr C)² / tr C² of the covariance C of the means: along how many axes they spread. 0 if they do not.
    pub effective_rank: f64,
    /// Numbers whose mean has a variance of [`ACTIVE`] or more.
    pub active: usize,
}

impl MeanSpread {
    /// Of means `[n, width]`.
    pub fn of(means: &Tensor<2>) -> Self {
        let [count, width] = means.dims();
        let values: Vec<f64> = means.clone().into_data().iter().collect();
        let n = count.max(1) as f64;
        let mean: Vec<f64> =
            (0..width).map(|c| values.iter().skip(c).step_by(width).sum::<f64>() / n).collect();
        let mut covariance = vec![0.0; width * width];
        for row in values.chunks_exact(width) {
            for i in 0..width {
                for j in 0..width {
                    covariance[i * width + j] += (row[i] - mean[i]) * (row[j] - mean[j]) / n;
                }
            }
        }
        let trace: f64 = (0..width).map(|i| covariance[i * width + i]).sum();
        let square: f64 = covariance.iter().map(|value| value * value).sum();
        MeanSpread {
            resultant: mean.iter().map(|value| value * value).sum::<f64>().sqrt(),
            effective_rank: if square > 0.0 { trace * trace / square } else { 0.0 },
            active: (0..width).filter(|&i| covariance[i * width + i] >= ACTIVE).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};
    use mixlab_core::{Key, Purpose};

    use super::*;
    use crate::vae::{LatentNoise, PosteriorConfig, Sampler};

    fn tensor(values: Vec<f64>, shape: [usize; 2]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
    }

    /// Information of `n` posteriors, and of draws from them.
    fn information(config: PosteriorConfig, made_of: Vec<f64>, width: usize) -> MutualInformation {
        let outputs = config.input(width).numbers;
        let n = made_of.len() / outputs;
        let (posterior, made_of) = (config.init(width), tensor(made_of, [n, outputs]));
        let samples: Vec<u64> = (0..n as u64).collect();
        let noise = LatentNoise { key: Key::root(2).purpose(Purpose::Sample), samples: &samples };
        let latents = posterior.draw(0, made_of.clone(), Some(noise)).latent;
        mutual_information(&posterior, &made_of, &latents)
    }

    /// Two texts far apart tell log 2; equal posteriors tell nothing; many far apart tell the ceiling.
    #[test]
    fn information_of_clear_cases() {
        let config = PosteriorConfig::VonMisesFisher { concentration: 200.0, sampler: Sampler::Rejection };
        let ends: Vec<f64> = (0..400).flat_map(|i| [if i % 2 == 0 { 1.0 } else { -1.0 }, 0.0, 0.0]).collect();
        let found = information(config, ends, 3);
        assert!((found.nats - 2f64.ln()).abs() < 1e-6 && !found.is_saturated(), "{found:?}");
        let same = information(config, [0.5, 0.5, 0.0].repeat(300), 3);
        assert!(same.nats.abs() < 1e-12, "{same:?}");
        let apart = information(
            PosteriorConfig::GAUSSIAN,
            (0..10).flat_map(|i| [f64::from(i) * 9.0, -2.0]).collect(),
            1,
        );
        assert!((apart.nats - 10f64.ln()).abs() < 1e-6 && apart.is_saturated(), "{apart:?}");
    }

    /// Of a normal latent around a normal mean ½·log(1 + 1/σ²) nats are known, as of any channel with such noise.
    #[test]
    fn information_of_a_channel() {
        let stream = Key::root(5).purpose(Purpose::Synthetic).sample(0);
        let noise: f64 = 0.5;
        let made_of = (0..3000).flat_map(|i| [stream.normal(i), 2.0 * noise.ln()]).collect();
        let found = information(PosteriorConfig::GAUSSIAN, made_of, 1);
        let expected = 0.5 * (1.0 + 1.0 / (noise * noise)).ln();
        assert!((found.nats - expected).abs() < 0.05, "{found:?} for {expected}");
    }

    #[test]
    fn spreads_by_hand() {
        // On two axes alike, none along the third.
        let around = tensor(vec![1.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, -1.0, 0.0], [4, 3]);
        let found = MeanSpread::of(&around);
        assert!(
            found.resultant < 1e-15 && (found.effective_rank - 2.0).abs() < 1e-12 && found.active == 2,
            "{found:?}"
        );
        let one = MeanSpread::of(&tensor([0.6, 0.8].repeat(5), [5, 2]));
        assert!((one.resultant - 1.0).abs() < 1e-12 && one.active == 0, "{one:?}");
    }
}
