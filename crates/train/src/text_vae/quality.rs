//! How good a text VAE is: what it gives back, what it knows, which latents it uses, and what it makes up.

use std::collections::BTreeSet;

use mixlab_core::Key;
use mixlab_data::SentenceEvaluation;
use mixlab_objectives::text_quality::{TextTokens, distinct, self_bleu};
use mixlab_objectives::vae::{evidence, log_mean_exp};
use serde::Serialize;

use super::reading::evaluation_key;
use super::returned::{Reconstruction, Returned};
use super::usage::{UsageOptions, latent_use};
use super::{LatentUse, Latents, TextVaeFolder, Writing, unheard};
use crate::TrainError;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QualityOptions {
    /// Draws of the importance-weighted bound; 0 leaves it out.
    pub draws: usize,
    /// Sentences that bound is measured on at most.
    pub bounded_sentences: usize,
    /// Texts that are made up from the prior; 0 leaves them out.
    pub samples: usize,
    /// Seed of all draws.
    pub seed: u64,
}

impl Default for QualityOptions {
    fn default() -> Self {
        QualityOptions { draws: 20, bounded_sentences: 256, samples: 500, seed: 1 }
    }
}

/// Sentences whose latents are exchanged to see what that costs.
const EXCHANGED: usize = 2048;

/// How a text VAE does on some sentences.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TextVaeQuality {
    /// Sentences.
    pub sentences: usize,
    /// Tokens that were to be written, ends included.
    pub tokens: usize,
    /// Nats of a sentence given latents drawn from its posterior.
    pub reconstruction_nats: f64,
    /// Divergence of the posterior from the prior, in nats of a sentence.
    pub divergence_nats: f64,
    /// The evidence lower bound.
    pub evidence_lower_bound: Bound,
    /// The importance-weighted bound, if it was measured.
    pub importance_weighted: Option<Bound>,
    /// What comes back from the means of the posteriors.
    pub from_means: Reconstruction,
    /// What comes back from draws of the posteriors.
    pub from_draws: Reconstruction,
    /// How latents are used; absent where there is but one sentence.
    pub usage: Option<LatentUse>,
    /// Texts from the prior, if there are any.
    pub samples: Option<Samples>,
}

/// A lower bound of the log likelihood.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bound {
    /// Draws of the latents of a sentence.
    pub draws: usize,
    /// Sentences it was measured on.
    pub sentences: usize,
    /// Mean over sentences in nats; log p(x) is at least as much.
    pub nats_per_sentence: f64,
    /// e^(−bound / tokens): the perplexity of a token is at most that.
    pub perplexity: f64,
}

/// How texts are that were made up from the prior, each token the most probable one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Samples {
    /// How many.
    pub count: usize,
    /// Share that ended by themselves.
    pub ended: f64,
    /// Share whose length and punctuation are those of some sentence that was measured.
    pub known_form: f64,
    /// Share of them that are different texts.
    pub distinct_texts: f64,
    /// Different tokens over all.
    pub distinct_1: f64,
    /// Different pairs of tokens over all.
    pub distinct_2: f64,
    /// How much they repeat each other: the mean BLEU of each against the others, 0 to 100.
    pub self_bleu: f64,
}

impl TextVaeFolder {
    /// Sentences to measure on, `batch` at once.
    ///
    /// # Errors
    /// No sentence, or one that the tokenizer cannot encode.
    pub fn sentences(
        &self,
        texts: &mixlab_data::Documents,
        batch: usize,
    ) -> Result<SentenceEvaluation, TrainError> {
        Ok(SentenceEvaluation::new(texts, &self.folder.tokenizer, self.length(), batch)?)
    }

    /// Measures the model on `data`.
    ///
    /// # Errors
    /// A mixer that cannot go token by token.
    pub fn quality(
        &self,
        data: &SentenceEvaluation,
        options: QualityOptions,
    ) -> Result<TextVaeQuality, TrainError> {
        let key = evaluation_key(options.seed);
        let (mut reconstruction, mut divergence, mut tokens) = (0.0, 0.0, 0);
        let (mut means, mut draws) = (Returned::default(), Returned::default());
        let reading = self.reading(self.posterior());
        let (model, writer) = (&self.folder.model, self.writer());
        for index in 0..data.batches() {
            let sentences = data.batch(index);
            let batch = reading.measured(&sentences);
            let drawn = reading.read(model, &batch, Some(key));
            reconstruction += drawn.reconstruction(model, &batch);
            divergence += drawn.divergence();
            tokens += sentences.targets();
            means.add(writer, &sentences.rows, &reading.read(model, &batch, None).latents)?;
            draws.add(writer, &sentences.rows, &drawn.latents)?;
        }
        let count = data.sentences() as f64;
        let of_all = |nats: f64| nats / count;
        let usage = UsageOptions { sentences: EXCHANGED, whole: true };
        let known: BTreeSet<Vec<Shape>> = means.originals().iter().map(|text| shape(text)).collect();
        Ok(TextVaeQuality {
            sentences: data.sentences(),
            tokens,
            reconstruction_nats: of_all(reconstruction),
            divergence_nats: of_all(divergence),
            evidence_lower_bound: Bound {
                draws: 1,
                sentences: data.sentences(),
                nats_per_sentence: -of_all(reconstruction + divergence),
                perplexity: ((reconstruction + divergence) / tokens as f64).exp(),
            },
            importance_weighted: (options.draws > 0).then(|| self.importance_weighted(data, options, key)),
            from_means: means.finish(),
            from_draws: draws.finish(),
            usage: latent_use(model, &reading, data, key, usage),
            samples: (options.samples > 0).then(|| self.samples(options, &known)).transpose()?,
        })
    }

    /// log (1/k) Σ p(x, z_k)/q(z_k|x) along k drawn paths, over the first sentences.
    fn importance_weighted(&self, data: &SentenceEvaluation, options: QualityOptions, key: Key) -> Bound {
        let reading = self.reading(self.posterior());
        let (mut sum, mut sentences, mut tokens) = (0.0, 0, 0);
        for index in 0..data.batches() {
            let some = data.batch(index).first(options.bounded_sentences.saturating_sub(sentences));
            if some.rows.is_empty() {
                break;
            }
            let batch = reading.measured(&some);
            let mut weights = vec![Vec::with_capacity(options.draws); some.rows.len()];
            for draw in 0..options.draws {
                let found = evidence(
                    &self.folder.model,
                    &batch,
                    self.posterior(),
                    key.site("importance").index(draw as u64),
                );
                for (row, weights) in weights.iter_mut().enumerate() {
                    weights.push(found.log_likelihood[row] - found.log_ratio[row]);
                }
            }
            sum += weights.iter().map(|weights| log_mean_exp(weights)).sum::<f64>();
            sentences += some.rows.len();
            tokens += some.targets();
        }
        Bound {
            draws: options.draws,
            sentences,
            nats_per_sentence: sum / sentences.max(1) as f64,
            perplexity: (-sum / tokens.max(1) as f64).exp(),
        }
    }

    fn samples(&self, options: QualityOptions, known: &BTreeSet<Vec<Shape>>) -> Result<Samples, TrainError> {
        let (latent, posterior) = (&self.objective.latent, &self.objective.posterior);
        let latents = Latents::from_prior(latent, posterior, options.samples, options.seed);
        let written = self.write(&latents, &Writing::greedy(), &mut unheard)?;
        let texts: Vec<&str> = written.iter().map(|text| text.text.as_str()).collect();
        let kind = TextTokens::suiting(texts.iter().copied());
        let share = |of: usize| of as f64 / texts.len().max(1) as f64;
        Ok(Samples {
            count: texts.len(),
            ended: share(written.iter().filter(|text| text.ended).count()),
            known_form: share(texts.iter().filter(|text| known.contains(&shape(text))).count()),
            distinct_texts: share(texts.iter().collect::<BTreeSet<_>>().len()),
            distinct_1: distinct(&texts, 1, kind),
            distinct_2: distinct(&texts, 2, kind),
            self_bleu: self_bleu(&texts, kind),
        })
    }
}

/// What the form of a text is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    /// A run of so many letters, digits and blanks.
    Run(usize),
    /// A sign.
    Sign(char),
}

/// The lengths between signs of punctuation, and the signs.
fn shape(text: &str) -> Vec<Shape> {
    let mut shape = Vec::new();
    for character in text.chars() {
        let inside = character.is_alphanumeric() || character.is_whitespace();
        match shape.last_mut() {
            Some(Shape::Run(length)) if inside => *length += 1,
            _ if inside => shape.push(Shape::Run(1)),
            _ => shape.push(Shape::Sign(character)),
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_lengths_and_signs() {
        assert_eq!(shape("床前，光。"), shape("人生，夢。"));
        assert_ne!(shape("床前，光。"), shape("人生夢，。"));
        assert_ne!(shape("床前，光。"), shape("人生，夢！"));
        assert_eq!(shape("ab c!"), [Shape::Run(4), Shape::Sign('!')]);
    }
}
