//! What keeps a critic from growing steep, one file each.
//!
//! *Normalisations* put f̂, a function of f and of n = ‖∇ₓf‖, in the place of f. *Penalties* add a function of n at some points to the loss.
//! *Spectral norm* and *weight clipping* act on the weights. All are plain functions of numbers, with their derivatives.

mod divergence;
mod gradient_normalisation;
mod gradient_penalty;
mod gran;
mod plain;
mod spectral_norm;
mod weight_clipping;
mod zero_centred;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::loss::Scored;

pub use spectral_norm::{Divided, SpectralNorm};
pub use weight_clipping::clipped;

/// What keeps a critic from growing steep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ConstraintConfig {
    /// Nothing.
    None,
    /// f̂ = f/n, n = ‖∇ₓf‖.
    Plain,
    /// f̂ = f/(n + |f|) (GN).
    #[default]
    GradientNormalisation,
    /// f̂ = K·f·n/(n² + ε) (GraN).
    Gran {
        /// ε.
        #[serde(default = "gran_epsilon")]
        epsilon: f64,
        /// K, the largest slope aimed at.
        #[serde(default = "one")]
        scale: f64,
    },
    /// λ·mean (n − 1)² between real and made samples (WGAN-GP).
    GradientPenalty {
        /// λ.
        #[serde(default = "ten")]
        weight: f64,
        /// Whether only slopes above 1 cost.
        #[serde(default)]
        one_sided: bool,
    },
    /// k·mean nᵖ (WGAN-div).
    Divergence {
        /// k.
        #[serde(default = "two")]
        weight: f64,
        /// p.
        #[serde(default = "six")]
        power: f64,
        /// Where n is taken.
        #[serde(default)]
        points: DivergencePoints,
    },
    /// γ/2·mean n² on real samples.
    R1 {
        /// γ.
        #[serde(default = "ten")]
        weight: f64,
    },
    /// γ/2·mean n² on made samples.
    R2 {
        /// γ.
        #[serde(default = "ten")]
        weight: f64,
    },
    /// Every matrix divided by its largest singular value.
    SpectralNorm,
    /// Every weight within ±limit after each update.
    WeightClipping {
        /// The limit.
        #[serde(default = "clip")]
        limit: f64,
    },
}

/// Where WGAN-div takes slopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DivergencePoints {
    /// Between real and made samples.
    #[default]
    Between,
    /// At real and at made samples.
    Samples,
}

fn gran_epsilon() -> f64 {
    0.1
}

fn one() -> f64 {
    1.0
}

fn two() -> f64 {
    2.0
}

fn six() -> f64 {
    6.0
}

fn ten() -> f64 {
    10.0
}

fn clip() -> f64 {
    0.01
}

/// f̂ of one sample with its derivatives by f and by n.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalised {
    /// f̂.
    pub value: f64,
    /// ∂f̂/∂f.
    pub by_value: f64,
    /// ∂f̂/∂n; 0 where n = 0, as n has no derivative there.
    pub by_norm: f64,
}

impl Normalised {
    /// What a critic says that is 0 and flat.
    pub const NOTHING: Normalised = Normalised { value: 0.0, by_value: 0.0, by_norm: 0.0 };
}

/// A function that takes the place of f.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Normalisation {
    /// f/n.
    Plain,
    /// f/(n + |f|).
    Gradient,
    /// K·f·n/(n² + ε).
    Gran {
        /// ε.
        epsilon: f64,
        /// K.
        scale: f64,
    },
}

impl Normalisation {
    /// f̂ and its derivatives.
    pub fn at(self, f: f64, n: f64) -> Normalised {
        match self {
            Normalisation::Plain => plain::normalised(f, n),
            Normalisation::Gradient => gradient_normalisation::normalised(f, n),
            Normalisation::Gran { epsilon, scale } => gran::normalised(f, n, epsilon, scale),
        }
    }

    /// ‖∇f̂‖ at a point between kinks of a critic that is linear there: |∂f̂/∂f|·n, since n does not change.
    pub fn slope(self, f: f64, n: f64) -> f64 {
        self.at(f, n).by_value.abs() * n
    }
}

/// A function of n that is added to the loss, with the points it is taken at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Penalty {
    /// λ·(n − 1)² between samples.
    Gradient {
        /// λ.
        weight: f64,
        /// Whether only slopes above 1 cost.
        one_sided: bool,
    },
    /// k·nᵖ.
    Divergence {
        /// k.
        weight: f64,
        /// p.
        power: f64,
        /// Where.
        points: DivergencePoints,
    },
    /// γ/2·n² on real samples.
    R1 {
        /// γ.
        weight: f64,
    },
    /// γ/2·n² on made samples.
    R2 {
        /// γ.
        weight: f64,
    },
}

impl Penalty {
    /// The penalty of one point and its derivative by n.
    pub fn at(self, n: f64) -> Scored {
        match self {
            Penalty::Gradient { weight, one_sided } => gradient_penalty::penalty(n, weight, one_sided),
            Penalty::Divergence { weight, power, .. } => divergence::penalty(n, weight, power),
            Penalty::R1 { weight } | Penalty::R2 { weight } => zero_centred::penalty(n, weight),
        }
    }

    /// Whether points lie between real and made samples.
    pub fn is_between(self) -> bool {
        match self {
            Penalty::Gradient { .. } => true,
            Penalty::Divergence { points, .. } => points == DivergencePoints::Between,
            Penalty::R1 { .. } | Penalty::R2 { .. } => false,
        }
    }

    /// Whether real samples (true) or made ones (false) are points.
    pub fn takes(self, real: bool) -> bool {
        match self {
            Penalty::Gradient { .. } => false,
            Penalty::Divergence { points, .. } => points == DivergencePoints::Samples,
            Penalty::R1 { .. } => real,
            Penalty::R2 { .. } => !real,
        }
    }
}

impl ConstraintConfig {
    /// The function that takes the place of f, if one does.
    pub fn normalisation(&self) -> Option<Normalisation> {
        match *self {
            ConstraintConfig::Plain => Some(Normalisation::Plain),
            ConstraintConfig::GradientNormalisation => Some(Normalisation::Gradient),
            ConstraintConfig::Gran { epsilon, scale } => Some(Normalisation::Gran { epsilon, scale }),
            _ => None,
        }
    }

    /// The penalty, if there is one.
    pub fn penalty(&self) -> Option<Penalty> {
        match *self {
            ConstraintConfig::GradientPenalty { weight, one_sided } => {
                Some(Penalty::Gradient { weight, one_sided })
            }
            ConstraintConfig::Divergence { weight, power, points } => {
                Some(Penalty::Divergence { weight, power, points })
            }
            ConstraintConfig::R1 { weight } => Some(Penalty::R1 { weight }),
            ConstraintConfig::R2 { weight } => Some(Penalty::R2 { weight }),
            _ => None,
        }
    }

    /// As named in a config.
    pub fn name(&self) -> &'static str {
        match self {
            ConstraintConfig::None => "none",
            ConstraintConfig::Plain => "plain",
            ConstraintConfig::GradientNormalisation => "gradient_normalisation",
            ConstraintConfig::Gran { .. } => "gran",
            ConstraintConfig::GradientPenalty { .. } => "gradient_penalty",
            ConstraintConfig::Divergence { .. } => "divergence",
            ConstraintConfig::R1 { .. } => "r1",
            ConstraintConfig::R2 { .. } => "r2",
            ConstraintConfig::SpectralNorm => "spectral_norm",
            ConstraintConfig::WeightClipping { .. } => "weight_clipping",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `f(x) = 3x₁ + 4x₂ + 1` at (1, 0): f = 4, n = 5.
    #[test]
    fn golden_points() {
        let close =
            |found: f64, expected: f64| assert!((found - expected).abs() < 1e-15, "{found}, {expected}");
        let (f, n) = (4.0, 5.0);
        close(Normalisation::Gradient.at(f, n).value, 4.0 / 9.0);
        close(Normalisation::Gradient.slope(f, n), 25.0 / 81.0);
        let gran = Normalisation::Gran { epsilon: 0.1, scale: 1.0 };
        close(gran.at(f, n).value, 20.0 / 25.1);
        close(gran.slope(f, n), 25.0 / 25.1);
        close(Normalisation::Plain.at(f, n).value, 0.8);
        close(Normalisation::Plain.slope(f, n), 1.0);
    }

    #[test]
    fn derivatives_are_those_of_the_values() {
        let step = 1e-6;
        let kinds =
            [Normalisation::Plain, Normalisation::Gradient, Normalisation::Gran { epsilon: 0.1, scale: 2.0 }];
        for kind in kinds {
            for (f, n) in [(4.0, 5.0), (-0.3, 0.2), (7.0, 0.9)] {
                let found = kind.at(f, n);
                let by = |df: f64, dn: f64| {
                    (kind.at(f + df, n + dn).value - kind.at(f - df, n - dn).value) / (2.0 * step)
                };
                assert!((by(step, 0.0) / found.by_value - 1.0).abs() < 1e-7, "{kind:?} by f");
                assert!((by(0.0, step) / found.by_norm - 1.0).abs() < 1e-7, "{kind:?} by n");
            }
        }
        let penalties = [
            Penalty::Gradient { weight: 10.0, one_sided: false },
            Penalty::Gradient { weight: 10.0, one_sided: true },
            Penalty::Divergence { weight: 2.0, power: 6.0, points: DivergencePoints::Between },
            Penalty::R1 { weight: 10.0 },
        ];
        for penalty in penalties {
            for n in [0.0, 0.4, 1.7] {
                let by = (penalty.at(n + step).value - penalty.at((n - step).max(0.0)).value)
                    / (n + step - (n - step).max(0.0));
                assert!((by - penalty.at(n).slope).abs() < 1e-4, "{penalty:?} at {n}");
            }
        }
    }

    /// f̂ of α·f, whose n is α·n, is f̂ of f.
    #[test]
    fn normalised_critics_do_not_know_their_scale() {
        for kind in [Normalisation::Plain, Normalisation::Gradient] {
            let (one, large) = (kind.at(1.3, 0.7), kind.at(1.3e8, 0.7e8));
            assert!((one.value - large.value).abs() < 1e-15);
            // ⟨θ, ∂L/∂θ⟩ of the last layer is f·∂f̂/∂f + n·∂f̂/∂n.
            assert!((1.3 * one.by_value + 0.7 * one.by_norm).abs() < 1e-15);
        }
    }

    #[test]
    fn a_flat_critic_is_defined_everywhere() {
        let kinds = [
            Normalisation::Plain,
            Normalisation::Gradient,
            Normalisation::Gran { epsilon: 0.1, scale: 1.0 },
            Normalisation::Gran { epsilon: 0.0, scale: 1.0 },
        ];
        for kind in kinds {
            for f in [-2.0, 0.0, 2.0] {
                let Normalised { value, by_value, by_norm } = kind.at(f, 0.0);
                assert!(value.is_finite() && by_value == 0.0 && by_norm == 0.0, "{kind:?} of {f}");
            }
        }
    }
}
