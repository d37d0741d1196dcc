//! A model with everything that moves its parameters: optimiser, clipping, guard and average.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::Precision;
use mixlab_data::Tokenizer;
use mixlab_kernels::global_norm;
use mixlab_kernels::profile::{Pass, pass};
use mixlab_nn::{named_parameters, parameter_values, with_parameters};
use serde::{Deserialize, Serialize};

use crate::ema::{Ema, EmaConfig};
use crate::guard::{Fault, Guard, GuardState};
use crate::model_folder::{Described, WEIGHTS, write_model};
use crate::optimizer::{Optimizer, OptimizerConfig};
use crate::parameters::{parameter_tensors, read_parameters};
use crate::storage::StagedFolder;
use crate::tensor_file::{TensorFile, encode};
use crate::{Config, TrainError};

/// File of the optimiser's state in a checkpoint.
const OPTIMIZER: &str = "optimizer.safetensors";
/// File of the averaged parameters in a checkpoint.
const EMA: &str = "ema.safetensors";

/// Name of the learner in the checkpoints of tasks that have one.
const ONLY: &str = "model";

/// What an update did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Applied {
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Why nothing was updated, if so.
    pub skipped: Option<Fault>,
}

/// The counters of a learner, beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearnerState {
    /// Updates made.
    pub updates: u64,
    /// The guard's memory.
    pub guard: GuardState,
}

impl LearnerState {
    /// The state of one learner of a checkpoint.
    ///
    /// # Errors
    /// [`TrainError::Damaged`] if there is none of that name.
    pub fn named(
        name: &str,
        learners: &BTreeMap<String, LearnerState>,
        folder: &Path,
    ) -> Result<Self, TrainError> {
        let missing = || TrainError::Damaged {
            path: folder.to_owned(),
            reason: format!("its state has no learner `{name}`"),
        };
        learners.get(name).cloned().ok_or_else(missing)
    }
}

/// A model under training. `M` lives on a device with gradient tracking.
pub struct Learner<M: Module> {
    model: M,
    optimizer: Optimizer,
    guard: Guard,
    ema: Option<Ema>,
    clip: f64,
    device: Device,
    precision: Precision,
    /// In front of the names of its files, where a checkpoint has several learners.
    prefix: &'static str,
}

impl<M: Module> Learner<M> {
    /// A learner that has made no update. `device` is the one without gradient tracking.
    pub fn new(model: M, config: &Config, device: &Device) -> Self {
        Self::with(model, config, &config.optimizer, &config.train.ema, "", device)
    }

    /// A learner beside others: with an optimiser and an average of its own, and files whose names begin with `prefix`.
    pub(crate) fn with(
        model: M,
        config: &Config,
        optimizer: &OptimizerConfig,
        ema: &EmaConfig,
        prefix: &'static str,
        device: &Device,
    ) -> Self {
        let precision = config.run.precision;
        Learner {
            optimizer: Optimizer::new(optimizer, &named_parameters(&model), device, precision),
            guard: Guard::new(config.train.guard.clone()),
            ema: Ema::new(ema, || parameter_values(&model)),
            clip: config.train.clip,
            device: device.clone(),
            precision,
            prefix,
            model,
        }
    }

    /// The model as it is trained.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The model as it is used: the averaged parameters if there are any, without gradient tracking.
    pub fn outcome(&self) -> M {
        let model = self.model.valid();
        match &self.ema {
            Some(ema) => with_parameters(model, ema.values().clone()),
            None => model,
        }
    }

    /// Sets parameters that no gradient moves, in the model and in its average.
    pub fn put(&mut self, values: BTreeMap<String, Tensor<1>>) {
        if let Some(ema) = &mut self.ema {
            ema.put(&values);
        }
        self.model = with_parameters(self.model.clone(), values);
    }

    /// Sets parameters that no gradient moves, in the model, and moves their averages towards them.
    pub(crate) fn put_averaged(&mut self, values: BTreeMap<String, Tensor<1>>) {
        if let Some(ema) = &mut self.ema {
            ema.update(&values, self.optimizer.updates());
        }
        self.model = with_parameters(self.model.clone(), values);
    }

    /// Updates the parameters with a gradient, unless the guard forbids it; then nothing changes.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] after too many forbidden updates in a row.
    pub fn apply(
        &mut self,
        step: u64,
        loss: f64,
        gradients: BTreeMap<String, Tensor<1>>,
        learning_rate: f64,
    ) -> Result<Applied, TrainError> {
        pass(Pass::Update, || self.apply_unless_guarded(step, loss, gradients, learning_rate))
    }

    fn apply_unless_guarded(
        &mut self,
        step: u64,
        loss: f64,
        gradients: BTreeMap<String, Tensor<1>>,
        learning_rate: f64,
    ) -> Result<Applied, TrainError> {
        let all: Vec<Tensor<1>> = gradients.values().cloned().collect();
        let grad_norm = global_norm(&all);
        drop(all);
        if let Some(fault) = self.guard.judge(step, loss, grad_norm)? {
            return Ok(Applied { grad_norm, skipped: Some(fault) });
        }
        let scale = if self.clip > 0.0 && grad_norm > self.clip { self.clip / grad_norm } else { 1.0 };
        let updated = self.optimizer.step(parameter_values(&self.model), gradients, scale, learning_rate);
        if let Some(ema) = &mut self.ema {
            ema.update(&updated, self.optimizer.updates());
        }
        self.model = with_parameters(self.model.clone(), updated);
        Ok(Applied { grad_norm, skipped: None })
    }

    /// Adds the parameters as `model`, the optimiser's state and the average to a checkpoint.
    ///
    /// # Errors
    /// [`TrainError::Write`].
    pub fn save(&self, folder: &mut StagedFolder) -> Result<LearnerState, TrainError> {
        let name = self.file(OPTIMIZER);
        folder.write(&name, &encode(self.optimizer.tensors(), &folder.path().join(&name))?)?;
        if let Some(ema) = &self.ema {
            let name = self.file(EMA);
            let tensors = parameter_tensors(&self.model, Some(ema.values()));
            folder.write(&name, &encode(tensors, &folder.path().join(&name))?)?;
        }
        Ok(LearnerState { updates: self.optimizer.updates(), guard: self.guard.state().clone() })
    }

    /// Goes on from a checkpoint whose parameters are in `weights`.
    ///
    /// # Errors
    /// A missing, extra or mis-shaped tensor, by name.
    pub fn load(&mut self, folder: &Path, weights: &str, state: LearnerState) -> Result<(), TrainError> {
        let read = |name: &str| {
            let file = TensorFile::read(&folder.join(name))?;
            read_parameters(&self.model, file, &self.device, self.precision)
        };
        let values = read(weights)?;
        let averages = self.ema.is_some().then(|| read(&self.file(EMA))).transpose()?;
        self.optimizer.restore(&folder.join(self.file(OPTIMIZER)), state.updates)?;
        if let (Some(ema), Some(averages)) = (&mut self.ema, averages) {
            ema.restore(averages);
        }
        self.model = with_parameters(self.model.clone(), values);
        self.guard.restore(state.guard);
        Ok(())
    }

    fn file(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Adds the model with its description and the learner's state to a checkpoint of a task that has no other learner.
    ///
    /// # Errors
    /// [`TrainError::Write`].
    pub(crate) fn save_alone<D: Described>(
        &self,
        folder: &mut StagedFolder,
        description: &D,
        tokenizer: Option<&Tokenizer>,
    ) -> Result<BTreeMap<String, LearnerState>, TrainError> {
        write_model(folder, description, &self.model, tokenizer)?;
        Ok(BTreeMap::from([(ONLY.to_owned(), self.save(folder)?)]))
    }

    /// Goes on from a checkpoint that [`Learner::save_alone`] has written.
    ///
    /// # Errors
    /// As [`Learner::load`], and [`TrainError::Damaged`] without the learner's state.
    pub(crate) fn load_alone(
        &mut self,
        folder: &Path,
        learners: &BTreeMap<String, LearnerState>,
    ) -> Result<(), TrainError> {
        self.load(folder, WEIGHTS, LearnerState::named(ONLY, learners, folder)?)
    }
}
