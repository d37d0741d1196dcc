//! Causal and masked language modelling.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_data::{EvaluationData, TokenBatch, Tokenizer, mask_batch};
use mixlab_kernels::Mask;
use mixlab_kernels::profile::{Pass, pass};
use mixlab_nn::{Context, LanguageModel, Mode, add_gradients, parameter_gradients};
use mixlab_objectives::language::{LanguageBatch, causal_lm_loss, masked_lm_loss, segmented_gradients};

use super::{Evaluation, Task, Update};
use crate::generate::{GenerateOptions, Generator};
use crate::layers::{Layers, apply_and_note, signals};
use crate::learner::{Learner, LearnerState};
use crate::model_folder::{ModelDescription, ModelFolder, write_model};
use crate::prepare::Prepared;
use crate::storage::StagedFolder;
use crate::{Config, Description, ObjectiveConfig, TrainError};

/// A language model under training.
pub struct LanguageTask {
    config: Config,
    data: Prepared,
    learner: Learner<LanguageModel>,
    device: Device,
}

impl LanguageTask {
    /// A task around a freshly built model. `model` lives on a device with gradient tracking, `device`
    /// is the one without.
    pub fn new(config: &Config, data: Prepared, model: LanguageModel, device: &Device) -> Self {
        LanguageTask {
            learner: Learner::new(model, config, device),
            config: config.clone(),
            data,
            device: device.clone(),
        }
    }

    fn setting(&self) -> Setting<'_> {
        Setting {
            objective: &self.config.objective,
            precision: self.config.run.precision,
            seed: self.config.run.seed,
        }
    }

    /// The batches of one update, and the total weight of their targets.
    fn batches(&self, step: u64) -> Result<(Vec<TokenBatch>, f64), TrainError> {
        let key = self.key().purpose(Purpose::Mask).step(step);
        let batches: Vec<TokenBatch> = (0..self.config.train.accumulation)
            .map(|micro| {
                self.setting().targets(self.data.train.batch(step, micro), &self.data.tokenizer, key)
            })
            .collect::<Result<_, _>>()?;
        let weight = batches.iter().map(TokenBatch::total_weight).sum();
        Ok((batches, weight))
    }

    fn key(&self) -> Key {
        Key::root(self.config.run.seed)
    }

    fn description(&self) -> ModelDescription {
        ModelDescription::of(&self.config, &self.data.tokenizer)
    }

    /// Loss and gradient of one update; the batches' losses share one normaliser, so that their
    /// gradients add up to that of all rows together.
    pub(crate) fn gradient(&self, step: u64) -> Result<(Update, BTreeMap<String, Tensor<1>>), TrainError> {
        let (batches, weight) = self.batches(step)?;
        let device = self.device.clone().autodiff();
        let noise = self.key().purpose(Purpose::Dropout).step(step);
        let mut gradients: BTreeMap<String, Tensor<1>> = BTreeMap::new();
        let mut update = Update { weight, ..Update::default() };
        for batch in &batches {
            update.tokens += real_positions(batch);
            let model = self.learner.model();
            let (batch, context) =
                self.setting().inputs(batch, weight.max(1.0), (Mode::Train, noise), &device);
            let (loss, computed) = match self.config.model.recompute.segment() {
                // A segment's forward pass is made again in the backward pass, where it counts.
                Some(segment) => {
                    pass(Pass::Backward, || segmented_gradients(model, &batch, &context, segment))
                }
                None => {
                    let loss = pass(Pass::Forward, || self.setting().loss(model, &batch, &context));
                    let mut gradients = pass(Pass::Backward, || loss.backward());
                    (loss.inner(), parameter_gradients(model, &mut gradients))
                }
            };
            add_gradients(&mut gradients, computed);
            update.loss += loss.into_scalar::<f64>();
        }
        Ok((update, gradients))
    }
}

/// What a loss depends on beside the model and the batch.
struct Setting<'a> {
    objective: &'a ObjectiveConfig,
    precision: Precision,
    seed: u64,
}

impl Setting<'_> {
    /// Hides tokens if the objective asks for it.
    fn targets(&self, batch: TokenBatch, tokenizer: &Tokenizer, key: Key) -> Result<TokenBatch, TrainError> {
        match self.objective {
            ObjectiveConfig::MaskedLm { masking } => Ok(mask_batch(&batch, tokenizer, masking, key)?),
            ObjectiveConfig::CausalLm
            | ObjectiveConfig::SequenceToSequence { .. }
            | ObjectiveConfig::SpanCorruption { .. }
            | ObjectiveConfig::Contrastive(_)
            | ObjectiveConfig::TextVae(_)
            | ObjectiveConfig::Adversarial(_)
            | ObjectiveConfig::Classification { .. } => Ok(batch),
        }
    }

    /// A batch on the device, its weights divided by `normaliser`, and the circumstances of its forward pass.
    fn inputs(
        &self,
        batch: &TokenBatch,
        normaliser: f64,
        (mode, key): (Mode, Key),
        device: &Device,
    ) -> (LanguageBatch, Context) {
        let context = Context {
            mode,
            causal: self.objective.is_causal(),
            key,
            samples: batch.samples.as_slice().into(),
            mask: Mask {
                padding: batch.padding.as_deref().map(Arc::from),
                segments: batch.segments.as_deref().map(Arc::from),
            },
            start: 0,
            gap: 0,
            memory: None,
        };
        let batch = LanguageBatch::new(
            [batch.batch, batch.length],
            &batch.inputs,
            &batch.targets,
            &batch.weights,
            normaliser,
            device,
            self.precision,
        );
        (batch, context)
    }

    /// Σ weight · loss / normaliser over one batch.
    fn loss(&self, model: &LanguageModel, batch: &LanguageBatch, context: &Context) -> Tensor<1> {
        match self.objective.is_causal() {
            true => causal_lm_loss(model, batch, context),
            false => masked_lm_loss(model, batch, context),
        }
    }
}

/// Measures a model on every window of `data`.
fn measure(
    model: &LanguageModel,
    tokenizer: &Tokenizer,
    setting: &Setting<'_>,
    data: &EvaluationData,
    device: &Device,
) -> Result<Evaluation, TrainError> {
    let (mut nats, mut weight) = (0.0, 0.0);
    for index in 0..data.batches() {
        // What is hidden does not depend on the step, so that evaluations can be compared.
        let site = Key::root(setting.seed).purpose(Purpose::Mask).site("evaluation");
        let key = site.index(index as u64);
        let batch = setting.targets(data.batch(index), tokenizer, key)?;
        let (inputs, context) = setting.inputs(&batch, 1.0, (Mode::Eval, key), device);
        nats += setting.loss(model, &inputs, &context).into_scalar::<f64>();
        weight += batch.total_weight();
    }
    let bits = || nats / std::f64::consts::LN_2 / data.bytes() as f64;
    Ok(Evaluation {
        loss: nats / f64::max(weight, 1.0),
        bits_per_byte: setting.objective.is_causal().then(bits),
        tokens: weight as u64,
        ..Evaluation::default()
    })
}

/// Measures a trained model on `data`, as its run does. `seed` decides what a masked objective hides.
///
/// # Errors
/// [`TrainError::Data`] if a masked objective meets a tokenizer without a mask token.
pub fn evaluate_model(
    folder: &ModelFolder,
    data: &EvaluationData,
    seed: u64,
    device: &Device,
) -> Result<Evaluation, TrainError> {
    let setting = Setting { objective: &folder.config.objective, precision: folder.config.precision, seed };
    measure(&folder.model, &folder.tokenizer, &setting, data, device)
}

/// Positions of a batch that are not padding.
fn real_positions(batch: &TokenBatch) -> u64 {
    match &batch.padding {
        Some(padding) => padding.iter().filter(|&&real| real).count() as u64,
        None => batch.inputs.len() as u64,
    }
}

impl Task for LanguageTask {
    fn update(&mut self, step: u64, learning_rate: f64) -> Result<Update, TrainError> {
        let (update, gradients) = self.gradient(step)?;
        let applied = self.learner.apply(step, update.loss, gradients, learning_rate)?;
        Ok(Update { grad_norm: applied.grad_norm, skipped: applied.skipped, ..update })
    }

    fn update_by_layer(
        &mut self,
        step: u64,
        learning_rate: f64,
    ) -> Result<(Update, Option<Layers>), TrainError> {
        let (update, gradients) = self.gradient(step)?;
        let signal = {
            let (batches, model) = (self.batches(step)?.0, self.learner.model().valid());
            let (batch, context) =
                self.setting().inputs(&batches[0], 1.0, (Mode::Eval, self.key()), &self.device);
            signals(model.backbone(), model.embedding().forward(batch.inputs(), &context), &context)
        };
        let at = (step, update.loss, learning_rate);
        let (applied, layers) = apply_and_note(&mut self.learner, at, gradients, signal)?;
        Ok((Update { grad_norm: applied.grad_norm, skipped: applied.skipped, ..update }, Some(layers)))
    }

    fn evaluate(&mut self) -> Result<Option<Evaluation>, TrainError> {
        let Some(data) = &self.data.evaluation else { return Ok(None) };
        let model = self.learner.outcome();
        measure(&model, &self.data.tokenizer, &self.setting(), data, &self.device).map(Some)
    }

    fn sample(&self, step: u64) -> Result<Option<String>, TrainError> {
        if !self.config.objective.is_causal() || self.learner.model().state(1).is_err() {
            return Ok(None);
        }
        let sample = &self.config.sample;
        let options = GenerateOptions {
            sampling: sample.sampling.clone(),
            seed: self.key().step(step).bits(),
            tokens: sample.tokens,
            stop: Vec::new(),
        };
        let mut text = sample.prompt.clone();
        let mut receive = |piece: &str| {
            text.push_str(piece);
            ControlFlow::Continue(())
        };
        let model = self.learner.outcome();
        let generator = Generator {
            model: &model,
            config: &self.config.model,
            tokenizer: &self.data.tokenizer,
            device: &self.device,
        };
        generator.generate(&sample.prompt, &options, &mut receive)?;
        Ok(Some(text))
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
        Description::new(&self.config, &self.data, self.learner.model())
    }

    fn data_fingerprint(&self) -> String {
        self.data.train.corpus().fingerprint()
    }
}
