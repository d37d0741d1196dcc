//! `mixlab audit --cached-gradients`: a batch in chunks has the gradient of the whole.

use std::path::PathBuf;

use mixlab_measure::audit::{CachedGradientsReport, audit_cached_gradients};
use mixlab_train::{Config, ModelFolder, read_run_config, set_threads};

use super::Audit;
use crate::arguments::{ConfigSource, Overrides};
use crate::failure::{Exit, Failure};
use crate::input::read_config;
use crate::output::{columns, print_report};
use crate::progress::Display;

impl Audit {
    pub(super) fn run_cached_gradients(&self) -> Result<Exit, Failure> {
        let config = self.contrastive_config()?;
        set_threads(config.run.threads);
        let report = Display::during(|display| audit_cached_gradients(&config, display))?;
        print_report(&report, self.json, text)?;
        Ok(if report.holds() { Exit::Done } else { Exit::Negative })
    }

    /// Of a run its config, with the values that its model has now.
    fn contrastive_config(&self) -> Result<Config, Failure> {
        let sets = Overrides { sets: self.sets.sets.clone() };
        let mut config = match self.sources.as_slice() {
            [run] if run.is_dir() => {
                let mut config = read_run_config(run)?;
                let model: PathBuf = ModelFolder::locate(run)?;
                config.model.init_from = Some(model.display().to_string());
                config
            }
            files => read_config(&ConfigSource { files: files.to_vec(), sets })?.value,
        };
        config.run.device = self.device.unwrap_or(config.run.device);
        Ok(config)
    }
}

fn text(report: &CachedGradientsReport) -> String {
    let number = |gap: Option<f64>| gap.map_or("–".to_owned(), |gap| format!("{gap:.1e}"));
    let loss = |loss: Option<f64>| loss.map_or("–".to_owned(), |loss| format!("{loss:.6}"));
    let micro = report.micro_batch.map_or("–".to_owned(), |size| format!("batches of {size}"));
    let chunks = format!("{} rows at a time", report.chunk);
    let mut rows = vec![vec!["largest difference".to_owned(), chunks, micro]];
    let row = |gap: &mixlab_measure::audit::ParameterGap| {
        vec![gap.parameter.clone(), number(Some(gap.cached)), number(gap.naive)]
    };
    rows.extend(report.parameters.iter().map(row));
    let [whole, cached, naive] = report.losses;
    let losses = format!("loss of all {}: {}", report.batch, loss(whole));
    rows.push(vec![losses, loss(cached), loss(naive)]);
    let verdict = match report.holds() {
        true => "the gradient in chunks is that of the whole batch",
        false => "the gradient in chunks is NOT that of the whole batch",
    };
    format!("{}\n{verdict}\n", columns(&rows))
}
