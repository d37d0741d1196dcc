//! `mixlab measure decode`: what a token takes while a text grows.

use clap::Args;
use mixlab_measure::decode::{DecodeOptions, DecodeReport, measure_decode};
use mixlab_train::set_threads;

use crate::arguments::ConfigSource;
use crate::failure::{Exit, Failure};
use crate::input::read_config;
use crate::output::{columns, print_report};
use crate::progress::Display;

/// Time token after token, to see what a growing text costs
///
/// Builds the model of a config with its first values, which take as long as
/// trained ones, and lets it write greedily. The text is cut into windows.
/// In turn with each of them the first is written again, so that a change of
/// the machine's speed meets both: "over first" is the ratio of their times,
/// 1 throughout for a mixer with a state of constant size.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab measure decode configs/bench/flash-4096.toml --tokens 50000")]
pub struct Decode {
    #[command(flatten)]
    source: ConfigSource,

    /// Tokens before the clock starts
    #[arg(long, value_name = "N", default_value_t = DecodeOptions::default().warm_up)]
    warm_up: usize,

    /// Length of the text at the end
    #[arg(long, value_name = "N", default_value_t = DecodeOptions::default().tokens)]
    tokens: usize,

    /// Windows the text is cut into
    #[arg(long, value_name = "N", default_value_t = DecodeOptions::default().windows)]
    windows: usize,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Decode {
    pub fn run(self) -> Result<Exit, Failure> {
        let config = read_config(&self.source)?;
        set_threads(config.value.run.threads);
        let options = DecodeOptions { warm_up: self.warm_up, tokens: self.tokens, windows: self.windows };
        let report = Display::during(|display| measure_decode(&config.value, options, display))?;
        print_report(&report, self.json, text)?;
        Ok(Exit::Done)
    }
}

fn text(report: &DecodeReport) -> String {
    let row = |tokens: String, rate: f64, over: String| vec![tokens, format!("{rate:>8.0}  {over:>10}")];
    let mut rows = vec![vec!["tokens".to_owned(), "tokens/s  over first".to_owned()]];
    rows.extend(report.windows.iter().map(|window| {
        let over = format!("{:.3}", window.time_over_first);
        row(format!("{} to {}", window.start, window.end), window.tokens_per_second, over)
    }));
    rows.push(row("all".to_owned(), report.tokens_per_second, String::new()));
    rows.extend(report.peak_rss_mib.map(|mib| vec!["peak memory".to_owned(), format!("{mib:.0} MiB")]));
    columns(&rows)
}
