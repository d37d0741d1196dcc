//! The choice of optimiser and its numbers.

use mixlab_kernels::{AdaptiveMoments, UpdateRule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// How gradients become updates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OptimizerConfig {
    /// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
    Adamw(AdamwConfig),
    /// Stochastic gradient descent with momentum.
    Sgd(SgdConfig),
    /// Adam with a layer-wise trust ratio, for very large batches (You et al., 2020).
    Lamb(LambConfig),
}

/// Numbers of AdamW.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AdamwConfig {
    /// Peak learning rate; the schedule scales it.
    pub learning_rate: f64,
    /// Decay rate of the first moment.
    pub beta1: f64,
    /// Decay rate of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Divide the moments by 1 − βᵗ.
    pub bias_correction: bool,
    /// Weight decay, multiplied by the learning rate.
    pub weight_decay: f64,
    /// Parameters without weight decay, as path patterns; `*` stands for any characters.
    pub no_decay: Vec<String>,
}

/// Numbers of SGD.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SgdConfig {
    /// Peak learning rate; the schedule scales it.
    pub learning_rate: f64,
    /// Share of the velocity that is kept; 0 is plain gradient descent.
    pub momentum: f64,
    /// Look ahead along the velocity (Nesterov).
    pub nesterov: bool,
    /// Weight decay, added to the gradient as an L2 penalty.
    pub weight_decay: f64,
    /// Parameters without weight decay, as path patterns; `*` stands for any characters.
    pub no_decay: Vec<String>,
}

/// Numbers of LAMB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LambConfig {
    /// Peak learning rate; the schedule scales it.
    pub learning_rate: f64,
    /// Decay rate of the first moment.
    pub beta1: f64,
    /// Decay rate of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Divide the moments by 1 − βᵗ.
    pub bias_correction: bool,
    /// Weight decay, added to the update before the trust ratio.
    pub weight_decay: f64,
    /// Parameters without weight decay, as path patterns; `*` stands for any characters.
    pub no_decay: Vec<String>,
}

/// Vectors (biases and gains) never decay by default, wherever they are; these are the matrices that
/// do not either.
fn default_no_decay() -> Vec<String> {
    ["embedding.*", "*norm*", "*bias"].map(str::to_owned).into()
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        OptimizerConfig::Adamw(AdamwConfig::default())
    }
}

impl Default for AdamwConfig {
    fn default() -> Self {
        AdamwConfig {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.98,
            epsilon: 1e-8,
            bias_correction: true,
            weight_decay: 0.1,
            no_decay: default_no_decay(),
        }
    }
}

impl Default for SgdConfig {
    fn default() -> Self {
        SgdConfig {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
            no_decay: default_no_decay(),
        }
    }
}

impl Default for LambConfig {
    fn default() -> Self {
        LambConfig {
            learning_rate: 2e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            bias_correction: true,
            weight_decay: 0.01,
            no_decay: default_no_decay(),
        }
    }
}

impl OptimizerConfig {
    /// Peak learning rate.
    pub fn learning_rate(&self) -> f64 {
        match self {
            OptimizerConfig::Adamw(config) => config.learning_rate,
            OptimizerConfig::Sgd(config) => config.learning_rate,
            OptimizerConfig::Lamb(config) => config.learning_rate,
        }
    }

    /// Weight decay of the parameters that decay.
    pub fn weight_decay(&self) -> f64 {
        match self {
            OptimizerConfig::Adamw(config) => config.weight_decay,
            OptimizerConfig::Sgd(config) => config.weight_decay,
            OptimizerConfig::Lamb(config) => config.weight_decay,
        }
    }

    /// Path patterns of the parameters that do not decay.
    pub fn no_decay(&self) -> &[String] {
        match self {
            OptimizerConfig::Adamw(config) => &config.no_decay,
            OptimizerConfig::Sgd(config) => &config.no_decay,
            OptimizerConfig::Lamb(config) => &config.no_decay,
        }
    }

    /// The rule with its numbers, as the kernels take it.
    pub fn rule(&self) -> UpdateRule {
        match self {
            OptimizerConfig::Adamw(AdamwConfig { beta1, beta2, epsilon, bias_correction, .. }) => {
                UpdateRule::AdamW(moments(*beta1, *beta2, *epsilon, *bias_correction))
            }
            OptimizerConfig::Lamb(LambConfig { beta1, beta2, epsilon, bias_correction, .. }) => {
                UpdateRule::Lamb(moments(*beta1, *beta2, *epsilon, *bias_correction))
            }
            OptimizerConfig::Sgd(config) => {
                UpdateRule::Sgd { momentum: config.momentum, nesterov: config.nesterov }
            }
        }
    }

    /// Names of the vectors kept for every parameter.
    pub fn state_names(&self) -> &'static [&'static str] {
        self.rule().moment_names()
    }

    /// Checks every number against its range.
    ///
    /// # Errors
    /// [`TrainError::OutOfRange`] with the key.
    pub fn validate(&self) -> Result<(), TrainError> {
        positive("optimizer.learning_rate", self.learning_rate())?;
        not_negative("optimizer.weight_decay", self.weight_decay())?;
        match self {
            OptimizerConfig::Adamw(AdamwConfig { beta1, beta2, epsilon, .. })
            | OptimizerConfig::Lamb(LambConfig { beta1, beta2, epsilon, .. }) => {
                share("optimizer.beta1", *beta1)?;
                share("optimizer.beta2", *beta2)?;
                positive("optimizer.epsilon", *epsilon)
            }
            OptimizerConfig::Sgd(config) => {
                share("optimizer.momentum", config.momentum)?;
                if config.nesterov && config.momentum == 0.0 {
                    return Err(TrainError::Conflict {
                        first: "optimizer.nesterov = true".into(),
                        second: "optimizer.momentum = 0".into(),
                        reason: "there is no velocity to look ahead along".into(),
                        remedy: "set `optimizer.momentum`, for example to 0.9".into(),
                    });
                }
                Ok(())
            }
        }
    }
}

fn moments(beta1: f64, beta2: f64, epsilon: f64, bias_correction: bool) -> AdaptiveMoments {
    AdaptiveMoments { beta1, beta2, epsilon, bias_correction }
}

fn positive(key: &'static str, value: f64) -> Result<(), TrainError> {
    let fits = value > 0.0 && value.is_finite();
    if fits { Ok(()) } else { Err(TrainError::out_of_range(key, value, "more than 0")) }
}

fn not_negative(key: &'static str, value: f64) -> Result<(), TrainError> {
    let fits = value >= 0.0 && value.is_finite();
    if fits { Ok(()) } else { Err(TrainError::out_of_range(key, value, "0 or more")) }
}

fn share(key: &'static str, value: f64) -> Result<(), TrainError> {
    let fits = (0.0..1.0).contains(&value);
    if fits { Ok(()) } else { Err(TrainError::out_of_range(key, value, "at least 0 and below 1")) }
}
