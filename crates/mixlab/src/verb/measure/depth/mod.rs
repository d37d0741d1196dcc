//! `mixlab measure depth`: which residual scheme stays trainable at which depth.

mod text;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mixlab_measure::check_picture;
use mixlab_measure::depth::{DepthOptions, Scheme, chart, measure_depth};
use mixlab_nn::residual::UpdateKind;
use mixlab_train::set_threads;

use super::deliver;
use crate::arguments::ConfigSource;
use crate::failure::{Exit, Failure};
use crate::input::read_config;
use crate::progress::Display;

/// Which residual scheme stays trainable at which depth
///
/// The blocks of the config are stacked to several depths between a frozen
/// embedding and a frozen projection, on random tokens. For every scheme and
/// optimiser: how far one update, and several, move the output, with norms
/// frozen and trained. What grows with depth diverges at depth. The config's
/// own depth and residual scheme are not looked at.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab measure depth configs/depth.toml --depths 6,24,96 --chart depth.svg
  mixlab measure depth configs/depth.toml --schemes deep_norm,post_norm --rates 30")]
pub struct Depth {
    #[command(flatten)]
    source: ConfigSource,

    /// Numbers of blocks, with commas between them
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "6,12,24,48,96")]
    depths: Vec<usize>,

    /// Residual schemes, with commas between them; all of `mixlab blocks list`
    /// if absent. Constants for an optimiser are named as in
    /// scaled_post_norm:adam
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    schemes: Vec<String>,

    /// Optimisers, with commas between them; the advice is for the first
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_enum, default_value = "sgd,adam,lamb")]
    optimizers: Vec<OptimizerName>,

    /// Updates after which movements are measured, beside the first
    #[arg(long, value_name = "N", default_value_t = DepthOptions::default().steps)]
    steps: u64,

    /// Seeds that figures are means of
    #[arg(long, value_name = "N", default_value_t = DepthOptions::default().seeds)]
    seeds: u64,

    /// Rows of the batch
    #[arg(long, value_name = "N", default_value_t = DepthOptions::default().batch[0])]
    rows: usize,

    /// Tokens of a row
    #[arg(long, value_name = "N", default_value_t = DepthOptions::default().batch[1])]
    length: usize,

    /// Also look for the largest learning rate at which the blocks learn their
    /// batch in N updates, 30 for example
    #[arg(long, value_name = "N")]
    rates: Option<u64>,

    /// Also draw the movement of one update by depth (SVG)
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Optimisers by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OptimizerName {
    Sgd,
    Adam,
    Lamb,
}

impl From<OptimizerName> for UpdateKind {
    fn from(name: OptimizerName) -> Self {
        match name {
            OptimizerName::Sgd => UpdateKind::Sgd,
            OptimizerName::Adam => UpdateKind::Adam,
            OptimizerName::Lamb => UpdateKind::Lamb,
        }
    }
}

impl Depth {
    pub fn run(self) -> Result<Exit, Failure> {
        if let Some(path) = &self.chart {
            check_picture(path)?;
        }
        let config = read_config(&self.source)?.value;
        config.model.validate()?;
        let mut options = self.options()?;
        options.device = config.run.device;
        set_threads(config.run.threads);
        let report = Display::during(|display| {
            measure_depth(&config.model, config.objective.is_causal(), &options, display)
        })?;
        deliver(&report, self.json, text::text, self.chart.as_deref(), chart)
    }

    fn options(&self) -> Result<DepthOptions, Failure> {
        let named: Vec<Scheme> = self.schemes.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
        let defaults = DepthOptions::default();
        Ok(DepthOptions {
            depths: self.depths.clone(),
            schemes: if named.is_empty() { defaults.schemes } else { named },
            optimizers: self.optimizers.iter().copied().map(UpdateKind::from).collect(),
            steps: self.steps,
            seeds: self.seeds,
            batch: [self.rows, self.length],
            rates: self.rates,
            device: defaults.device,
        })
    }
}
