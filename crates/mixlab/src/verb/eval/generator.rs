//! Measuring a generator.

use std::path::Path;

use mixlab_core::{Key, Purpose};
use mixlab_objectives::generative::{
    ManifoldReport, Rows, frechet_distance, kernel_distance, manifold_report,
};
use mixlab_train::{
    AdversarialData, AdversarialFolder, ClassifierFolder, Config, FeatureSpace, ModeTerms, ModelFolder,
    Silent, drawn_labels, measure_samples,
};
use serde::Serialize;

use super::Eval;
use crate::failure::{Exit, Failure, ProgramError};
use crate::output::{columns, print_report};

/// Samples that are compared unless --samples says otherwise.
const SAMPLES: usize = 2500;
/// Neighbours of precision and recall, and of density and coverage, as their authors have them.
const NEIGHBOURS: [usize; 2] = [3, 5];

#[derive(Serialize)]
struct Measured {
    samples: usize,
    /// In units of the samples as they are.
    energy_distance: f64,
    #[serde(flatten)]
    modes: Option<ModeTerms>,
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<Features>,
}

#[derive(Serialize)]
struct Features {
    /// The classifier in whose space these are.
    space: String,
    frechet_distance: f64,
    kernel_distance: f64,
    precision: f64,
    recall: f64,
    density: f64,
    coverage: f64,
}

impl Eval {
    pub(super) fn run_generator(&self, path: &Path, run: Option<&Config>) -> Result<Exit, Failure> {
        let device = self.device.open();
        let folder = AdversarialFolder::load(path, &device)?;
        let Some(config) = run.filter(|_| self.files.is_empty()) else {
            return Err(ProgramError::NothingToMeasure { path: self.model.clone() }.into());
        };
        let data = AdversarialData::of_run(config, &mut Silent)?;
        let count = self.samples.unwrap_or(SAMPLES);
        ProgramError::check_least("--samples", count, 2)?;
        let real = data.held_out(count, &device, folder.config.precision);
        let count = real.labels.len();
        let key = Key::root(config.run.seed).purpose(Purpose::Sample).site("evaluation");
        let labels = drawn_labels(key, 0, count, folder.config.told_classes());
        let made = folder.samples(key, 0, &labels);
        let quality = measure_samples(&real.samples, &made, data.points());
        let features = match &self.features {
            None => None,
            Some(space) => {
                let classifier = ClassifierFolder::load(&ModelFolder::locate(space)?, &device)?;
                let features = FeatureSpace::new(&classifier, &folder.config)?;
                // Every sample needs as many others around it.
                ProgramError::check_least("the number of samples", count, NEIGHBOURS[1] + 1)?;
                Some(in_space(space, &features.rows(&real.samples), &features.rows(&made)))
            }
        };
        let measured =
            Measured { samples: count, energy_distance: quality.energy, modes: quality.modes, features };
        print_report(&measured, self.json, describe)?;
        Ok(Exit::Done)
    }
}

fn in_space(space: &Path, real: &Rows, made: &Rows) -> Features {
    let ManifoldReport { precision, recall, density, coverage } =
        manifold_report(real, made, NEIGHBOURS[0], NEIGHBOURS[1]);
    Features {
        space: space.display().to_string(),
        frechet_distance: frechet_distance(real, made),
        kernel_distance: kernel_distance(real, made),
        precision,
        recall,
        density,
        coverage,
    }
}

fn describe(measured: &Measured) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut rows = vec![
        vec!["samples".to_owned(), format!("{} real, {} made", measured.samples, measured.samples)],
        vec!["energy distance".into(), format!("{:.5}", measured.energy_distance)],
    ];
    if let Some(modes) = &measured.modes {
        rows.push(vec!["modes covered".into(), percent(modes.coverage)]);
        rows.push(vec!["of high quality".into(), percent(modes.high_quality)]);
        let nats = modes.reverse_divergence.map_or("infinite".to_owned(), |nats| format!("{nats:.4} nats"));
        rows.push(vec!["reverse divergence".into(), nats]);
    }
    if let Some(features) = &measured.features {
        rows.push(vec!["in the features of".into(), features.space.clone()]);
        rows.push(vec!["  Fréchet distance".into(), format!("{:.4}", features.frechet_distance)]);
        rows.push(vec!["  kernel distance".into(), format!("{:.5}", features.kernel_distance)]);
        rows.push(vec!["  precision".into(), percent(features.precision)]);
        rows.push(vec!["  recall".into(), percent(features.recall)]);
        rows.push(vec!["  density".into(), format!("{:.3}", features.density)]);
        rows.push(vec!["  coverage".into(), percent(features.coverage)]);
    }
    columns(&rows)
}
