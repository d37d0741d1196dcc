//! Sentences on their way through the encoder.

use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_data::{Enclosure, SentenceBatch};
use mixlab_kernels::Mask;
use mixlab_nn::latent::TextVae;
use mixlab_nn::{Context, Mode};
use mixlab_objectives::vae::{
    Filling, LatentNoise, Posterior, TextVaeBatch, draw_latents, reconstruction_loss,
};

/// Where and how sentences become tensors.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub posterior: &'a Posterior,
    pub enclosure: Enclosure,
    pub device: &'a Device,
    pub precision: Precision,
    /// How long rows become; absent: as long as the longest of a batch.
    pub length: Option<usize>,
}

/// What the encoder says of some sentences.
pub(crate) struct Read {
    /// Of every layer `[b, latent]`.
    pub latents: Vec<Tensor<2>>,
    /// Posterior means, likewise.
    pub means: Vec<Tensor<2>>,
    /// What the posteriors are made of, `[b, numbers]`.
    pub posteriors: Vec<Tensor<2>>,
    /// Nats of every text, `[b, 1]`.
    pub divergences: Vec<Tensor<2>>,
}

impl Reading<'_> {
    /// The sentences as tensors; `noise` is the key of dropout.
    pub fn batch(&self, sentences: &SentenceBatch, mode: Mode, noise: Key, normaliser: f64) -> TextVaeBatch {
        let context = Context {
            mode,
            causal: false,
            key: noise,
            samples: sentences.samples.as_slice().into(),
            mask: Mask::default(),
            start: 0,
            gap: 0,
            memory: None,
        };
        let filling = Filling { padding: self.enclosure.padding, length: self.length };
        TextVaeBatch::new(&sentences.slices(), filling, &context, normaliser, self.device, self.precision)
    }

    /// The same for measuring: no dropout, and losses are sums.
    pub fn measured(&self, sentences: &SentenceBatch) -> TextVaeBatch {
        self.batch(sentences, Mode::Eval, Key::root(0), 1.0)
    }

    /// The latents of sentences, drawn with `key` or along their means without one.
    pub fn read(&self, model: &TextVae, batch: &TextVaeBatch, key: Option<Key>) -> Read {
        let noise = key.map(|key| LatentNoise { key, samples: &batch.context().samples });
        let (encoded, draws) = draw_latents(model, batch, self.posterior, noise);
        let drawn = draws.into_drawn();
        Read {
            latents: encoded.latents,
            means: drawn.iter().map(|draw| draw.mean.clone()).collect(),
            posteriors: encoded.posteriors,
            divergences: drawn.into_iter().map(|draw| draw.divergence.sum_dim(1)).collect(),
        }
    }
}

impl Read {
    /// Nats of all texts given these latents.
    pub fn reconstruction(&self, model: &TextVae, batch: &TextVaeBatch) -> f64 {
        reconstruction_loss(model, batch, &self.latents).into_scalar::<f64>()
    }

    /// Nats of divergence of all texts and layers.
    pub fn divergence(&self) -> f64 {
        self.divergences.iter().map(total).sum()
    }
}

/// The key of the draws that are measured: the same in every evaluation of a run.
pub(crate) fn evaluation_key(seed: u64) -> Key {
    Key::root(seed).purpose(Purpose::Sample).site("evaluation")
}

/// The sum of a tensor's numbers.
pub(crate) fn total(x: &Tensor<2>) -> f64 {
    x.clone().sum().into_scalar::<f64>()
}
