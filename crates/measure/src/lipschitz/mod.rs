//! How steep a trained critic is: almost everywhere, and between points.
//!
//! ```text
//! slope      ‖∇f̂(x)‖ where x is, which no kink of the critic disturbs
//! secant     |f̂(x + r·e) − f̂(x)|/r for a random direction e and a radius r
//! ```
//!
//! A bound on slopes is no bound on secants: a normalised critic jumps at kinks, by which a secant over a small radius can be as steep as it
//! likes. Both are told apart here, on real samples, on made ones, and between them.

mod chart;
mod error;
mod layers;
mod quantiles;
mod secant;

use std::path::Path;

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_core::{Key, Purpose};
use mixlab_objectives::adversarial::{between, effective, secants};
use mixlab_train::metrics::{METRICS, read_lines};
use mixlab_train::{
    AdversarialData, AdversarialFolder, ModelFolder, Observer, RUN_CONFIG, drawn_labels, read_run_config,
};
use serde::Serialize;

pub use chart::chart;
pub use error::LipschitzError;
pub use layers::LayerNorm;
pub use quantiles::Quantiles;
pub use secant::SecantReport;

/// How much is looked at.
#[derive(Clone, Debug)]
pub struct LipschitzOptions {
    /// Samples of each kind.
    pub samples: usize,
    /// Radii of the secants.
    pub radii: Vec<f64>,
    /// Seed of samples and directions.
    pub seed: u64,
}

impl Default for LipschitzOptions {
    fn default() -> Self {
        LipschitzOptions { samples: 1000, radii: vec![1e-4, 1e-3, 1e-2, 0.05, 0.1, 1.0], seed: 0 }
    }
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct LipschitzReport {
    /// The constraint the critic was trained under.
    pub constraint: &'static str,
    /// Whether the critic is linear between kinks.
    pub piecewise_linear: bool,
    /// Real samples, made ones, and points between them.
    pub places: Vec<PlaceReport>,
    /// The largest singular value of every matrix of the critic, by path.
    pub layers: Vec<LayerNorm>,
    /// Their product: a bound on the slope of a critic of dense layers one after the other.
    pub product: f64,
    /// The critic over the run.
    pub history: Vec<HistoryPoint>,
}

/// A critic at one kind of points.
#[derive(Clone, Debug, Serialize)]
pub struct PlaceReport {
    /// `real`, `made` or `between`.
    pub place: &'static str,
    /// ‖∇f̂‖ of what the constraint makes of the critic.
    pub slopes: Quantiles,
    /// ‖∇f‖ of the critic itself.
    pub critic_slopes: Quantiles,
    /// Secants of f̂ by radius.
    pub secants: Vec<SecantReport>,
}

/// The critic at one step of its run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct HistoryPoint {
    /// Updates made.
    pub step: u64,
    /// Median of ‖∇f‖, where it was taken.
    pub critic_slope: Option<f64>,
    /// ‖θ‖.
    pub critic_norm: f64,
}

/// Looks at the critic of a run.
///
/// # Errors
/// [`LipschitzError`]: a folder that is no adversarial run, or options out of range.
pub fn measure_lipschitz(
    run: &Path,
    options: &LipschitzOptions,
    observer: &mut dyn Observer,
) -> Result<LipschitzReport, LipschitzError> {
    options.check()?;
    let config = read_run_config(run)?;
    let device = config.run.device.device();
    let folder = AdversarialFolder::load(&ModelFolder::locate(run)?, &device)?;
    let data = AdversarialData::of_run(&config, observer)?;
    let constraint = folder.config.objective().constraint;

    observer.phase("measuring");
    let real = data.held_out(options.samples, &device, folder.config.precision);
    let key = Key::root(options.seed).purpose(Purpose::Sample).site("lipschitz");
    let classes = folder.config.told_classes();
    let labels = if classes > 0 { real.labels.clone() } else { drawn_labels(key, 0, real.labels.len(), 0) };
    let made = folder.told(folder.samples(key, 0, &labels), &labels);
    let real = folder.told(real.samples, &labels);
    let middle = between(real.clone(), made.clone(), key);
    let critic = folder.critic.clone().train();
    let place = |place: &'static str, samples: Tensor<4>| {
        let found = effective(&critic, &constraint, samples.clone());
        let by_radius = options
            .radii
            .iter()
            .map(|&radius| {
                let slopes = secants(&critic, &constraint, &samples, &found.values, radius, key);
                SecantReport::of(radius, &slopes)
            })
            .collect();
        PlaceReport {
            place,
            slopes: Quantiles::of(&found.slopes),
            critic_slopes: Quantiles::of(&found.critic_slopes),
            secants: by_radius,
        }
    };
    let places = vec![place("real", real), place("made", made), place("between", middle)];
    let layers = layers::norms(&folder.critic, &device, folder.config.precision);
    Ok(LipschitzReport {
        constraint: constraint.name(),
        piecewise_linear: folder.critic.is_piecewise_linear(),
        places,
        product: layers.iter().map(|layer| layer.norm).product(),
        layers,
        history: history(run)?,
    })
}

impl LipschitzOptions {
    fn check(&self) -> Result<(), LipschitzError> {
        if !(2..=1_000_000).contains(&self.samples) {
            return Err(LipschitzError::Samples { found: self.samples });
        }
        match self.radii.iter().find(|radius| !(**radius > 0.0 && radius.is_finite())) {
            Some(&found) => Err(LipschitzError::Radius { found }),
            None => Ok(()),
        }
    }
}

fn history(run: &Path) -> Result<Vec<HistoryPoint>, LipschitzError> {
    let path = run.join(METRICS);
    if !(run.join(RUN_CONFIG).is_file() && path.is_file()) {
        return Ok(Vec::new());
    }
    let point = |line: mixlab_train::MetricsLine| {
        let terms = line.adversarial?;
        Some(HistoryPoint {
            step: line.step,
            critic_slope: terms.critic_slope,
            critic_norm: terms.critic_norm,
        })
    };
    Ok(read_lines(&path)?.into_iter().filter_map(point).collect())
}
