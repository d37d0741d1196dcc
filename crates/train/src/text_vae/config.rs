//! Options of text VAEs.

use mixlab_nn::latent::LatentConfig;
use mixlab_objectives::vae::{
    AnnealingConfig, ConcentrationAnnealingConfig, DivergenceWeight, PosteriorConfig,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Config, TrainError};

/// How texts become latents, and what that costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TextVaeConfig {
    /// Which layers have a latent, and how large it is.
    pub latent: LatentConfig,
    /// What is known of a latent when its text has been read.
    pub posterior: PosteriorConfig,
    /// β, the weight of divergences from the prior when it is all in force. A constant divergence (von Mises–Fisher, power spherical)
    /// is counted with it and teaches nothing.
    pub beta: f64,
    /// λ, the nats of divergence of each number of a latent that cost nothing, of Gaussian posteriors.
    pub free_bits: f64,
    /// How β grows over the run, of Gaussian posteriors.
    pub annealing: AnnealingConfig,
    /// How κ falls over the run, of posteriors on the sphere; absent: it is the same throughout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concentration_annealing: Option<ConcentrationAnnealingConfig>,
    /// Whether to train with the loss of the reference implementation, which predicts padding and the first token too and has no
    /// divergence. Evaluations do not follow it.
    pub reference_loss: bool,
}

impl Default for TextVaeConfig {
    fn default() -> Self {
        TextVaeConfig {
            latent: LatentConfig::default(),
            posterior: PosteriorConfig::default(),
            beta: 1.0,
            free_bits: 0.0,
            annealing: AnnealingConfig::default(),
            concentration_annealing: None,
            reference_loss: false,
        }
    }
}

impl TextVaeConfig {
    /// Checks every number, and the options against each other and the rest of the config.
    ///
    /// # Errors
    /// A number out of its range, or options that have no effect or no meaning together.
    pub(crate) fn validate(&self, config: &Config) -> Result<(), TrainError> {
        self.latent.validate(&config.model)?;
        let concentration = self.concentration_annealing.map_or(Ok(()), |annealing| annealing.check());
        let checks = [self.posterior.check(self.latent.width), self.annealing.check(), concentration];
        for check in checks {
            check.map_err(|(key, found, expected)| TrainError::out_of_range(key, found, expected))?;
        }
        for (key, value) in [("objective.beta", self.beta), ("objective.free_bits", self.free_bits)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(TrainError::out_of_range(key, value, "0 or more"));
            }
        }
        self.check_constant_divergence()?;
        self.check_gaussian()?;
        self.check_moments(config)?;
        match config.model.recompute.segment() {
            Some(_) => Err(TrainError::Conflict {
                first: "model.recompute".into(),
                second: "objective.kind = \"text_vae\"".into(),
                reason: "its two streams are not computed in segments".into(),
                remedy: "remove `[model.recompute]`, and lower `train.batch` with `train.accumulation` to save memory".into(),
            }),
            None => Ok(()),
        }
    }

    /// Options that have no meaning where latents are no directions.
    fn check_gaussian(&self) -> Result<(), TrainError> {
        let of_directions = [
            (
                self.concentration_annealing.is_some(),
                "objective.concentration_annealing",
                "it has no concentration",
                "remove it; `objective.annealing` lets β grow instead",
            ),
            (
                self.reference_loss,
                "objective.reference_loss = true",
                "that loss has no divergence, which would leave the prior out",
                "remove `objective.reference_loss`, or take a posterior on the sphere",
            ),
            (
                self.latent.whitening,
                "objective.latent.whitening = true",
                "whitening spreads directions, and a Gaussian has a divergence of its own for every axis",
                "set `objective.posterior.batch_norm` instead",
            ),
        ];
        match of_directions.into_iter().find(|(set, ..)| *set && !self.posterior.is_spherical()) {
            Some((_, option, reason, remedy)) => Err(TrainError::Conflict {
                first: option.into(),
                second: "objective.posterior.kind = \"gaussian\"".into(),
                reason: reason.into(),
                remedy: remedy.into(),
            }),
            None => Ok(()),
        }
    }

    /// What goes by the means of a batch.
    fn check_moments(&self, config: &Config) -> Result<(), TrainError> {
        let option = match self.posterior {
            PosteriorConfig::Gaussian { batch_norm: Some(_) } => "objective.posterior.batch_norm",
            _ if self.latent.whitening => "objective.latent.whitening",
            _ => return Ok(()),
        };
        match config.train.accumulation {
            1 => Ok(()),
            several => Err(TrainError::Conflict {
                first: option.into(),
                second: format!("train.accumulation = {several}"),
                reason: "means are brought to one spread over the texts of a batch, and the gradient of several is not that of one".into(),
                remedy: format!("raise `train.batch` instead, or remove `{option}`"),
            }),
        }
    }

    /// Options that would do nothing where the divergence is a constant.
    fn check_constant_divergence(&self) -> Result<(), TrainError> {
        let idle = [
            ("objective.free_bits", self.free_bits != 0.0),
            ("objective.annealing", self.annealing != AnnealingConfig::default()),
        ];
        match idle.into_iter().find(|(_, set)| *set && self.posterior.is_spherical()) {
            Some((key, _)) => Err(TrainError::Conflict {
                first: key.into(),
                second: "a posterior on the sphere".into(),
                reason: "its divergence is a constant, which no weight can teach anything".into(),
                remedy: format!("remove `{key}`, or set `objective.posterior.kind = \"gaussian\"`"),
            }),
            None => Ok(()),
        }
    }

    /// The posterior in update `step` of `steps`.
    pub fn posterior(&self, step: u64, steps: u64) -> PosteriorConfig {
        match (self.concentration_annealing, self.posterior.concentration()) {
            (Some(annealing), Some(to)) => {
                self.posterior.with_concentration(annealing.concentration(to, step, steps))
            }
            _ => self.posterior,
        }
    }

    /// What divergences cost in update `step` of `steps`.
    pub fn weight(&self, step: u64, steps: u64) -> DivergenceWeight {
        DivergenceWeight { beta: self.beta * self.annealing.share(step, steps), free_bits: self.free_bits }
    }
}
