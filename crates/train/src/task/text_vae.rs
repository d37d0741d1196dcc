//! Sentences that become latents at several layers, and sentences again.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Purpose};
use mixlab_data::{Enclosure, SentenceBatch};
use mixlab_kernels::profile::{Pass, pass};
use mixlab_nn::latent::{Moments, TextVae};
use mixlab_nn::{Mode, add_gradients, parameter_gradients};
use mixlab_objectives::vae::{Posterior, TextVaeLoss, reference_text_vae_loss, text_vae_loss};

use super::{Evaluation, Task, Update};
use crate::learner::{Learner, LearnerState};
use crate::metrics::TextVaeTerms;
use crate::model_folder::{ModelDescription, write_model};
use crate::storage::StagedFolder;
use crate::text_vae::{
    Alarms, Latents, Reading, Returned, SentenceWriter, TextVaeConfig, TextVaeData, UsageOptions, Writing,
    evaluation_key, latent_use, total, unheard,
};
use crate::{Config, Description, TrainError};

/// Sentences whose latents are exchanged in an evaluation.
const EXCHANGED: usize = 512;
/// Sentences that are written again in an evaluation.
const WRITTEN: usize = 256;
/// Sentences that are shown.
const SHOWN: usize = 3;
/// How much of the running moments a batch leaves.
const MOMENTUM: f64 = 0.9;

/// A text VAE under training.
pub struct TextVaeTask {
    config: Config,
    objective: TextVaeConfig,
    posterior: Posterior,
    data: TextVaeData,
    learner: Learner<TextVae>,
    alarms: Alarms,
    device: Device,
}

impl TextVaeTask {
    /// A task around a freshly built model. `model` lives on a device with gradient tracking, `device` is the one without.
    pub(crate) fn new(
        config: &Config,
        objective: &TextVaeConfig,
        data: TextVaeData,
        model: TextVae,
        device: &Device,
    ) -> Self {
        TextVaeTask {
            learner: Learner::new(model, config, device),
            posterior: objective.posterior.init(objective.latent.width),
            config: config.clone(),
            objective: objective.clone(),
            data,
            alarms: Alarms::default(),
            device: device.clone(),
        }
    }

    fn key(&self) -> Key {
        Key::root(self.config.run.seed)
    }

    fn reading<'a>(&'a self, posterior: &'a Posterior, device: &'a Device) -> Reading<'a> {
        Reading {
            posterior,
            enclosure: self.data.enclosure,
            device,
            precision: self.config.run.precision,
            length: self.objective.reference_loss.then_some(self.config.train.length),
        }
    }

    fn description(&self) -> ModelDescription {
        ModelDescription::of(&self.config, &self.data.tokenizer)
    }

    fn writer<'a>(&'a self, model: &'a TextVae) -> SentenceWriter<'a> {
        SentenceWriter {
            model,
            tokenizer: &self.data.tokenizer,
            enclosure: self.data.enclosure,
            length: self.config.train.length,
            device: &self.device,
        }
    }

    /// Targets of sentences: their tokens and ends, or with the reference's loss all of their rows.
    fn targets(&self, sentences: &SentenceBatch) -> usize {
        match self.objective.reference_loss {
            true => sentences.rows.len() * self.config.train.length,
            false => sentences.targets(),
        }
    }

    /// Loss and gradient of one update, and by what means were normalised. The batches' losses share one normaliser, so that their gradients
    /// add up to that of all sentences together.
    pub(crate) fn gradient(&self, step: u64) -> (Update, BTreeMap<String, Tensor<1>>, Vec<Moments>) {
        let batches: Vec<SentenceBatch> =
            (0..self.config.train.accumulation).map(|micro| self.data.train.batch(step, micro)).collect();
        let normaliser = batches.iter().map(|batch| self.targets(batch)).sum::<usize>().max(1) as f64;
        let sentences = batches.iter().map(|batch| batch.rows.len()).sum::<usize>() as f64;
        let steps = self.config.train.steps;
        let weight = self.objective.weight(step, steps);
        let (device, model) = (self.device.clone().autodiff(), self.learner.model());
        let posterior = match self.objective.posterior(step, steps) {
            same if same == self.objective.posterior => self.posterior.clone(),
            other => other.init(self.objective.latent.width),
        };
        let reading = self.reading(&posterior, &device);
        let noise = self.key().purpose(Purpose::Dropout).step(step);
        let draws = self.key().purpose(Purpose::Sample).step(step);
        let mut gradients: BTreeMap<String, Tensor<1>> = BTreeMap::new();
        let mut update = Update { weight: normaliser, ..Update::default() };
        let (mut cross_entropy, mut divergence, mut moments) = (0.0, 0.0, Vec::new());
        for sentences in &batches {
            update.tokens += sentences.positions() as u64;
            let batch = reading.batch(sentences, Mode::Train, noise, normaliser);
            let found = pass(Pass::Forward, || match self.objective.reference_loss {
                true => reference_text_vae_loss(model, &batch, &posterior, Some(draws), normaliser),
                false => text_vae_loss(model, &batch, &posterior, Some(draws), weight, normaliser),
            });
            let TextVaeLoss { loss, cross_entropy: nats, divergences, moments: of_batch } = found;
            let computed = pass(Pass::Backward, || parameter_gradients(model, &mut loss.backward()));
            add_gradients(&mut gradients, computed);
            update.loss += loss.into_scalar::<f64>();
            cross_entropy += nats.into_scalar::<f64>();
            divergence += divergences.iter().map(total).sum::<f64>();
            moments = of_batch;
        }
        update.terms = Some(TextVaeTerms {
            reconstruction: cross_entropy * normaliser / sentences,
            divergence: divergence / sentences,
            beta: Some(weight.beta),
        });
        (update, gradients, moments)
    }

    /// Lets the running moments follow those of a batch.
    fn follow(&mut self, moments: Vec<Moments>) {
        let mut values = BTreeMap::new();
        for (([mean, spread], old), new) in
            self.learner.model().valid().running_moments().into_iter().zip(moments)
        {
            let mixed = |old: Tensor<1>, new: Tensor<1>| old * MOMENTUM + new.inner() * (1.0 - MOMENTUM);
            values.insert(mean, mixed(old.mean, new.mean));
            values.insert(spread, mixed(old.spread, new.spread));
        }
        self.learner.put(values);
    }

    /// Share of the first held-out sentences that come back exactly from the means of their posteriors.
    fn exact(&self, model: &TextVae) -> Result<Option<f64>, TrainError> {
        let Some(data) = &self.data.evaluation else { return Ok(None) };
        let (reading, writer) = (self.reading(&self.posterior, &self.device), self.writer(model));
        let mut returned = Returned::default();
        for index in 0..data.batches() {
            let sentences = data.batch(index).first(WRITTEN - returned.count());
            if sentences.rows.is_empty() {
                break;
            }
            let latents = reading.read(model, &reading.measured(&sentences), None).latents;
            returned.add(writer, &sentences.rows, &latents)?;
        }
        Ok(Some(returned.exact()))
    }
}

impl Task for TextVaeTask {
    fn update(&mut self, step: u64, learning_rate: f64) -> Result<Update, TrainError> {
        let (update, gradients, moments) = self.gradient(step);
        let applied = self.learner.apply(step, update.loss, gradients, learning_rate)?;
        if applied.skipped.is_none() && !moments.is_empty() {
            self.follow(moments);
        }
        Ok(Update { grad_norm: applied.grad_norm, skipped: applied.skipped, ..update })
    }

    fn evaluate(&mut self) -> Result<Option<Evaluation>, TrainError> {
        let Some(data) = &self.data.evaluation else { return Ok(None) };
        let model = self.learner.outcome();
        let reading = Reading { length: None, ..self.reading(&self.posterior, &self.device) };
        let key = evaluation_key(self.config.run.seed);
        let (mut cross_entropy, mut divergence, mut targets) = (0.0, 0.0, 0);
        for index in 0..data.batches() {
            let sentences = data.batch(index);
            let batch = reading.measured(&sentences);
            let read = reading.read(&model, &batch, Some(key));
            cross_entropy += read.reconstruction(&model, &batch);
            divergence += read.divergence();
            targets += sentences.targets();
        }
        let count = data.sentences() as f64;
        let options = UsageOptions { sentences: EXCHANGED, whole: false };
        Ok(Some(Evaluation {
            loss: (cross_entropy + divergence) / targets.max(1) as f64,
            accuracy: self.exact(&model)?,
            terms: Some(TextVaeTerms {
                reconstruction: cross_entropy / count,
                divergence: divergence / count,
                beta: None,
            }),
            usage: latent_use(&model, &reading, data, key, options),
            tokens: targets as u64,
            ..Evaluation::default()
        }))
    }

    fn alarms(&mut self, evaluation: &Evaluation, progress: f64) -> Vec<String> {
        let usage = evaluation.usage.as_ref();
        usage.map_or_else(Vec::new, |found| self.alarms.judge(found, &self.objective, progress))
    }

    /// The first held-out sentences as they come back, and texts from the prior.
    fn sample(&self, step: u64) -> Result<Option<String>, TrainError> {
        let model = self.learner.outcome();
        let (reading, writer) = (self.reading(&self.posterior, &self.device), self.writer(&model));
        let write = |latents: &[Tensor<2>]| writer.write(latents, &Writing::greedy(), &mut unheard);
        let mut lines = Vec::new();
        if let Some(data) = &self.data.evaluation {
            let sentences = data.batch(0).first(SHOWN);
            let latents = reading.read(&model, &reading.measured(&sentences), None).latents;
            for (row, back) in sentences.rows.iter().zip(write(&latents)?) {
                lines.push(format!("sentence: {}", self.data.tokenizer.decode(Enclosure::text(row))));
                lines.push(format!("returned: {}", back.text));
            }
        }
        let (latent, seed) = (&self.objective.latent, self.key().step(step).bits());
        let drawn = Latents::from_prior(latent, &self.objective.posterior, SHOWN, seed);
        let drawn = drawn.tensors(&self.device, self.config.run.precision);
        lines.extend(write(&drawn)?.into_iter().map(|text| format!("made up:  {}", text.text)));
        Ok(Some(lines.join("\n")))
    }

    fn save(&self, folder: &mut StagedFolder) -> Result<BTreeMap<String, LearnerState>, TrainError> {
        self.learner.save_alone(folder, &self.description(), Some(&self.data.tokenizer))
    }

    fn load(&mut self, folder: &Path, learners: &BTreeMap<String, LearnerState>) -> Result<(), TrainError> {
        self.learner.load_alone(folder, learners)
    }

    fn save_outcome(&self, folder: &mut StagedFolder) -> Result<(), TrainError> {
        write_model(folder, &self.description(), &self.learner.outcome(), Some(&self.data.tokenizer))
    }

    fn describe(&self) -> Description {
        Description::of_sentences(&self.config, &self.data, self.learner.model())
    }

    fn data_fingerprint(&self) -> String {
        self.data.train.fingerprint()
    }
}
