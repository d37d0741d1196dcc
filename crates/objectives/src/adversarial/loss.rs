//! What critic and generator want, in forms that do not overflow.
//!
//! ```text
//!                  critic, real v          critic, made v         generator, made v
//! wasserstein      −v                      v                      −v
//! hinge            max(0, 1 − v)           max(0, 1 + v)          −v
//! non-saturating   softplus(−v)            softplus(v)            softplus(−v)
//! bce              softplus(−v)            softplus(v)            −softplus(v)
//! lsgan            (v − 1)²/2              v²/2                   (v − 1)²/2
//! ```
//!
//! v is what the constraint makes of f. Sources: Arjovsky, Chintala and Bottou 2017; Lim and Ye 2017; Goodfellow et al. 2014, section 3 (both forms of
//! the generator's); Mao et al. 2017.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pair of losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdversarialLoss {
    /// Differences of means.
    #[default]
    Wasserstein,
    /// Margins of 1.
    Hinge,
    /// Logistic, with a generator that does not saturate.
    NonSaturating,
    /// Logistic, with the generator of the minimax game.
    Bce,
    /// Least squares.
    Lsgan,
}

/// A loss of one sample and its derivative by v.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// The loss.
    pub value: f64,
    /// Its derivative.
    pub slope: f64,
}

impl AdversarialLoss {
    /// The critic's loss of a real sample.
    pub fn real(self, v: f64) -> Scored {
        match self {
            AdversarialLoss::Wasserstein => Scored { value: -v, slope: -1.0 },
            AdversarialLoss::Hinge => {
                Scored { value: (1.0 - v).max(0.0), slope: if v < 1.0 { -1.0 } else { 0.0 } }
            }
            AdversarialLoss::NonSaturating | AdversarialLoss::Bce => {
                Scored { value: softplus(-v), slope: -sigmoid(-v) }
            }
            AdversarialLoss::Lsgan => Scored { value: 0.5 * (v - 1.0).powi(2), slope: v - 1.0 },
        }
    }

    /// The critic's loss of a sample that was made.
    pub fn made(self, v: f64) -> Scored {
        match self {
            AdversarialLoss::Wasserstein => Scored { value: v, slope: 1.0 },
            AdversarialLoss::Hinge => {
                Scored { value: (1.0 + v).max(0.0), slope: if v > -1.0 { 1.0 } else { 0.0 } }
            }
            AdversarialLoss::NonSaturating | AdversarialLoss::Bce => {
                Scored { value: softplus(v), slope: sigmoid(v) }
            }
            AdversarialLoss::Lsgan => Scored { value: 0.5 * v * v, slope: v },
        }
    }

    /// The generator's loss of a sample it made.
    pub fn generator(self, v: f64) -> Scored {
        match self {
            AdversarialLoss::Wasserstein | AdversarialLoss::Hinge => Scored { value: -v, slope: -1.0 },
            AdversarialLoss::NonSaturating => Scored { value: softplus(-v), slope: -sigmoid(-v) },
            AdversarialLoss::Bce => Scored { value: -softplus(v), slope: -sigmoid(v) },
            AdversarialLoss::Lsgan => Scored { value: 0.5 * (v - 1.0).powi(2), slope: v - 1.0 },
        }
    }

    /// As named in a config.
    pub fn name(self) -> &'static str {
        match self {
            AdversarialLoss::Wasserstein => "wasserstein",
            AdversarialLoss::Hinge => "hinge",
            AdversarialLoss::NonSaturating => "non_saturating",
            AdversarialLoss::Bce => "bce",
            AdversarialLoss::Lsgan => "lsgan",
        }
    }
}

/// log(1 + eˣ).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// 1/(1 + e^−x).
fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [AdversarialLoss; 5] = [
        AdversarialLoss::Wasserstein,
        AdversarialLoss::Hinge,
        AdversarialLoss::NonSaturating,
        AdversarialLoss::Bce,
        AdversarialLoss::Lsgan,
    ];

    #[test]
    fn slopes_are_those_of_the_values() {
        for loss in ALL {
            for v in [-3.0, -0.4, 0.0, 0.3, 2.5] {
                for of in [AdversarialLoss::real, AdversarialLoss::made, AdversarialLoss::generator] {
                    let step = 1e-6;
                    let found = (of(loss, v + step).value - of(loss, v - step).value) / (2.0 * step);
                    assert!((found - of(loss, v).slope).abs() < 1e-8, "{} at {v}", loss.name());
                }
            }
        }
    }

    /// Nothing overflows, and nothing is cut off: −log(σ(v) + ε) would stop at −log ε.
    #[test]
    fn far_out_everything_is_finite() {
        for v in [-1e4, 1e4] {
            for loss in ALL {
                for scored in [loss.real(v), loss.made(v), loss.generator(v)] {
                    assert!(scored.value.is_finite() && scored.slope.is_finite(), "{} at {v}", loss.name());
                }
            }
        }
        assert_eq!(AdversarialLoss::NonSaturating.generator(-1e4), Scored { value: 1e4, slope: -1.0 });
    }

    /// Where |v| < 1, as under gradient normalisation, both say the same but for a constant.
    #[test]
    fn hinge_is_wasserstein_between_its_margins() {
        for (real, made) in [(0.3, -0.9), (-0.99, 0.99), (0.0, 0.5)] {
            let hinge = AdversarialLoss::Hinge.real(real).value + AdversarialLoss::Hinge.made(made).value;
            let wasserstein =
                AdversarialLoss::Wasserstein.real(real).value + AdversarialLoss::Wasserstein.made(made).value;
            assert!((hinge - 2.0 - wasserstein).abs() < 1e-15);
        }
    }
}
