//! How close made samples are to real ones, while a run goes on.

use burn::tensor::Tensor;
use mixlab_core::Key;
use mixlab_data::PointSet;
use mixlab_nn::adversarial::Critic;
use mixlab_objectives::adversarial::{ConstraintConfig, effective, secants};
use mixlab_objectives::generative::{Rows, energy_distance, mode_report};

use super::{ModeTerms, SECANT_RADIUS, SteepnessTerms};

/// What an evaluation finds.
pub struct SampleQuality {
    /// Energy distance of the samples as they are, numbers of points or pixels.
    pub energy: f64,
    /// How points lie at modes, of mixtures.
    pub modes: Option<ModeTerms>,
}

/// Compares made samples `[n, h, w, c]` with real ones.
pub fn measure_samples(real: &Tensor<4>, made: &Tensor<4>, points: Option<PointSet>) -> SampleQuality {
    let energy = energy_distance(&rows(real), &rows(made));
    let modes = points.and_then(PointSet::modes).map(|modes| {
        let points: Vec<[f64; 2]> = rows(made).iter().map(|row| [row[0], row[1]]).collect();
        let report = mode_report(&points, &modes.centres, modes.deviation);
        ModeTerms {
            coverage: report.covered as f64 / report.modes as f64,
            high_quality: report.high_quality,
            reverse_divergence: Some(report.reverse_divergence).filter(|nats| nats.is_finite()),
        }
    });
    SampleQuality { energy, modes }
}

/// How steep a critic with gradient tracking is at `samples`, which have the channels of their class.
pub(crate) fn steepness(
    critic: &Critic,
    constraint: &ConstraintConfig,
    samples: &Tensor<4>,
    key: Key,
) -> SteepnessTerms {
    let greatest = |slopes: &[f64]| slopes.iter().copied().fold(0.0, f64::max);
    let found = effective(critic, constraint, samples.clone());
    let between = secants(critic, constraint, samples, &found.values, SECANT_RADIUS, key);
    SteepnessTerms { greatest_slope: greatest(&found.slopes), greatest_secant: greatest(&between) }
}

/// A row a sample.
fn rows(samples: &Tensor<4>) -> Rows {
    let [_, height, width, channels] = samples.dims();
    Rows::new(samples.to_data().iter::<f64>().collect(), channels * height * width)
}
