//! What a shallow model of a config's shape takes on this machine.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_core::{Key, Purpose};
use mixlab_kernels::{AllocationCount, Mask};
use mixlab_nn::latent::{LatentConfig, TextVae};
use mixlab_nn::seq2seq::SequenceToSequence;
use mixlab_nn::{
    Classifier, Context, EmbeddingModel, LanguageModel, Mode, ModelConfig, RecomputeConfig, backward_from,
    parameter_gradients,
};
use mixlab_objectives::classification::{ClassificationBatch, ClassifierInputs, classification_loss};
use mixlab_objectives::language::{LanguageBatch, causal_lm_loss, masked_lm_loss};
use mixlab_objectives::seq2seq::{SequencePairs, sequence_to_sequence_loss};
use mixlab_objectives::vae::{DivergenceWeight, Posterior, TextVaeBatch, text_vae_loss};
use mixlab_train::{Config, DataDescription, Learner, TrainError};

use super::made_up::{Part, examples, inputs, pairs, sentences, tokens};

/// What one update of a model of some depth takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// Seconds of forward and backward pass over one micro-batch.
    pub pass_seconds: f64,
    /// Seconds of the optimiser.
    pub update_seconds: f64,
    /// The most bytes held at any moment of a second forward and backward pass, the model and its learner included.
    pub pass_peak: f64,
    /// The most held while that gradient becomes an update.
    pub update_peak: f64,
}

/// Updates that are timed; the least time counts, as nothing makes an update faster than it is.
const ROUNDS: usize = 3;

/// A kind of model with its learner and a batch made up for it.
enum Subject {
    Language { learner: Learner<LanguageModel>, batch: Box<LanguageBatch>, causal: bool },
    Pairs { learner: Learner<SequenceToSequence>, batch: Box<SequencePairs> },
    Classifier { learner: Learner<Classifier>, batch: Box<ClassificationBatch> },
    Embedder { learner: Box<Learner<EmbeddingModel>>, inputs: ClassifierInputs },
    TextVae { learner: Box<Learner<TextVae>>, batch: Box<TextVaeBatch>, posterior: Posterior },
}

/// Makes updates of the config's model with `blocks` blocks on micro-batches of `rows` rows, nothing computed again.
///
/// # Errors
/// The model cannot be built.
pub(super) fn sample(
    config: &Config,
    data: &DataDescription,
    length: usize,
    (depth, rows): (usize, usize),
) -> Result<Sample, TrainError> {
    let mut held = Held::new();
    let model = ModelConfig { depth, recompute: RecomputeConfig::default(), ..shallow(&config.model, depth) };
    let mut subject = Subject::new(config, &model, data, [rows, length])?;
    let context = context(config, rows);
    let (mut pass_seconds, mut update_seconds) = (f64::INFINITY, f64::INFINITY);
    let (mut pass_peak, mut update_peak) = (0.0f64, 0.0f64);
    for _ in 0..=ROUNDS {
        // The first update makes the optimiser's state, so that the peaks of the later ones are the greater.
        held.peak();
        let begin = Instant::now();
        let (loss, gradients) = subject.gradients(&context);
        let middle = begin.elapsed().as_secs_f64();
        pass_peak = pass_peak.max(held.peak());
        let resumed = Instant::now();
        subject.apply(loss, gradients)?;
        let end = resumed.elapsed().as_secs_f64();
        update_peak = update_peak.max(held.peak());
        pass_seconds = pass_seconds.min(middle);
        update_seconds = update_seconds.min(end);
    }
    Ok(Sample { pass_seconds, update_seconds, pass_peak, update_peak })
}

/// Bytes held since the beginning, with the peak of one stretch after another.
struct Held {
    count: Option<AllocationCount>,
    /// Held when the present stretch began.
    before: isize,
}

impl Held {
    fn new() -> Self {
        Held { count: AllocationCount::open(), before: 0 }
    }

    /// The peak since it was last asked for; a new stretch begins.
    fn peak(&mut self) -> f64 {
        let Some(count) = self.count.take() else { return 0.0 };
        let peak = self.before + count.peak();
        self.before += count.held();
        // One count at a time: the next can only be opened after this.
        drop(count);
        self.count = AllocationCount::open();
        peak.max(0) as f64
    }
}

/// The model with fewer blocks, in both stacks if there are two; of two kinds of layers both keep their share as well as whole layers can.
fn shallow(model: &ModelConfig, depth: usize) -> ModelConfig {
    let mut model = model.clone();
    if let Some(encoder) = &mut model.encoder {
        let of = encoder.depth.unwrap_or(model.depth) * depth;
        encoder.depth = Some(((of as f64 / model.depth as f64).round() as usize).max(1));
    }
    if let Some(hybrid) = &mut model.hybrid {
        let share = hybrid.layers as f64 / model.depth as f64;
        hybrid.layers = ((share * depth as f64).round() as usize).clamp(1, depth);
    }
    model
}

/// The latents of a model with `few` blocks of `all`: as many of them have one, of their share.
fn shallow_latent(latent: &LatentConfig, all: usize, few: usize) -> LatentConfig {
    let share = latent.layers as f64 / all as f64;
    LatentConfig { layers: ((share * few as f64).round() as usize).clamp(1, few), ..latent.clone() }
}

/// What a made-up batch of `rows` rows is read with.
pub(super) fn context(config: &Config, rows: usize) -> Context {
    Context {
        mode: Mode::Train,
        causal: config.objective.is_causal(),
        key: Key::root(config.run.seed).purpose(Purpose::Dropout),
        samples: (0..rows as u64).collect(),
        mask: Mask::default(),
        start: 0,
        gap: 0,
        memory: None,
    }
}

impl Subject {
    fn new(
        config: &Config,
        model: &ModelConfig,
        data: &DataDescription,
        shape: [usize; 2],
    ) -> Result<Self, TrainError> {
        let device = config.run.device.device();
        let (seed, precision) = (config.run.seed, config.run.precision);
        Ok(match data {
            DataDescription::Text { vocabulary, .. } => {
                let built = model.build(*vocabulary, seed, &device, precision)?;
                let share = config.objective.share_of_targets();
                Subject::Language {
                    learner: Learner::new(built.train(), config, &device),
                    batch: Box::new(tokens(precision, *vocabulary, shape, share, &device.autodiff())),
                    causal: config.objective.is_causal(),
                }
            }
            DataDescription::Contrastive { input, .. } => {
                let built = model.build_embedder(*input, None, seed, &device, precision)?;
                Subject::Embedder {
                    learner: Box::new(Learner::new(built.train(), config, &device)),
                    inputs: inputs(precision, *input, shape, &device.autodiff()),
                }
            }
            DataDescription::Samples { .. } => return Err(super::no_plan()),
            DataDescription::Sentences { vocabulary, real, .. } => {
                let objective = config.objective.text_vae().cloned().unwrap_or_default();
                let latent = shallow_latent(&objective.latent, config.model.blocks(), model.blocks());
                let input = objective.posterior.input(latent.width);
                let built = model.build_text_vae(&latent, input, *vocabulary, seed, &device, precision)?;
                let part = Part { length: shape[1], real: *real };
                Subject::TextVae {
                    learner: Box::new(Learner::new(built.train(), config, &device)),
                    batch: Box::new(sentences(config, *vocabulary, shape[0], part, &device.autodiff())),
                    posterior: objective.posterior.init(latent.width),
                }
            }
            DataDescription::Pairs { vocabulary, lengths, real, .. } if config.model.encoder.is_some() => {
                let built = model.build_sequence_to_sequence(*vocabulary, seed, &device, precision)?;
                let parts = [0, 1].map(|part| Part { length: lengths[part], real: real[part] });
                Subject::Pairs {
                    learner: Learner::new(built.train(), config, &device),
                    batch: Box::new(pairs(config, *vocabulary, shape[0], parts, &device.autodiff())),
                }
            }
            DataDescription::Pairs { vocabulary, lengths, real, .. } => {
                let built = model.build(*vocabulary, seed, &device, precision)?;
                let share = real[1] * lengths[1] as f64 / shape[1] as f64;
                Subject::Language {
                    learner: Learner::new(built.train(), config, &device),
                    batch: Box::new(tokens(precision, *vocabulary, shape, share, &device.autodiff())),
                    causal: true,
                }
            }
            DataDescription::Examples { input, classes, .. } => {
                let built = model.build_classifier(*input, classes.len(), seed, &device, precision)?;
                Subject::Classifier {
                    learner: Learner::new(built.train(), config, &device),
                    batch: Box::new(examples(config, *input, classes.len(), shape, &device.autodiff())),
                }
            }
        })
    }

    fn gradients(&self, context: &Context) -> (f64, BTreeMap<String, Tensor<1>>) {
        let (loss, gradients) = match self {
            Subject::Language { learner, batch, causal } => {
                let loss = match causal {
                    true => causal_lm_loss(learner.model(), batch, context),
                    false => masked_lm_loss(learner.model(), batch, context),
                };
                let mut gradients = loss.backward();
                (loss, parameter_gradients(learner.model(), &mut gradients))
            }
            Subject::Pairs { learner, batch } => {
                let loss = sequence_to_sequence_loss(learner.model(), batch);
                let mut gradients = loss.backward();
                (loss, parameter_gradients(learner.model(), &mut gradients))
            }
            Subject::Classifier { learner, batch } => {
                let loss = classification_loss(learner.model(), batch, context, 0.0);
                let mut gradients = loss.backward();
                (loss, parameter_gradients(learner.model(), &mut gradients))
            }
            Subject::TextVae { learner, batch, posterior } => {
                let (model, key) = (learner.model(), Some(context.key));
                let normaliser = batch.targets().max(1) as f64;
                let weight = DivergenceWeight::default();
                let loss = text_vae_loss(model, batch, posterior, key, weight, normaliser).loss;
                let mut gradients = loss.backward();
                (loss, parameter_gradients(model, &mut gradients))
            }
            Subject::Embedder { learner, inputs } => {
                let model = learner.model();
                let embeddings = match inputs {
                    ClassifierInputs::Images(images) => model.embed_images(images.clone(), context),
                    ClassifierInputs::Tokens(tokens) => model.embed_tokens(tokens.clone(), context),
                };
                // Any gradient of embeddings will do: their loss is tried by itself.
                let seed = embeddings.clone().inner();
                let mut gradients = backward_from(embeddings, seed);
                return (0.0, parameter_gradients(model, &mut gradients));
            }
        };
        (loss.into_scalar::<f64>(), gradients)
    }

    fn apply(&mut self, loss: f64, gradients: BTreeMap<String, Tensor<1>>) -> Result<(), TrainError> {
        // A learning rate of 0 makes all the work of an update and moves nothing.
        match self {
            Subject::Language { learner, .. } => learner.apply(0, loss, gradients, 0.0).map(drop),
            Subject::Pairs { learner, .. } => learner.apply(0, loss, gradients, 0.0).map(drop),
            Subject::Classifier { learner, .. } => learner.apply(0, loss, gradients, 0.0).map(drop),
            Subject::Embedder { learner, .. } => learner.apply(0, loss, gradients, 0.0).map(drop),
            Subject::TextVae { learner, .. } => learner.apply(0, loss, gradients, 0.0).map(drop),
        }
    }
}
