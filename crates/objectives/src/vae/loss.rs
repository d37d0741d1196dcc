//! The evidence lower bound of texts.
//!
//! ```text
//! loss = [ Σ −log p(c_t | c_<t, z) + β·Σ_l Σ_j max(λ, KL_lj) ] / normaliser
//! ```
//!
//! Targets are c₁ … c_m and the end of every text; what follows is padding and has no part. The normaliser is the number of targets of an
//! update, so that nats are those of a token. A divergence that is a constant (von Mises–Fisher, power spherical) is counted and has no
//! gradient. Source: Kingma and Welling, "Auto-encoding variational Bayes", 2014, equation 3; free bits: Kingma et al., "Improved variational
//! inference with inverse autoregressive flow", 2016, section C.8.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_core::{Key, Precision};
use mixlab_kernels::Mask;
use mixlab_nn::Context;
use mixlab_nn::latent::{Encoded, Moments, TextVae};

use super::{Drawn, LatentNoise, Posterior};
use crate::language::{LanguageBatch, hidden_loss};

/// What fills the rows of a batch behind their texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filling {
    /// The token.
    pub padding: u32,
    /// How long rows become; absent: as long as the longest text.
    pub length: Option<usize>,
}

/// Texts as tensors: for the encoder, and for the decoder with what comes next.
#[derive(Clone, Debug)]
pub struct TextVaeBatch {
    /// Ids `[b, n]`, with the tokens that begin and end a text.
    text: Tensor<2, Int>,
    /// Tokens of every text.
    lengths: Vec<usize>,
    /// What the decoder is shown, and what comes next.
    target: LanguageBatch,
    /// Noise, ids and padding of the texts.
    context: Context,
}

impl TextVaeBatch {
    /// Batches `rows`, each of which begins with the token that stands for the whole text and ends with the one that ends it. `context`
    /// gives mode, key and ids.
    ///
    /// # Panics
    /// If a row has less than two tokens or more than the filling allows, or there is none.
    pub fn new(
        rows: &[&[u32]],
        filling: Filling,
        context: &Context,
        normaliser: f64,
        device: &Device,
        precision: Precision,
    ) -> Self {
        assert!(rows.iter().all(|row| row.len() >= 2), "a text has a beginning and an end");
        let longest = rows.iter().map(|row| row.len()).max().expect("a batch has rows");
        let length = filling.length.unwrap_or(longest);
        assert!(longest <= length, "a text of {longest} tokens in a row of {length}");
        let shape = [rows.len(), length];
        let at = |row: &[u32], index: usize| row.get(index).copied().unwrap_or(filling.padding);
        let cells =
            |count: usize| rows.iter().flat_map(move |row| (0..count).map(move |index| (*row, index)));
        let text: Vec<i64> = cells(length).map(|(row, index)| i64::from(at(row, index))).collect();
        let real: Vec<bool> = cells(length).map(|(row, index)| index < row.len()).collect();
        // The decoder is shown all but the last, and asked for all but the first.
        let shown: Vec<u32> = cells(length - 1).map(|(row, index)| at(row, index)).collect();
        let next: Vec<u32> = cells(length - 1).map(|(row, index)| at(row, index + 1)).collect();
        let weights: Vec<f32> =
            cells(length - 1).map(|(row, index)| f32::from(u8::from(index + 1 < row.len()))).collect();
        let padded = real.contains(&false);
        TextVaeBatch {
            text: Tensor::from_data(TensorData::new(text, shape), (device, DType::I64)),
            lengths: rows.iter().map(|row| row.len()).collect(),
            target: LanguageBatch::new(
                [rows.len(), length - 1],
                &shown,
                &next,
                &weights,
                normaliser,
                device,
                precision,
            ),
            context: Context {
                mask: Mask { padding: padded.then(|| real.into()), segments: None },
                ..context.clone()
            },
        }
    }

    /// Tokens of every text, those that begin and end it included.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Of every text how many tokens are asked for: its own, and its end.
    pub fn targets(&self) -> usize {
        self.lengths.iter().map(|length| length - 1).sum()
    }

    /// Ids `[b, n]` of whole texts.
    pub fn text(&self) -> Tensor<2, Int> {
        self.text.clone()
    }

    /// What the decoder is shown, and what comes next.
    pub fn target(&self) -> &LanguageBatch {
        &self.target
    }

    /// What the encoder is read with.
    pub fn context(&self) -> &Context {
        &self.context
    }
}

/// What divergences cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DivergenceWeight {
    /// β, a factor on all of them.
    pub beta: f64,
    /// λ, the nats of a number (of a latent, if it has one divergence for all of its numbers) that cost nothing.
    pub free_bits: f64,
}

impl Default for DivergenceWeight {
    fn default() -> Self {
        DivergenceWeight { beta: 1.0, free_bits: 0.0 }
    }
}

/// The loss with its parts.
#[derive(Clone, Debug)]
pub struct TextVaeLoss {
    /// What is minimised, `[1]`.
    pub loss: Tensor<1>,
    /// The share of the texts: nats over the normaliser, `[1]`, detached.
    pub cross_entropy: Tensor<1>,
    /// Of every latent layer the divergence of every text in nats, `[b, 1]`, detached and without free bits.
    pub divergences: Vec<Tensor<2>>,
    /// By what the means of every layer were normalised, in training, of models that normalise them.
    pub moments: Vec<Moments>,
}

/// The loss of a batch whose latents are drawn with `key`, or are their means without one.
pub fn text_vae_loss(
    model: &TextVae,
    batch: &TextVaeBatch,
    posterior: &Posterior,
    key: Option<Key>,
    weight: DivergenceWeight,
    normaliser: f64,
) -> TextVaeLoss {
    let noise = key.map(|key| LatentNoise { key, samples: &batch.context.samples });
    let (encoded, draws) = draw_latents(model, batch, posterior, noise);
    let cross_entropy = reconstruction_loss(model, batch, &encoded.latents);
    draws.loss(cross_entropy, weight.beta / normaliser, weight.free_bits, encoded.moments)
}

/// Σ −log p(c_t | c_<t, z) over the normaliser of the batch, `[1]`, for given latents.
///
/// # Panics
/// If there are not as many latents as layers with one.
pub fn reconstruction_loss(model: &TextVae, batch: &TextVaeBatch, latents: &[Tensor<2>]) -> Tensor<1> {
    hidden_loss(model.output_weight(), decoded(model, batch, latents), &batch.target)
}

/// Final hidden vectors `[b, n − 1, d]` of the decoder for a batch.
pub(super) fn decoded(model: &TextVae, batch: &TextVaeBatch, latents: &[Tensor<2>]) -> Tensor<3> {
    // What follows a text's end has no weight.
    let context = Context { mask: Mask::default(), ..batch.context.clone() };
    model.decode(latents, batch.target.inputs(), &context)
}

/// What the encoder says of a batch, with its latents as they are drawn with `noise`, or are their means without.
pub fn draw_latents<'a>(
    model: &TextVae,
    batch: &TextVaeBatch,
    posterior: &'a Posterior,
    noise: Option<LatentNoise<'a>>,
) -> (Encoded, Draws<'a>) {
    let mut draws = Draws::new(posterior, noise);
    let encoded = model.encode(batch.text(), &batch.context, |index, made_of| draws.draw(index, made_of));
    (encoded, draws)
}

/// The latents of a batch as they are drawn, layer after layer.
pub struct Draws<'a> {
    posterior: &'a Posterior,
    noise: Option<LatentNoise<'a>>,
    drawn: Vec<Drawn>,
}

impl<'a> Draws<'a> {
    pub(super) fn new(posterior: &'a Posterior, noise: Option<LatentNoise<'a>>) -> Self {
        Draws { posterior, noise, drawn: Vec::new() }
    }

    /// The draws of every layer, the lowest first.
    pub fn into_drawn(self) -> Vec<Drawn> {
        self.drawn
    }

    /// The latents numbered `index`.
    pub(super) fn draw(&mut self, index: usize, made_of: Tensor<2>) -> Tensor<2> {
        let drawn = self.posterior.draw(index, made_of, self.noise);
        self.drawn.push(drawn.clone());
        drawn.latent
    }

    /// The cross-entropy with `weight` times the divergences, of which `free_bits` cost nothing.
    pub(super) fn loss(
        &self,
        cross_entropy: Tensor<1>,
        weight: f64,
        free_bits: f64,
        moments: Vec<Moments>,
    ) -> TextVaeLoss {
        let costs = self.drawn.iter().map(|draw| draw.divergence.clone().clamp_min(free_bits).sum());
        let cost = costs.reduce(|sum, cost| sum + cost).expect("a model has latents");
        let detached = |draw: &Drawn| draw.divergence.clone().detach().sum_dim(1);
        TextVaeLoss {
            loss: cross_entropy.clone() + cost.mul_scalar(weight),
            cross_entropy: cross_entropy.detach(),
            divergences: self.drawn.iter().map(detached).collect(),
            moments,
        }
    }
}
