//! What writing sentences from latents takes with a cache of keys and values, beside computing every prefix again.

use std::time::Instant;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_nn::Context;
use mixlab_nn::head::Output;
use mixlab_nn::latent::TextVae;
use mixlab_train::{Config, Latents, Observer, TEXTS_TOGETHER, Task, TrainError, text_vae_task};
use rayon::prelude::*;
use serde::Serialize;

use crate::study::median;

/// How many sentences, how long, how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentencesOptions {
    /// Numbers of sentences that are written at once.
    pub sentences: Vec<usize>,
    /// Tokens of each; as many as the model is made for if absent.
    pub tokens: Option<usize>,
    /// Rounds, in each of which both ways write every number of sentences once; one at least.
    pub rounds: usize,
}

impl Default for SentencesOptions {
    fn default() -> Self {
        SentencesOptions { sentences: vec![1, 64], tokens: None, rounds: 5 }
    }
}

/// One number of sentences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SentencesPoint {
    /// Sentences at once.
    pub sentences: usize,
    /// Tokens of each.
    pub tokens: usize,
    /// Median milliseconds with the cache.
    pub cached_ms: f64,
    /// Median milliseconds when every token's whole prefix is computed again.
    pub recomputed_ms: f64,
    /// Median over the rounds of recomputed over cached: how many times as fast the cache is.
    pub ratio: f64,
    /// The least and the greatest of these ratios.
    pub range: [f64; 2],
}

/// Lets a freshly built model write greedily, in both ways in turn.
///
/// # Errors
/// What is wrong with the config or its data; another objective; more tokens than the model is made for, or none.
pub fn measure_sentences(
    config: &Config,
    options: &SentencesOptions,
    observer: &mut dyn Observer,
) -> Result<Vec<SentencesPoint>, TrainError> {
    let Some(objective) = config.objective.text_vae() else {
        return Err(TrainError::Conflict {
            first: "an objective without latents".into(),
            second: "measuring what is written from latents".into(),
            reason: "only text VAEs write from them".into(),
            remedy: "name a config with `objective.kind = \"text_vae\"`, or use `mixlab measure decode`"
                .into(),
        });
    };
    let most = config.model.max_length;
    let tokens = options.tokens.unwrap_or(most);
    if !(1..=most).contains(&tokens) {
        let expected = format!("1 to {most}, for which this model is made");
        return Err(TrainError::OutOfRange { key: "--tokens", found: tokens.to_string(), expected });
    }
    if options.sentences.contains(&0) {
        return Err(TrainError::OutOfRange {
            key: "--sentences",
            found: "0".into(),
            expected: "1 or more".into(),
        });
    }
    // The task knows the vocabulary; its model tracks gradients, so that another one is built.
    let vocabulary = text_vae_task(config, None, observer)?.describe().data.vocabulary().unwrap_or(0);
    let device = config.run.device.device();
    let (seed, precision) = (config.run.seed, config.run.precision);
    let posterior = objective.posterior.input(objective.latent.width);
    let model =
        config.model.build_text_vae(&objective.latent, posterior, vocabulary, seed, &device, precision)?;
    observer.phase("measuring");
    let mut points = Vec::new();
    for &sentences in &options.sentences {
        let latents = Latents::from_prior(&objective.latent, &objective.posterior, sentences, seed);
        let subject =
            Subject { model: &model, latents: latents.tensors(&device, precision), device: &device, tokens };
        points.push(subject.measure(sentences, options.rounds)?);
    }
    Ok(points)
}

/// Sentences to write.
struct Subject<'a> {
    model: &'a TextVae,
    latents: Vec<Tensor<2>>,
    device: &'a Device,
    tokens: usize,
}

impl Subject<'_> {
    fn measure(&self, sentences: usize, rounds: usize) -> Result<SentencesPoint, TrainError> {
        // What is done for the first time takes longer.
        let written = [self.cached()?, self.recomputed()];
        debug_assert_eq!(written[0].len(), written[1].len());
        let (mut cached, mut recomputed) = (Vec::new(), Vec::new());
        for _ in 0..rounds.max(1) {
            let begin = Instant::now();
            self.cached()?;
            cached.push(1e3 * begin.elapsed().as_secs_f64());
            let begin = Instant::now();
            self.recomputed();
            recomputed.push(1e3 * begin.elapsed().as_secs_f64());
        }
        let ratios: Vec<f64> = recomputed.iter().zip(&cached).map(|(a, b)| a / b).collect();
        let middle = |values: &[f64]| median(values).unwrap_or(f64::NAN);
        Ok(SentencesPoint {
            sentences,
            tokens: self.tokens,
            cached_ms: middle(&cached),
            recomputed_ms: middle(&recomputed),
            ratio: middle(&ratios),
            range: [
                ratios.iter().copied().fold(f64::INFINITY, f64::min),
                ratios.iter().copied().fold(0.0, f64::max),
            ],
        })
    }

    fn rows(&self) -> usize {
        self.latents[0].dims()[0]
    }

    /// The tokens `[sentences]` of every place, in groups as sentences are written.
    fn cached(&self) -> Result<Vec<Vec<i64>>, TrainError> {
        let groups: Vec<Subject> = (0..self.rows())
            .step_by(TEXTS_TOGETHER)
            .map(|start| self.part(start, TEXTS_TOGETHER.min(self.rows() - start)))
            .collect();
        let written: Vec<Vec<Vec<i64>>> =
            groups.par_iter().map(Subject::cached_together).collect::<Result<_, _>>()?;
        let place = |place: usize| written.iter().flat_map(|group| group[place].iter().copied()).collect();
        Ok((0..=self.tokens).map(place).collect())
    }

    /// Some of the sentences.
    fn part(&self, start: usize, count: usize) -> Self {
        let latents = self.latents.iter().map(|latent| latent.clone().narrow(0, start, count)).collect();
        Subject { latents, ..*self }
    }

    fn cached_together(&self) -> Result<Vec<Vec<i64>>, TrainError> {
        let (output, mut state) = (self.model.output(), self.model.state(&self.latents)?);
        let mut places = vec![vec![0; self.rows()]];
        for place in 0..self.tokens {
            let hidden = self.model.step(self.ids(&places[place..]), &mut state);
            places.push(most_probable(&output, hidden));
        }
        Ok(places)
    }

    fn recomputed(&self) -> Vec<Vec<i64>> {
        let (output, context) = (self.model.output(), Context::evaluation(self.rows(), true));
        let mut places = vec![vec![0; self.rows()]];
        for place in 0..self.tokens {
            let hidden = self.model.decode(&self.latents, self.ids(&places), &context);
            // Only the last place is asked for, as with the cache.
            places.push(most_probable(&output, hidden.narrow(1, place, 1)));
        }
        places
    }

    /// Places as rows of tokens, `[sentences, places]`.
    fn ids(&self, places: &[Vec<i64>]) -> Tensor<2, Int> {
        let rows = self.rows();
        let ids: Vec<i64> = (0..rows).flat_map(|row| places.iter().map(move |place| place[row])).collect();
        Tensor::from_data(TensorData::new(ids, [rows, places.len()]), (self.device, DType::I64))
    }
}

fn most_probable(output: &Output, hidden: Tensor<3>) -> Vec<i64> {
    output.logits(hidden).argmax(2).into_data().iter::<i64>().collect()
}

#[cfg(test)]
mod tests {
    use mixlab_core::Precision;
    use mixlab_nn::mixer::{MixerConfig, SoftmaxAttentionConfig};
    use mixlab_nn::{ModelConfig, parameter_values, with_parameters};
    use mixlab_objectives::vae::PosteriorConfig;

    use super::*;

    /// Both ways have to write the same for their times to be compared.
    #[test]
    fn both_ways_write_the_same() {
        let attention = SoftmaxAttentionConfig { heads: 2, ..SoftmaxAttentionConfig::default() };
        let model = ModelConfig {
            width: 16,
            depth: 3,
            max_length: 9,
            ..ModelConfig::new(MixerConfig::SoftmaxAttention(attention))
        };
        let (latent, posterior) = (mixlab_nn::latent::LatentConfig::new(2, 4), PosteriorConfig::default());
        let (device, precision) = (Device::flex(), Precision::F64);
        let built = model.build_text_vae(&latent, posterior.input(4), 30, 1, &device, precision).unwrap();
        // Freshly built, it repeats whatever it is shown.
        let larger = parameter_values(&built).into_iter().map(|(path, value)| (path, value * 12.0)).collect();
        let built = with_parameters(built, larger);
        let count = TEXTS_TOGETHER + 3;
        let latents = Latents::from_prior(&latent, &posterior, count, 1).tensors(&device, precision);
        let subject = Subject { model: &built, latents, device: &device, tokens: 9 };
        let written = subject.cached().unwrap();
        assert_eq!(written, subject.recomputed());
        assert!(written.len() == 10 && written.iter().skip(1).any(|place| place != &written[1]));
        let point = subject.measure(count, 2).unwrap();
        assert!(point.cached_ms > 0.0 && point.range[0] <= point.ratio && point.ratio <= point.range[1]);
    }
}
