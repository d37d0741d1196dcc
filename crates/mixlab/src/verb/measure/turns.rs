//! `mixlab measure turns`: what an update of each player takes.

use clap::Args;
use mixlab_measure::turns::{Turn, TurnsOptions, TurnsReport, measure_turns};
use mixlab_train::set_threads;

use crate::arguments::ConfigSource;
use crate::failure::{Exit, Failure};
use crate::input::read_config;
use crate::output::{columns, print_report};
use crate::progress::Display;

/// Time an update of a critic, and of its generator
///
/// Makes updates of an adversarial run as `train` would and keeps nothing. Each
/// turn is timed with all that is in it: samples, gradients, optimiser, and what
/// the constraint does to the weights. Close other programs.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab measure turns configs/gan-ring.toml --rounds 50")]
pub struct Turns {
    #[command(flatten)]
    source: ConfigSource,

    /// Rounds before the clock starts
    #[arg(long, value_name = "N", default_value_t = TurnsOptions::default().warm_up)]
    warm_up: u64,

    /// Rounds that are timed
    #[arg(long, value_name = "N", default_value_t = TurnsOptions::default().rounds,
          value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Turns {
    pub fn run(self) -> Result<Exit, Failure> {
        let config = read_config(&self.source)?;
        set_threads(config.value.run.threads);
        let options = TurnsOptions { warm_up: self.warm_up, rounds: self.rounds };
        let report = Display::during(|display| measure_turns(&config.value, options, display))?;
        print_report(&report, self.json, text)?;
        Ok(Exit::Done)
    }
}

fn text(report: &TurnsReport) -> String {
    let row = |name: &str, turn: &Turn| {
        let least = turn.all_ms.iter().copied().fold(f64::INFINITY, f64::min);
        let most = turn.all_ms.iter().copied().fold(0.0, f64::max);
        let count = turn.all_ms.len();
        vec![name.to_owned(), format!("{:.2} ms median of {count}, {least:.2} to {most:.2}", turn.median_ms)]
    };
    columns(&[row("critic", &report.critic), row("generator", &report.generator)])
}
