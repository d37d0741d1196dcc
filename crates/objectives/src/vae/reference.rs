//! The loss as the reference implementation computes it, with its errors, for comparing with it.
//!
//! Three things are otherwise than in [`text_vae_loss`](super::text_vae_loss): every row is filled up to the full length n and padding is
//! predicted like any token; the first token is predicted too, from the last row of the encoder; and cross-entropy is of probabilities that
//! are first cut to [10⁻⁷, 1 − 10⁻⁷] and brought to a sum of 1 again. The loss is the mean over all n targets of all rows. A divergence has
//! no part in it, which is right for posteriors whose divergence is a constant. Source: the code beside Su, "UniVAE", 2021
//! (github.com/bojone/univae).

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use mixlab_core::Key;
use mixlab_nn::Context;
use mixlab_nn::latent::TextVae;

use super::loss::Draws;
use super::{LatentNoise, Posterior, TextVaeBatch, TextVaeLoss};

/// Where probabilities are cut.
const CUT: f64 = 1e-7;

/// The loss of a batch whose rows have all been filled up, over `normaliser`, the number of rows of an update times their length.
pub fn reference_text_vae_loss(
    model: &TextVae,
    batch: &TextVaeBatch,
    posterior: &Posterior,
    key: Option<Key>,
    normaliser: f64,
) -> TextVaeLoss {
    let noise = key.map(|key| LatentNoise { key, samples: &batch.context().samples });
    let mut draws = Draws::new(posterior, noise);
    let (encoded, last) =
        model.encode_to_the_end(batch.text(), batch.context(), |index, made_of| draws.draw(index, made_of));
    let [rows, length] = batch.text().dims();
    let decoded = model.decode(&encoded.latents, batch.target().inputs(), &shown(batch, length));
    let hidden = Tensor::cat(vec![last.narrow(1, length - 1, 1), decoded], 1);
    let probabilities = log_softmax(model.logits(hidden), 2).exp().clamp(CUT, 1.0 - CUT);
    let asked: Tensor<3, Int> = batch.text().unsqueeze_dim(2);
    let sums = probabilities.clone().sum_dim(2);
    let likelihood = (probabilities.gather(2, asked) / sums).log();
    let cross_entropy = likelihood.reshape([rows * length]).sum().mul_scalar(-1.0 / normaliser);
    draws.loss(cross_entropy, 0.0, 0.0, encoded.moments)
}

/// What the decoder is read with: padding among the tokens it is shown is nobody's key.
fn shown(batch: &TextVaeBatch, length: usize) -> Context {
    let mut context = batch.context().clone();
    context.mask.padding = context
        .mask
        .padding
        .map(|padding| padding.chunks(length).flat_map(|row| row[..length - 1].iter().copied()).collect());
    context
}
