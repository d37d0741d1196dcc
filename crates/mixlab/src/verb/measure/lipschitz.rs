//! `mixlab measure lipschitz`: how steep a trained critic is.

use std::path::PathBuf;

use clap::Args;
use mixlab_measure::check_picture;
use mixlab_measure::lipschitz::{
    LipschitzOptions, LipschitzReport, PlaceReport, Quantiles, chart, measure_lipschitz,
};
use mixlab_train::set_threads;

use super::deliver;
use crate::failure::{Exit, Failure};
use crate::output::columns;
use crate::progress::Display;

/// How steep a trained critic is
///
/// The slope almost everywhere, and secants between points at several distances,
/// of what the constraint makes of the critic: on real samples, on made ones and
/// between them. A normalised critic keeps the first below 1 and jumps at kinks,
/// which only the second shows.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab measure lipschitz runs/gan-ring --chart lipschitz.svg")]
pub struct Lipschitz {
    /// A run folder
    run: PathBuf,

    /// Samples of each kind
    #[arg(long, value_name = "N", default_value_t = LipschitzOptions::default().samples)]
    samples: usize,

    /// Radii of the secants in units of the samples, with commas between them
    #[arg(long, value_name = "R,...", value_delimiter = ',', default_value = "0.0001,0.001,0.01,0.05,0.1,1")]
    radii: Vec<f64>,

    /// Seed of samples and directions
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Also draw the secants and the critic over the run (SVG)
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Lipschitz {
    pub fn run(self) -> Result<Exit, Failure> {
        if let Some(path) = &self.chart {
            check_picture(path)?;
        }
        set_threads(0);
        let options = LipschitzOptions { samples: self.samples, radii: self.radii.clone(), seed: self.seed };
        let report = Display::during(|display| measure_lipschitz(&self.run, &options, display))?;
        deliver(&report, self.json, text, self.chart.as_deref(), chart)
    }
}

fn text(report: &LipschitzReport) -> String {
    let kind = if report.piecewise_linear { "linear between kinks" } else { "smooth" };
    let mut text = format!("constraint {}, critic {kind}\n\n", report.constraint);
    let head = |first: &str| {
        [first, "least", "10 %", "median", "90 %", "greatest", "above 1"].map(str::to_owned).to_vec()
    };
    let mut rows = vec![head("slope almost everywhere")];
    rows.extend(report.places.iter().map(|place| row(place.place, &place.slopes, None)));
    rows.push(head("of the critic itself"));
    rows.extend(report.places.iter().map(|place| row(place.place, &place.critic_slopes, None)));
    rows.push(head("secant over a radius"));
    for place in &report.places {
        rows.extend(secants(place));
    }
    text.push_str(&columns(&rows));
    let mut layers = vec![vec!["largest singular value".to_owned(), String::new()]];
    layers.extend(report.layers.iter().map(|layer| vec![layer.path.clone(), number(layer.norm)]));
    layers.push(vec!["product".to_owned(), number(report.product)]);
    text + "\n" + &columns(&layers)
}

fn secants(place: &PlaceReport) -> impl Iterator<Item = Vec<String>> {
    place.secants.iter().map(|secant| {
        let name = format!("{}, {}", place.place, secant.radius);
        row(&name, &secant.slopes, Some(secant.above_one))
    })
}

fn row(name: &str, quantiles: &Quantiles, above: Option<f64>) -> Vec<String> {
    let Quantiles { least, tenth, median, ninetieth, greatest } = *quantiles;
    let above = above.map_or_else(String::new, |share| format!("{:.1} %", 100.0 * share));
    let numbers = [least, tenth, median, ninetieth, greatest].map(number);
    [format!("  {name}")].into_iter().chain(numbers).chain([above]).collect()
}

/// Four digits that count, whatever the size.
fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e5).contains(&value.abs()) {
        format!("{value:.4}")
    } else {
        format!("{value:.2e}")
    }
}
