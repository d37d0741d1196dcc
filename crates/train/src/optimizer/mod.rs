//! Optimisers over all parameters of a model at once, with state keyed by parameter path.

mod config;
mod decay;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use mixlab_core::Precision;
use mixlab_kernels::{Slot, UpdateStep, optimizer_update};
use mixlab_nn::NamedParameter;

pub use config::{AdamwConfig, LambConfig, OptimizerConfig, SgdConfig};

use crate::TrainError;
use crate::tensor_file::{NamedTensor, TensorFile};

/// What the optimiser keeps for one parameter.
struct Entry {
    parameter: NamedParameter,
    weight_decay: f64,
    state: Vec<Tensor<1>>,
}

/// An optimiser with its state.
pub struct Optimizer {
    config: OptimizerConfig,
    entries: BTreeMap<String, Entry>,
    updates: u64,
    device: Device,
    precision: Precision,
}

impl Optimizer {
    /// An optimiser that has made no update. Its state lives on `device`, without gradient tracking.
    pub fn new(
        config: &OptimizerConfig,
        parameters: &[NamedParameter],
        device: &Device,
        precision: Precision,
    ) -> Self {
        let entry = |parameter: &NamedParameter| {
            let zeros = || Tensor::zeros([parameter.size()], (device, precision.dtype()));
            let decays = decay::decays(parameter, config.no_decay());
            let entry = Entry {
                parameter: parameter.clone(),
                weight_decay: if decays { config.weight_decay() } else { 0.0 },
                state: config.state_names().iter().map(|_| zeros()).collect(),
            };
            (parameter.path.clone(), entry)
        };
        Optimizer {
            config: config.clone(),
            entries: parameters.iter().map(entry).collect(),
            updates: 0,
            device: device.clone(),
            precision,
        }
    }

    /// Number of updates made.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Paths of the parameters that decay.
    pub fn decaying(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|(_, entry)| entry.weight_decay != 0.0).map(|(path, _)| path.as_str())
    }

    /// Makes one update and returns the new values of the parameters that have a gradient. A parameter
    /// without one took no part in the loss: it neither moves nor decays.
    ///
    /// `values` and `gradients` are vectors by path; every gradient is multiplied by `scale` first.
    ///
    /// # Panics
    /// If a gradient's path is not among the parameters the optimiser was made for.
    pub fn step(
        &mut self,
        mut values: BTreeMap<String, Tensor<1>>,
        gradients: BTreeMap<String, Tensor<1>>,
        scale: f64,
        learning_rate: f64,
    ) -> BTreeMap<String, Tensor<1>> {
        self.updates += 1;
        let (mut paths, mut slots) = (Vec::new(), Vec::new());
        for (path, gradient) in gradients {
            let (Some(entry), Some(parameter)) = (self.entries.get_mut(&path), values.remove(&path)) else {
                panic!("the optimiser was not made for parameter `{path}`");
            };
            // Taken, not cloned: moments that nobody else holds are updated in place.
            let (moments, weight_decay) = (std::mem::take(&mut entry.state), entry.weight_decay);
            slots.push(Slot { parameter, gradient, moments, weight_decay });
            paths.push(path);
        }
        let step =
            UpdateStep { rule: self.config.rule(), learning_rate, step: self.updates, gradient_scale: scale };
        let mut updated = BTreeMap::new();
        for (path, slot) in paths.into_iter().zip(optimizer_update(slots, &step)) {
            if let Some(entry) = self.entries.get_mut(&path) {
                entry.state = slot.moments;
            }
            updated.insert(path, slot.parameter);
        }
        updated
    }

    /// The state as named tensors: `PATH.first_moment` and so on, in the shape of the parameter.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        let names = self.config.state_names();
        let entry = |(path, entry): (&String, &Entry)| -> Vec<NamedTensor> {
            let tensor = |(name, value): (&&str, &Tensor<1>)| NamedTensor {
                name: format!("{path}.{name}"),
                shape: entry.parameter.shape.clone(),
                value: value.clone(),
            };
            names.iter().zip(&entry.state).map(tensor).collect()
        };
        self.entries.iter().flat_map(entry).collect()
    }

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// A missing, extra or mis-shaped entry, by name.
    pub fn restore(&mut self, path: &Path, updates: u64) -> Result<(), TrainError> {
        let mut file = TensorFile::read(path)?;
        let names = self.config.state_names();
        let mut restored = BTreeMap::new();
        for (parameter_path, entry) in &self.entries {
            let take = |name: &&str| {
                let name = format!("{parameter_path}.{name}");
                file.take(&name, &entry.parameter.shape, &self.device, self.precision)
            };
            restored.insert(parameter_path.clone(), names.iter().map(take).collect::<Result<_, _>>()?);
        }
        file.finish()?;
        for (path, state) in restored {
            if let Some(entry) = self.entries.get_mut(&path) {
                entry.state = state;
            }
        }
        self.updates = updates;
        Ok(())
    }
}
