//! Options of adversarial runs.

use mixlab_nn::adversarial::NetworkConfig;
use mixlab_objectives::adversarial::{AdversarialLoss, ConstraintConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::traps;
use crate::optimizer::OptimizerConfig;
use crate::{Config, TrainError};

/// A critic that tells real samples from made ones, and a generator that makes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AdversarialConfig {
    /// The network that makes samples. Its averaged weights are the model.
    pub generator: NetworkConfig,
    /// The network that judges them.
    pub critic: NetworkConfig,
    /// Numbers of a latent, standard normal.
    pub latent: usize,
    /// What both want.
    pub loss: AdversarialLoss,
    /// What keeps the critic from growing steep.
    pub constraint: ConstraintConfig,
    /// Updates of the critic before each one of the generator.
    pub critic_steps: usize,
    /// Samples that the generator learns from in an update, in multiples of `train.batch`.
    pub generator_batches: usize,
    /// How the critic's gradients become updates; absent: as the generator's. Its learning rate follows the same schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critic_optimizer: Option<OptimizerConfig>,
    /// Whether both networks are told the class of a sample.
    pub conditional: bool,
    /// λ of consistency: what the critic says of a real image should stay when the image is mirrored or moved by up to a fifth of its
    /// sides; 0 turns it off.
    pub consistency: f64,
    /// Whether the critic is divided, after each of its updates, by the mean of ‖∇f‖: its normalised values stay what they are, and its
    /// weights in range. Only for critics that are linear between kinks, under a normalisation that does not know the scale.
    pub rescale: bool,
    /// Which gradient the generator gets through a normalised critic.
    pub generator_gradient: GeneratorGradient,
}

/// Which gradient the generator gets through a normalised critic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GeneratorGradient {
    /// The whole one: of first order where the critic is linear between kinks, as there is no more, else of second order.
    #[default]
    Exact,
    /// The critic's own gradient, rescaled. Refused where that is not the whole one.
    FirstOrder,
}

impl Default for AdversarialConfig {
    fn default() -> Self {
        AdversarialConfig {
            generator: NetworkConfig::default(),
            critic: NetworkConfig::default(),
            latent: 64,
            loss: AdversarialLoss::default(),
            constraint: ConstraintConfig::default(),
            critic_steps: 5,
            generator_batches: 1,
            critic_optimizer: None,
            conditional: false,
            consistency: 0.0,
            rescale: false,
            generator_gradient: GeneratorGradient::default(),
        }
    }
}

impl AdversarialConfig {
    /// Checks every number, and the options against each other and the rest of the config.
    ///
    /// # Errors
    /// A number out of its range, or options that exclude each other.
    pub(crate) fn validate(&self, config: &Config) -> Result<(), TrainError> {
        self.generator.validate("objective.generator")?;
        self.critic.validate("objective.critic")?;
        self.critic.check_critic()?;
        let counts = [
            ("objective.latent", self.latent, 1 << 16),
            ("objective.critic_steps", self.critic_steps, 1000),
            ("objective.generator_batches", self.generator_batches, 1000),
        ];
        for (key, found, most) in counts {
            if !(1..=most).contains(&found) {
                return Err(TrainError::out_of_range(key, found, format!("1 to {most}")));
            }
        }
        if !(self.consistency >= 0.0 && self.consistency.is_finite()) {
            return Err(TrainError::out_of_range("objective.consistency", self.consistency, "0 or more"));
        }
        self.check_constraint()?;
        if let Some(optimizer) = &self.critic_optimizer {
            optimizer.validate()?;
        }
        if self.uses_patches() {
            config.model.validate()?;
            config.model.check_direction(false)?;
        }
        if self.critic == NetworkConfig::Patches {
            config.model.check_tangent()?;
        }
        traps::refused(self, config)
    }

    /// Whether either network is made of the blocks that `[model]` describes.
    pub(crate) fn uses_patches(&self) -> bool {
        [&self.generator, &self.critic].contains(&&NetworkConfig::Patches)
    }

    /// The critic's optimiser.
    pub(crate) fn critic_optimizer<'a>(&'a self, config: &'a Config) -> &'a OptimizerConfig {
        self.critic_optimizer.as_ref().unwrap_or(&config.optimizer)
    }

    fn check_constraint(&self) -> Result<(), TrainError> {
        let positive = |key, value: f64| match value > 0.0 && value.is_finite() {
            true => Ok(()),
            false => Err(TrainError::out_of_range(key, value, "above 0")),
        };
        match self.constraint {
            ConstraintConfig::Gran { epsilon, scale } => {
                if !(epsilon >= 0.0 && epsilon.is_finite()) {
                    return Err(TrainError::out_of_range(
                        "objective.constraint.epsilon",
                        epsilon,
                        "0 or more",
                    ));
                }
                positive("objective.constraint.scale", scale)
            }
            ConstraintConfig::GradientPenalty { weight, .. }
            | ConstraintConfig::R1 { weight }
            | ConstraintConfig::R2 { weight } => positive("objective.constraint.weight", weight),
            ConstraintConfig::Divergence { weight, power, .. } => {
                positive("objective.constraint.weight", weight)?;
                match power > 1.0 && power.is_finite() {
                    true => Ok(()),
                    false => Err(TrainError::out_of_range("objective.constraint.power", power, "above 1")),
                }
            }
            ConstraintConfig::WeightClipping { limit } => positive("objective.constraint.limit", limit),
            ConstraintConfig::None
            | ConstraintConfig::Plain
            | ConstraintConfig::GradientNormalisation
            | ConstraintConfig::SpectralNorm => Ok(()),
        }
    }
}
