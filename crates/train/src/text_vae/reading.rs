//! Sentences on their way through the encoder.

use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_data::{Enclosure, SentenceBatch};
use mixlab_kernels::Mask;
use mixlab_nn::latent::TextVae;
use mixlab_nn::{Context, Mode};
use mixlab_objectives::vae::{Drawn, Filling, LatentNoise, Posterior, TextVaeBatch};

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
        let mut drawn: Vec<Drawn> = Vec::new();
        let encoded = model.encode(batch.text(), batch.context(), |index, made_of| {
            let draw = self.posterior.draw(index, made_of, noise);
            drawn.push(draw.clone());
            draw.latent
        });
        Read {
            latents: encoded.latents,
            means: drawn.iter().map(|draw| draw.mean.clone()).collect(),
            posteriors: encoded.posteriors,
            divergences: drawn.into_iter().map(|draw| draw.divergence.sum_dim(1)).collect(),
        }
    }
}

/// The key of the draws that are measured: the same in every evaluation of a run.
pub(crate) fn evaluation_key(seed: u64) -> Key {
    Key::root(seed).purpose(Purpose::Sample).site("evaluation")
}

/// The sum of a tensor's numbers.
pub(super) fn total(x: &Tensor<2>) -> f64 {
    x.clone().sum().into_scalar::<f64>()
}
