//! Embeddings that lie close where texts or images belong together.

mod config;
mod data;
mod embed;
mod quality;

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use mixlab_core::{Key, Purpose};
use mixlab_data::{ContrastiveBatch, ContrastiveKind, ContrastiveRows};
use mixlab_kernels::profile::{Pass, pass};
use mixlab_nn::{EmbeddingModel, Mode, add_gradients, unit_length};
use mixlab_objectives::contrastive::{EmbeddingLoss, Geometry, Monitors, cached_gradients, chunks};
use mixlab_objectives::representation::{neighbour_accuracy, ranks, recall};

pub use config::{Chunk, ContrastiveConfig};
pub(crate) use data::{ContrastiveData, image_shape, text_rows};
pub(crate) use embed::BatchRows;
use embed::embed_column;
pub use quality::{EmbeddingQuality, NEIGHBOURS, evaluate_embedder};

use super::{Evaluation, Task, Update};
use crate::embedder_folder::EmbedderDescription;
use crate::learner::{Learner, LearnerState};
use crate::model_folder::{FORMAT, write_model};
use crate::storage::StagedFolder;
use crate::{Config, Description, TrainError};

/// Parameter that holds log 1/τ where the temperature is learned.
const LOG_SCALE: &str = "log_scale";

/// An embedding model under training.
pub struct ContrastiveTask {
    config: Config,
    objective: ContrastiveConfig,
    data: ContrastiveData,
    learner: Learner<EmbeddingModel>,
    device: Device,
}

impl ContrastiveTask {
    /// A task around a freshly built model. `model` lives on a device with gradient tracking, `device` is the one
    /// without.
    pub(crate) fn new(
        config: &Config,
        objective: &ContrastiveConfig,
        data: ContrastiveData,
        model: EmbeddingModel,
        device: &Device,
    ) -> Self {
        let learner = Learner::new(model, config, device);
        let (config, objective) = (config.clone(), objective.clone());
        ContrastiveTask { config, objective, data, learner, device: device.clone() }
    }

    fn key(&self) -> Key {
        Key::root(self.config.run.seed)
    }

    /// log 1/τ as the model has it, or as it is fixed.
    fn log_scale(&self, model: &EmbeddingModel) -> f64 {
        let fixed = -self.objective.temperature.initial().ln();
        model.log_scale().map_or(fixed, |value| value.into_scalar::<f64>())
    }

    fn rows<'a>(&'a self, batch: &'a ContrastiveBatch, mode: Mode, key: Key) -> BatchRows<'a> {
        BatchRows { batch, mode, key, device: &self.device, precision: self.config.run.precision }
    }

    /// The rows of a batch that go through the model at once.
    fn rows_at_once(&self, batch: &ContrastiveBatch) -> usize {
        self.objective.rows_at_once(batch.rows, batch.positions(self.data.image_positions()))
    }

    /// Loss and gradient of one update: the mean over its micro-batches, whose losses know nothing of each other.
    pub fn gradient(&self, step: u64) -> (Update, BTreeMap<String, Tensor<1>>) {
        self.gradient_with(step, |batch| self.rows_at_once(batch))
    }

    /// The same with at most `chunk` rows at a time, or all at once, whatever the config says.
    pub fn gradient_in_chunks(
        &self,
        step: u64,
        chunk: Option<usize>,
    ) -> (Update, BTreeMap<String, Tensor<1>>) {
        self.gradient_with(step, |batch| chunk.unwrap_or(batch.rows).max(1))
    }

    fn gradient_with(
        &self,
        step: u64,
        rows_at_once: impl Fn(&ContrastiveBatch) -> usize,
    ) -> (Update, BTreeMap<String, Tensor<1>>) {
        let noise = self.key().purpose(Purpose::Dropout).step(step);
        let (model, parts) = (self.learner.model(), self.config.train.accumulation);
        let log_scale = self.log_scale(model);
        let mut gradients: BTreeMap<String, Tensor<1>> = BTreeMap::new();
        let mut update = Update::default();
        for micro in 0..parts {
            let batch = self.data.train.batch(step, micro);
            let layout = self.objective.layout(batch.examples, batch.labels.as_deref());
            let contrast = self.objective.contrast(&layout, &batch.identities, log_scale);
            let rows = self.rows(&batch, Mode::Train, noise);
            let chunks = chunks(batch.rows, rows_at_once(&batch));
            let cached = pass(Pass::Backward, || cached_gradients(model, &rows, &chunks, &contrast));
            update.tokens += batch.real_positions(self.data.image_positions());
            update.weight += batch.examples as f64;
            update.loss += cached.stage.loss / parts as f64;
            let candidates = layout.candidates().len() - usize::from(layout.candidates().start == 0);
            update.monitors = Monitors::of(&cached.stage.statistics, candidates);
            let mut computed = cached.parameters;
            if model.log_scale().is_some() {
                computed.insert(LOG_SCALE.to_owned(), self.by_log_scale(log_scale, cached.stage.log_scale));
            }
            add_gradients(&mut gradients, computed);
        }
        if parts > 1 {
            let share = 1.0 / parts as f64;
            gradients = gradients.into_iter().map(|(path, x)| (path, x.mul_scalar(share))).collect();
        }
        (update, gradients)
    }

    /// The gradient of the learned temperature: none that would push it further beyond a bound.
    fn by_log_scale(&self, log_scale: f64, gradient: f64) -> Tensor<1> {
        let outside = log_scale - self.objective.temperature.clamp(log_scale);
        // A step goes against the gradient.
        let gradient = if outside * -gradient > 0.0 { 0.0 } else { gradient };
        let dtype = self.config.run.precision.dtype();
        Tensor::from_data(TensorData::new(vec![gradient], [1]), (&self.device, dtype))
    }

    /// The loss of held-out examples in batches of `evaluate.batch`; the last may be smaller, and one alone has no loss.
    fn held_out_loss(&self, model: &EmbeddingModel, rows: &ContrastiveRows) -> (f64, u64) {
        let log_scale = self.log_scale(model);
        let (mut loss, mut count) = (0.0, 0);
        for examples in chunks(rows.len(), self.config.evaluate.batch) {
            if examples.len() < 2 {
                continue;
            }
            let examples: Vec<(usize, u64)> = examples.map(|row| (row, row as u64)).collect();
            let batch: ContrastiveBatch = rows.batch(&examples);
            // Two views of a sentence differ by their noise alone.
            let mode = match self.objective.examples {
                ContrastiveKind::Sentences => Mode::Train,
                _ => Mode::Eval,
            };
            let key = self.key().purpose(Purpose::Dropout).site("evaluation");
            let embeddings = self.rows(&batch, mode, key).all(model, self.rows_at_once(&batch));
            let layout = self.objective.layout(batch.examples, batch.labels.as_deref());
            let found = self.objective.contrast(&layout, &batch.identities, log_scale).evaluate(&embeddings);
            loss += found.loss * batch.examples as f64;
            count += batch.examples as u64;
        }
        (loss / count.max(1) as f64, count)
    }

    fn description(&self, model: &EmbeddingModel) -> EmbedderDescription {
        EmbedderDescription {
            format: FORMAT,
            model: self.config.model.clone(),
            objective: self.config.objective.clone(),
            input: self.data.description(&self.config),
            precision: self.config.run.precision,
            temperature: (-self.objective.temperature.clamp(self.log_scale(model))).exp(),
            weights: None,
        }
    }
}

impl Task for ContrastiveTask {
    fn update(&mut self, step: u64, learning_rate: f64) -> Result<Update, TrainError> {
        let (update, gradients) = self.gradient(step);
        let applied = self.learner.apply(step, update.loss, gradients, learning_rate)?;
        Ok(Update { grad_norm: applied.grad_norm, skipped: applied.skipped, ..update })
    }

    fn evaluate(&mut self) -> Result<Option<Evaluation>, TrainError> {
        let Some(rows) = &self.data.evaluation else { return Ok(None) };
        let model = self.learner.outcome();
        let (loss, count) = self.held_out_loss(&model, rows);
        let place = (&self.device, self.config.run.precision);
        let embedded = |column| embed_column(&model, rows, column, self.config.evaluate.batch, place);
        let first = embedded(0);
        let second = (rows.columns() > 1).then(|| embedded(1));
        let accuracy = match (&second, rows.labels()) {
            (Some(second), _) => Some(recall(&ranks(&first, second, Some(rows.identities(1))), 1)),
            (None, Some(labels)) => Some(neighbour_accuracy((&first, labels), None, 1)),
            (None, None) => None,
        };
        let geometry = Some(Geometry::of(&unit_length(first), second.map(unit_length).as_ref()));
        Ok(Some(Evaluation { loss, accuracy, geometry, tokens: count, ..Evaluation::default() }))
    }

    fn sample(&self, _step: u64) -> Result<Option<String>, TrainError> {
        Ok(None)
    }

    fn save(&self, folder: &mut StagedFolder) -> Result<BTreeMap<String, LearnerState>, TrainError> {
        self.learner.save_alone(folder, &self.description(self.learner.model()), self.data.tokenizer())
    }

    fn load(&mut self, folder: &Path, learners: &BTreeMap<String, LearnerState>) -> Result<(), TrainError> {
        self.learner.load_alone(folder, learners)
    }

    fn save_outcome(&self, folder: &mut StagedFolder) -> Result<(), TrainError> {
        let model = self.learner.outcome();
        write_model(folder, &self.description(&model), &model, self.data.tokenizer())
    }

    fn describe(&self) -> Description {
        Description::of_contrastive(&self.config, &self.data, self.learner.model())
    }

    fn data_fingerprint(&self) -> String {
        self.data.train.rows().fingerprint()
    }
}
