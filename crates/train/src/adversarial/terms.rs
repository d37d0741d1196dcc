//! What an adversarial run tells of itself.

use serde::{Deserialize, Serialize};

/// Numbers of an update: of the last one of the critic, and of the generator's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AdversarialTerms {
    /// The critic's loss, penalties included.
    pub critic_loss: f64,
    /// The generator's.
    pub generator_loss: f64,
    /// Penalties and consistency.
    pub penalty: f64,
    /// Mean of what the critic says of real samples, normalised if it is.
    pub real: f64,
    /// Mean of what it says of made ones.
    pub made: f64,
    /// Median of ‖∇f‖ of the critic before it is normalised, where it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critic_slope: Option<f64>,
    /// ‖θ‖ of the critic.
    pub critic_norm: f64,
}

impl AdversarialTerms {
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let always = [
            ("critic_loss", self.critic_loss),
            ("generator_loss", self.generator_loss),
            ("penalty", self.penalty),
            ("real", self.real),
            ("made", self.made),
            ("critic_norm", self.critic_norm),
        ];
        always.into_iter().chain(self.critic_slope.map(|slope| ("critic_slope", slope)))
    }
}

/// How steep a critic is at the samples of an evaluation, under its constraint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SteepnessTerms {
    /// The greatest slope almost everywhere.
    pub greatest_slope: f64,
    /// The greatest secant over a distance of [`SECANT_RADIUS`].
    pub greatest_secant: f64,
}

/// Distance over which evaluations take secants, in units of the samples.
pub const SECANT_RADIUS: f64 = 0.05;

impl SteepnessTerms {
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'static str, f64)> {
        [("greatest_slope", self.greatest_slope), ("greatest_secant", self.greatest_secant)].into_iter()
    }
}

/// How made points lie at the modes of a mixture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModeTerms {
    /// Modes with at least one point of high quality, over all modes.
    pub coverage: f64,
    /// Points within three deviations of a mode, over all points.
    pub high_quality: f64,
    /// Divergence of the histogram of modes from the uniform one, in nats; absent if no point is of high quality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse_divergence: Option<f64>,
}

impl ModeTerms {
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let always = [("coverage", self.coverage), ("high_quality", self.high_quality)];
        always.into_iter().chain(self.reverse_divergence.map(|nats| ("reverse_divergence", nats)))
    }
}
