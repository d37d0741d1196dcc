//! What the updates of an optimiser do to a stack: how far its output moves, and at which learning rate it breaks.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use mixlab_core::Precision;
use mixlab_nn::named_parameters;
use mixlab_nn::residual::UpdateKind;
use mixlab_train::{AdamwConfig, LambConfig, Optimizer, OptimizerConfig, SgdConfig};

use super::specimen::{Backward, Specimen, relative_movement};

/// The optimiser of one kind as the analysis means it: no weight decay, no momentum in SGD, corrected moments.
pub(super) fn optimizer(kind: UpdateKind) -> OptimizerConfig {
    match kind {
        UpdateKind::Sgd => {
            OptimizerConfig::Sgd(SgdConfig { momentum: 0.0, weight_decay: 0.0, ..SgdConfig::default() })
        }
        UpdateKind::Adam => {
            OptimizerConfig::Adamw(AdamwConfig { weight_decay: 0.0, ..AdamwConfig::default() })
        }
        UpdateKind::Lamb => OptimizerConfig::Lamb(LambConfig {
            weight_decay: 0.0,
            bias_correction: true,
            ..LambConfig::default()
        }),
    }
}

/// The learning rate at which movements are compared.
pub fn probe_rate(kind: UpdateKind) -> f64 {
    match kind {
        UpdateKind::Sgd => 0.1,
        UpdateKind::Adam => 1e-3,
        UpdateKind::Lamb => 1e-2,
    }
}

/// A trial ends when the loss is so many times that of a constant prediction.
const FAR: f64 = 20.0;

/// Whether a parameter belongs to a norm.
fn of_norm(path: &str) -> bool {
    path.split('.').any(|part| matches!(part, "norm" | "outer" | "final_norm"))
}

/// A stack with an optimiser that makes updates on the one batch it has.
pub(super) struct Trial<'a> {
    specimen: &'a mut Specimen,
    optimizer: Optimizer,
    learning_rate: f64,
    train_norms: bool,
}

impl<'a> Trial<'a> {
    pub fn new(
        specimen: &'a mut Specimen,
        kind: UpdateKind,
        learning_rate: f64,
        train_norms: bool,
        device: &Device,
    ) -> Self {
        let parameters = named_parameters(specimen.backbone());
        let optimizer = Optimizer::new(&optimizer(kind), &parameters, device, Precision::F32);
        Trial { specimen, optimizer, learning_rate, train_norms }
    }

    /// Makes an update with these gradients.
    pub fn update(&mut self, mut gradients: BTreeMap<String, Tensor<1>>) {
        if !self.train_norms {
            gradients.retain(|path, _| !of_norm(path));
        }
        let updated = self.optimizer.step(self.specimen.values(), gradients, 1.0, self.learning_rate);
        self.specimen.set(updated);
    }

    /// Forward and backward at the values reached.
    pub fn backward(&self) -> Backward {
        self.specimen.backward()
    }

    /// How far the output has moved from `start`, relative to it.
    pub fn movement(&self, start: &Tensor<3>) -> f64 {
        relative_movement(start, self.specimen.hidden())
    }

    /// Makes updates on the batch and tells whether the blocks learn from it: the loss ends below that of the best
    /// prediction that does not look at the tokens, which a stack that hands nothing on could still reach.
    pub fn survives(&mut self, steps: u64) -> bool {
        for _ in 0..steps {
            let backward = self.specimen.backward();
            if backward.loss.is_nan() || backward.loss > FAR * self.specimen.constant_loss() {
                return false;
            }
            self.update(backward.gradients);
        }
        self.specimen.mean_loss() < self.specimen.constant_loss()
    }
}
