//! Telling the class of images and texts.

mod confusion;
mod data;

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_kernels::profile::{Pass, pass};
use mixlab_nn::{Classifier, Mode, ModelConfig, add_gradients, parameter_gradients};
use mixlab_objectives::classification::{
    classification_loss, embedded, logits, segmented_gradients, soft_cross_entropy,
};

pub use confusion::Confusion;
pub(crate) use data::Examples;
pub use data::HeldOut;

use super::{Evaluation, Task, Update};
use crate::classifier_folder::ClassifierDescription;
use crate::layers::{Layers, apply_and_note, signals};
use crate::learner::{Learner, LearnerState};
use crate::model_folder::{FORMAT, write_model};
use crate::storage::StagedFolder;
use crate::{Config, Description, ObjectiveConfig, TrainError};

/// The picture of what was taken for what, in a run's folder.
pub const CONFUSION: &str = "confusion.svg";

/// A classifier under training.
pub struct ClassificationTask {
    config: Config,
    /// The architecture, made for as many positions as an example has.
    model: ModelConfig,
    data: Examples,
    learner: Learner<Classifier>,
    device: Device,
}

impl ClassificationTask {
    /// A task around a freshly built model. `model` lives on a device with gradient tracking, `device` is the one
    /// without.
    pub(crate) fn new(
        config: &Config,
        data: Examples,
        model: Classifier,
        device: &Device,
    ) -> Result<Self, TrainError> {
        Ok(ClassificationTask {
            model: config.model.for_input(data.input())?,
            learner: Learner::new(model, config, device),
            config: config.clone(),
            data,
            device: device.clone(),
        })
    }

    fn key(&self) -> Key {
        Key::root(self.config.run.seed)
    }

    /// Positions of one example.
    fn length(&self) -> usize {
        match &self.data {
            Examples::Images { .. } => self.model.max_length,
            Examples::Texts { .. } => self.config.train.length,
        }
    }

    fn label_smoothing(&self) -> f64 {
        match self.config.objective {
            ObjectiveConfig::Classification { label_smoothing } => label_smoothing,
            _ => 0.0,
        }
    }

    /// Loss and gradient of one update; the micro-batches share one normaliser, so that their gradients add up to that
    /// of all examples together.
    pub(crate) fn gradient(&self, step: u64) -> (Update, BTreeMap<String, Tensor<1>>) {
        let batches: Vec<_> =
            (0..self.config.train.accumulation).map(|micro| self.data.train(step, micro)).collect();
        let weight: f64 = batches.iter().map(data::Rows::total_weight).sum();
        let noise = self.key().purpose(Purpose::Dropout).step(step);
        let (device, model) = (self.device.clone().autodiff(), self.learner.model());
        let mut gradients: BTreeMap<String, Tensor<1>> = BTreeMap::new();
        let mut update = Update { weight, ..Update::default() };
        for rows in &batches {
            update.tokens += rows.positions(self.length());
            let (batch, context) =
                rows.on(weight.max(1.0), (Mode::Train, noise), &device, self.config.run.precision);
            let smoothing = self.label_smoothing();
            let (loss, computed) = match self.config.model.recompute.segment() {
                Some(segment) => {
                    pass(Pass::Backward, || segmented_gradients(model, &batch, &context, smoothing, segment))
                }
                None => {
                    let loss =
                        pass(Pass::Forward, || classification_loss(model, &batch, &context, smoothing));
                    let mut gradients = pass(Pass::Backward, || loss.backward());
                    (loss.inner(), parameter_gradients(model, &mut gradients))
                }
            };
            add_gradients(&mut gradients, computed);
            update.loss += loss.into_scalar::<f64>();
        }
        (update, gradients)
    }

    fn description(&self) -> ClassifierDescription {
        ClassifierDescription {
            format: FORMAT,
            model: self.model.clone(),
            objective: self.config.objective.clone(),
            input: self.data.input(),
            images: match &self.data {
                Examples::Images { input, .. } => Some(input.clone()),
                Examples::Texts { .. } => None,
            },
            tokenizer: self.data.tokenizer().map(|tokenizer| tokenizer.fingerprint()),
            classes: self.data.classes().to_vec(),
            length: self.length(),
            precision: self.config.run.precision,
            weights: None,
        }
    }
}

/// Measures a classifier on every example of `data`: mean loss without label smoothing, accuracy, and what was taken
/// for what.
pub fn evaluate_classifier(
    model: &Classifier,
    classes: &[String],
    data: HeldOut<'_>,
    device: &Device,
    precision: Precision,
) -> (Evaluation, Confusion) {
    let mut confusion = Confusion::new(classes);
    let mut nats = 0.0;
    for index in 0..data.batches() {
        let rows = data.batch(index);
        let (batch, context) = rows.on(1.0, (Mode::Eval, Key::root(0)), device, precision);
        let logits = logits(model, &batch, &context);
        nats += soft_cross_entropy(logits.clone(), &batch, 0.0).into_scalar::<f64>();
        let told: Vec<i64> = logits.argmax(1).into_data().iter::<i64>().collect();
        for ((&label, &weight), told) in rows.labels().iter().zip(rows.weights()).zip(told) {
            if weight > 0.0 {
                confusion.count(label as usize, told as usize);
            }
        }
    }
    let evaluation = Evaluation {
        loss: nats / confusion.total().max(1) as f64,
        accuracy: Some(confusion.accuracy()),
        tokens: confusion.total(),
        ..Evaluation::default()
    };
    (evaluation, confusion)
}

impl Task for ClassificationTask {
    fn update(&mut self, step: u64, learning_rate: f64) -> Result<Update, TrainError> {
        let (update, gradients) = self.gradient(step);
        let applied = self.learner.apply(step, update.loss, gradients, learning_rate)?;
        Ok(Update { grad_norm: applied.grad_norm, skipped: applied.skipped, ..update })
    }

    fn update_by_layer(
        &mut self,
        step: u64,
        learning_rate: f64,
    ) -> Result<(Update, Option<Layers>), TrainError> {
        let (update, gradients) = self.gradient(step);
        let signal = {
            let model = self.learner.model().valid();
            let (batch, context) = self.data.train(step, 0).on(
                1.0,
                (Mode::Eval, self.key()),
                &self.device,
                self.config.run.precision,
            );
            signals(model.backbone(), embedded(&model, &batch, &context), &context)
        };
        let at = (step, update.loss, learning_rate);
        let (applied, layers) = apply_and_note(&mut self.learner, at, gradients, signal)?;
        Ok((Update { grad_norm: applied.grad_norm, skipped: applied.skipped, ..update }, Some(layers)))
    }

    fn evaluate(&mut self) -> Result<Option<Evaluation>, TrainError> {
        let Some(data) = self.data.evaluation() else { return Ok(None) };
        let model = self.learner.outcome();
        let precision = self.config.run.precision;
        Ok(Some(evaluate_classifier(&model, self.data.classes(), data, &self.device, precision).0))
    }

    fn sample(&self, _step: u64) -> Result<Option<String>, TrainError> {
        Ok(None)
    }

    fn draw(&mut self, run: &Path) -> Result<(), TrainError> {
        let Some(data) = self.data.evaluation() else { return Ok(()) };
        let model = self.learner.outcome();
        let precision = self.config.run.precision;
        let (_, confusion) = evaluate_classifier(&model, self.data.classes(), data, &self.device, precision);
        if confusion.can_be_drawn() { confusion.draw(&run.join(CONFUSION)) } else { Ok(()) }
    }

    fn save(&self, folder: &mut StagedFolder) -> Result<BTreeMap<String, LearnerState>, TrainError> {
        self.learner.save_alone(folder, &self.description(), self.data.tokenizer())
    }

    fn load(&mut self, folder: &Path, learners: &BTreeMap<String, LearnerState>) -> Result<(), TrainError> {
        self.learner.load_alone(folder, learners)
    }

    fn save_outcome(&self, folder: &mut StagedFolder) -> Result<(), TrainError> {
        write_model(folder, &self.description(), &self.learner.outcome(), self.data.tokenizer())
    }

    fn describe(&self) -> Description {
        Description::of_classifier(&self.config, &self.data, self.learner.model(), self.length())
    }

    fn data_fingerprint(&self) -> String {
        self.data.fingerprint()
    }
}
