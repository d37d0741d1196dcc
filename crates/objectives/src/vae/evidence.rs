//! What draws of the latents tell of each text: its likelihood, and bounds of it.
//!
//! ```text
//! log p(x) ≥ E_q[ log p(x|z) ] − KL                                                        the evidence lower bound
//! log p(x) ≥ E_q[ log mean_k ( p(x|z_k)·Π_l p(z_kl)/q(z_kl | x, z_k,<l) ) ]                 importance-weighted, tighter with every draw
//! ```
//!
//! A latent's posterior depends on the draws below it, so that every draw is a path of its own through the encoder: posteriors along the
//! path of the means would give another number. Source: Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", 2016,
//! equation 8.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use mixlab_core::Key;
use mixlab_nn::latent::TextVae;

use super::loss::{decoded, draw_latents};
use super::{LatentNoise, Posterior, TextVaeBatch};

/// Logits that are held at once.
const LOGITS: usize = 1 << 24;

/// What one draw of all latents tells of each text of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// log p(x|z) in nats.
    pub log_likelihood: Vec<f64>,
    /// Σ_l log q(z_l | x, z_<l) − log p(z_l) at the draw.
    pub log_ratio: Vec<f64>,
}

/// One draw with `key` for every text.
pub fn evidence(model: &TextVae, batch: &TextVaeBatch, posterior: &Posterior, key: Key) -> Evidence {
    let noise = LatentNoise { key, samples: &batch.context().samples };
    let (encoded, _) = draw_latents(model, batch, posterior, Some(noise));
    let mut log_ratio = vec![0.0; batch.lengths().len()];
    for (made_of, latent) in encoded.posteriors.iter().zip(&encoded.latents) {
        let ratios = posterior.log_density_ratio(made_of.clone(), latent.clone());
        log_ratio.iter_mut().zip(ratios).for_each(|(sum, ratio)| *sum += ratio);
    }
    Evidence { log_likelihood: log_likelihood(model, batch, &encoded.latents), log_ratio }
}

/// log p(x|z) of every text in nats, over its tokens and its end.
///
/// # Panics
/// If there are not as many latents as layers with one.
pub fn log_likelihood(model: &TextVae, batch: &TextVaeBatch, latents: &[Tensor<2>]) -> Vec<f64> {
    let hidden = decoded(model, batch, latents);
    let [rows, count, _] = hidden.dims();
    let targets: Tensor<2, Int> = batch.text().narrow(1, 1, count);
    let vocabulary = model.output_weight().0.dims()[0];
    let at_once = (LOGITS / (count * vocabulary).max(1)).clamp(1, rows);
    let mut sums = Vec::with_capacity(rows);
    for first in (0..rows).step_by(at_once) {
        let some = at_once.min(rows - first);
        let logits = log_softmax(model.logits(hidden.clone().narrow(0, first, some)), 2);
        let asked: Tensor<3, Int> = targets.clone().narrow(0, first, some).unsqueeze_dim(2);
        let values: Vec<f64> = logits.gather(2, asked).into_data().iter().collect();
        let of_row =
            |(row, values): (usize, &[f64])| values[..batch.lengths()[first + row] - 1].iter().sum::<f64>();
        sums.extend(values.chunks(count).enumerate().map(of_row));
    }
    sums
}

/// log of the mean of e^x, however large or small.
pub fn log_mean_exp(values: &[f64]) -> f64 {
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if highest == f64::NEG_INFINITY {
        return highest;
    }
    let mean = values.iter().map(|value| (value - highest).exp()).sum::<f64>() / values.len() as f64;
    highest + mean.ln()
}
