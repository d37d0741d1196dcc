//! Whether and how the latents of each layer are used.

use burn::tensor::Tensor;
use mixlab_core::Key;
use mixlab_data::SentenceEvaluation;
use mixlab_nn::latent::TextVae;
use mixlab_objectives::vae::{
    LatentNoise, MeanSpread, MutualInformation, TextVaeBatch, mutual_information, reconstruction_loss,
};
use serde::{Deserialize, Serialize};

use super::reading::{Read, Reading, total};

/// How the latent of one layer is used, over held-out sentences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerUse {
    /// The layer, from 1 for the lowest with a latent.
    pub layer: usize,
    /// Divergence of the posterior from the prior, in nats of a sentence.
    pub divergence: f64,
    /// By how many nats a sentence costs more when this latent alone is that of another sentence.
    pub rise_by_other: f64,
    /// The same when it is drawn from the prior; only where all is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rise_by_prior: Option<f64>,
    /// By how many nats a sentence costs more when all latents but this one are those of another sentence; only where all is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rise_without_others: Option<f64>,
    /// Nats between sentence and latent, estimated.
    pub information: f64,
    /// What no estimate from so many sentences can pass.
    pub information_ceiling: f64,
    /// Length of the mean of all posterior means: of directions 1 if they are one, and 0 if they lie all around.
    pub resultant: f64,
    /// Along how many axes the means spread.
    pub effective_rank: f64,
    /// Numbers whose mean varies over sentences.
    pub active: usize,
}

impl LayerUse {
    /// Whether the number of sentences, and not the latent, sets the estimate of information.
    pub fn is_saturated(&self) -> bool {
        MutualInformation { nats: self.information, ceiling: self.information_ceiling }.is_saturated()
    }
}

/// How latents are used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatentUse {
    /// Sentences that were measured.
    pub sentences: usize,
    /// By how many nats a sentence costs more when all its latents are those of another sentence.
    pub rise_by_other: f64,
    /// Layer by layer, the lowest first.
    pub layers: Vec<LayerUse>,
}

impl LatentUse {
    /// Divergence of all layers, in nats of a sentence.
    pub fn divergence(&self) -> f64 {
        self.layers.iter().map(|layer| layer.divergence).sum()
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UsageOptions {
    /// Sentences at most.
    pub sentences: usize,
    /// Whether latents are also replaced by draws from the prior, and all but one.
    pub whole: bool,
}

/// Sums over the batches so far.
#[derive(Default)]
struct Sums {
    sentences: usize,
    all: f64,
    other: Vec<f64>,
    prior: Vec<f64>,
    without_others: Vec<f64>,
    divergences: Vec<f64>,
    means: Vec<Vec<Tensor<2>>>,
    posteriors: Vec<Vec<Tensor<2>>>,
    latents: Vec<Vec<Tensor<2>>>,
}

/// Measures the use of latents on the first sentences of a set, drawn with `key`. Nothing where no batch has two sentences to exchange.
pub(crate) fn latent_use(
    model: &TextVae,
    reading: &Reading<'_>,
    data: &SentenceEvaluation,
    key: Key,
    options: UsageOptions,
) -> Option<LatentUse> {
    let mut sums = Sums::default();
    for index in 0..data.batches() {
        let sentences = data.batch(index);
        if sums.sentences + sentences.rows.len() > options.sentences && sums.sentences > 0 {
            break;
        }
        if sentences.rows.len() < 2 {
            continue;
        }
        let batch = reading.measured(&sentences);
        let read = reading.read(model, &batch, Some(key));
        sums.add(model, reading, &batch, read, key, options.whole);
    }
    (sums.sentences > 0).then(|| sums.finish(reading))
}

impl Sums {
    fn add(
        &mut self,
        model: &TextVae,
        reading: &Reading<'_>,
        batch: &TextVaeBatch,
        read: Read,
        key: Key,
        whole: bool,
    ) {
        let cost = |latents: &[Tensor<2>]| reconstruction_loss(model, batch, latents).into_scalar::<f64>();
        let plain = cost(&read.latents);
        let other: Vec<Tensor<2>> = read.latents.iter().map(next_row).collect();
        self.all += cost(&other) - plain;
        let layers = read.latents.len();
        let always = [&mut self.other, &mut self.divergences];
        let for_the_whole = [&mut self.prior, &mut self.without_others];
        for sums in always.into_iter().chain(for_the_whole.into_iter().filter(|_| whole)) {
            sums.resize(layers, 0.0);
        }
        for sums in [&mut self.means, &mut self.posteriors, &mut self.latents] {
            sums.resize(layers, Vec::new());
        }
        let noise = LatentNoise { key, samples: &batch.context().samples };
        for layer in 0..layers {
            let with = |kept: &[Tensor<2>], one: Tensor<2>| {
                let mut changed = kept.to_vec();
                changed[layer] = one;
                cost(&changed) - plain
            };
            self.other[layer] += with(&read.latents, other[layer].clone());
            if whole {
                let prior = reading.posterior.prior(layer, noise, &read.latents[layer]);
                self.prior[layer] += with(&read.latents, prior);
                self.without_others[layer] += with(&other, read.latents[layer].clone());
            }
            self.divergences[layer] += total(&read.divergences[layer]);
            self.means[layer].push(read.means[layer].clone());
            self.posteriors[layer].push(read.posteriors[layer].clone());
            self.latents[layer].push(read.latents[layer].clone());
        }
        self.sentences += batch.lengths().len();
    }

    fn finish(self, reading: &Reading<'_>) -> LatentUse {
        let count = self.sentences as f64;
        let layer = |layer: usize| {
            let joined = |parts: &[Vec<Tensor<2>>]| Tensor::cat(parts[layer].clone(), 0);
            let spread = MeanSpread::of(&joined(&self.means));
            let information =
                mutual_information(reading.posterior, &joined(&self.posteriors), &joined(&self.latents));
            let mean = |sums: &[f64]| sums.get(layer).map(|sum| sum / count);
            LayerUse {
                layer: layer + 1,
                divergence: self.divergences[layer] / count,
                rise_by_other: self.other[layer] / count,
                rise_by_prior: mean(&self.prior),
                rise_without_others: mean(&self.without_others),
                information: information.nats,
                information_ceiling: information.ceiling,
                resultant: spread.resultant,
                effective_rank: spread.effective_rank,
                active: spread.active,
            }
        };
        LatentUse {
            sentences: self.sentences,
            rise_by_other: self.all / count,
            layers: (0..self.divergences.len()).map(layer).collect(),
        }
    }
}

/// The latents of the sentence that follows, for each; of the last the first.
fn next_row(latents: &Tensor<2>) -> Tensor<2> {
    let rows = latents.dims()[0];
    Tensor::cat(vec![latents.clone().narrow(0, 1, rows - 1), latents.clone().narrow(0, 0, 1)], 0)
}
