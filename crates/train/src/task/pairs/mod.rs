//! Writing a target for each source: pairs of texts, or the spans that are hidden in running text.

mod data;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_data::PairBatch;
use mixlab_kernels::profile::{Pass, pass};
use mixlab_nn::search::SearchOptions;
use mixlab_nn::{Mode, add_gradients, parameter_gradients};

pub use data::HeldOutPairs;
pub(crate) use data::{PairData, TypicalPairs};
use writer::Circumstances;
pub use writer::Writer;

use super::{Evaluation, Task, Update};
use crate::generate::placeholders;
use crate::learner::{Learner, LearnerState};
use crate::model_folder::{Folded, ModelDescription, ModelFolder, write_model};
use crate::pair_shape::PairShape;
use crate::storage::StagedFolder;
use crate::{Config, Description, TrainError};

/// A model that learns to write targets.
pub struct PairTask<M: Writer> {
    config: Config,
    data: PairData,
    learner: Learner<M>,
    device: Device,
}

impl<M: Writer + Folded> PairTask<M> {
    /// A task around a freshly built model. `model` lives on a device with gradient tracking, `device` is the one
    /// without.
    pub(crate) fn new(config: &Config, data: PairData, model: M, device: &Device) -> Self {
        let learner = Learner::new(model, config, device);
        PairTask { learner, config: config.clone(), data, device: device.clone() }
    }

    fn key(&self) -> Key {
        Key::root(self.config.run.seed)
    }

    fn setting(&self) -> PairSetting {
        PairSetting {
            shape: self.data.shape,
            padding: self.data.tokenizer.padding(),
            precision: self.config.run.precision,
            seed: self.config.run.seed,
        }
    }

    fn description(&self) -> ModelDescription {
        ModelDescription::of(&self.config, &self.data.tokenizer)
    }

    /// Loss and gradient of one update; the batches' losses share one normaliser, so that their gradients add up to that
    /// of all pairs together.
    pub(crate) fn gradient(&self, step: u64) -> (Update, BTreeMap<String, Tensor<1>>) {
        let seed = self.config.run.seed;
        let batches: Vec<PairBatch> =
            (0..self.config.train.accumulation).map(|micro| self.data.train(step, micro, seed)).collect();
        let weight: f64 = batches.iter().map(PairBatch::total_weight).sum();
        let noise = self.key().purpose(Purpose::Dropout).step(step);
        let (device, model) = (self.device.clone().autodiff(), self.learner.model());
        let mut gradients: BTreeMap<String, Tensor<1>> = BTreeMap::new();
        let mut update = Update { weight, ..Update::default() };
        for pairs in &batches {
            update.tokens += pairs.real_positions().iter().sum::<usize>() as u64;
            let batch = M::batch(pairs, self.setting().at(Mode::Train, noise, weight.max(1.0), &device));
            let (loss, computed) = match self.config.model.recompute.segment() {
                Some(segment) => pass(Pass::Backward, || model.gradients_in_segments(&batch, segment)),
                None => {
                    let loss = pass(Pass::Forward, || model.loss(&batch));
                    let mut gradients = pass(Pass::Backward, || loss.backward());
                    (loss.inner(), parameter_gradients(model, &mut gradients))
                }
            };
            add_gradients(&mut gradients, computed);
            update.loss += loss.into_scalar::<f64>();
        }
        (update, gradients)
    }

    /// The source of the first held-out pair with its target and what the model writes in its place.
    fn specimen(&self, model: &M) -> Result<Option<String>, TrainError> {
        let Some(held_out) = &self.data.evaluation else { return Ok(None) };
        let (pairs, tokenizer) = (held_out.batch(0, self.config.run.seed), &self.data.tokenizer);
        let real = |ids: &[u32]| -> Vec<u32> {
            let end = ids.iter().position(|&id| id == tokenizer.padding()).unwrap_or(ids.len());
            ids[..end].to_vec()
        };
        let source = real(&pairs.sources[..pairs.source_length]);
        let target = real(&pairs.targets[..pairs.target_length]);
        let sentinels = self.config.objective.shows_sentinels();
        let options = SearchOptions {
            beams: 1,
            tokens: self.config.sample.tokens.min(self.data.shape.target),
            length_penalty: 0.0,
            begin: tokenizer.end_of_text(),
            end: tokenizer.end_of_text(),
            never: placeholders(tokenizer, self.config.vocabulary(tokenizer), sentinels),
        };
        let found = model.search(&source, options, &self.device)?;
        let written = found.first().map_or(&[][..], |hypothesis| &hypothesis.tokens);
        let text = |ids: &[u32]| {
            let ids = ids.strip_suffix(&[tokenizer.end_of_text()]).unwrap_or(ids);
            tokenizer.decode_with_sentinels(ids)
        };
        Ok(Some(format!(
            "source:  {}\ntarget:  {}\nwritten: {}",
            text(&source),
            text(&target),
            text(written)
        )))
    }
}

/// What sources and targets are to a model, whatever their text.
#[derive(Clone, Copy)]
struct PairSetting {
    shape: PairShape,
    padding: u32,
    precision: Precision,
    seed: u64,
}

impl PairSetting {
    fn at<'a>(&self, mode: Mode, key: Key, normaliser: f64, device: &'a Device) -> Circumstances<'a> {
        let (precision, padding, full) = (self.precision, self.padding, self.shape.joined_full());
        Circumstances { mode, key, normaliser, device, precision, padding, full }
    }

    fn measure<M: Writer>(&self, model: &M, data: &HeldOutPairs, device: &Device) -> Evaluation {
        let (mut nats, mut weight) = (0.0, 0.0);
        for index in 0..data.batches() {
            let pairs = data.batch(index, self.seed);
            let batch = M::batch(&pairs, self.at(Mode::Eval, Key::root(0), 1.0, device));
            nats += model.loss(&batch).into_scalar::<f64>();
            weight += pairs.total_weight();
        }
        let bits = |bytes| nats / std::f64::consts::LN_2 / bytes as f64;
        Evaluation {
            loss: nats / f64::max(weight, 1.0),
            bits_per_byte: data.bytes().filter(|&bytes| bytes > 0).map(bits),
            tokens: weight as u64,
            ..Evaluation::default()
        }
    }
}

/// Measures a trained model on `data`, as its run does. `seed` decides which spans are hidden.
pub fn evaluate_pairs<M: Writer + Folded>(
    folder: &ModelFolder<M>,
    data: &HeldOutPairs,
    seed: u64,
    device: &Device,
) -> Evaluation {
    let setting = PairSetting {
        shape: folder.config.pair_shape(),
        padding: folder.tokenizer.padding(),
        precision: folder.config.precision,
        seed,
    };
    setting.measure(&folder.model, data, device)
}

impl<M: Writer + Folded> Task for PairTask<M> {
    fn update(&mut self, step: u64, learning_rate: f64) -> Result<Update, TrainError> {
        let (update, gradients) = self.gradient(step);
        let applied = self.learner.apply(step, update.loss, gradients, learning_rate)?;
        Ok(Update { grad_norm: applied.grad_norm, skipped: applied.skipped, ..update })
    }

    fn evaluate(&mut self) -> Result<Option<Evaluation>, TrainError> {
        let Some(data) = &self.data.evaluation else { return Ok(None) };
        let model = self.learner.outcome();
        Ok(Some(self.setting().measure(&model, data, &self.device)))
    }

    fn sample(&self, _step: u64) -> Result<Option<String>, TrainError> {
        match self.learner.model().check_stepping() {
            Ok(()) => self.specimen(&self.learner.outcome()),
            Err(_) => Ok(None),
        }
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
        Description::of_pairs(&self.config, &self.data, self.learner.model())
    }

    fn data_fingerprint(&self) -> String {
        self.data.fingerprint()
    }
}
