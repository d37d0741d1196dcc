//! `mixlab measure step`: what an update takes.

use clap::Args;
use mixlab_measure::step::{OperationShare, PassShare, StepOptions, StepReport, measure_step};
use mixlab_train::set_threads;

use crate::arguments::ConfigSource;
use crate::failure::{Exit, Failure};
use crate::input::read_config;
use crate::output::{columns, print_report};
use crate::progress::Display;

/// Time one update, beside the arithmetic in it
///
/// Makes updates as `train` would and keeps nothing. The arithmetic is
/// counted: two operations for each multiply-add of the products, causal
/// halves left out, the backward pass twice the forward one. The ceiling is
/// the fastest matrix product of the same process. Close other programs.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab measure step configs/quickstart.toml --rounds 20 --json")]
pub struct Step {
    #[command(flatten)]
    source: ConfigSource,

    /// Updates before the clock starts
    #[arg(long, value_name = "N", default_value_t = StepOptions::default().warm_up)]
    warm_up: u64,

    /// Updates that are timed
    #[arg(long, value_name = "N", default_value_t = StepOptions::default().rounds,
          value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,

    /// Split the update by operation, forward and backward, with the bytes
    /// each one moves
    #[arg(long)]
    profile: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Step {
    pub fn run(self) -> Result<Exit, Failure> {
        let config = read_config(&self.source)?;
        set_threads(config.value.run.threads);
        let options = StepOptions { warm_up: self.warm_up, rounds: self.rounds, profile: self.profile };
        let report = Display::during(|display| measure_step(&config.value, options, display))?;
        print_report(&report, self.json, text)?;
        Ok(Exit::Done)
    }
}

fn text(report: &StepReport) -> String {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        row(
            "update",
            format!(
                "{:.1} ms median of {}, {:.1} to {:.1}",
                report.median_ms, report.rounds, report.min_ms, report.max_ms
            ),
        ),
        row("speed", format!("{:.0} tokens/s", report.tokens_per_second)),
    ];
    rows.extend(report.peak_rss_mib.map(|mib| row("peak memory", format!("{mib:.0} MiB"))));
    rows.extend(report.page_faults.map(|faults| row("page faults", format!("{faults:.0} an update"))));
    rows.extend([
        row("parameters", report.parameters.to_string()),
        row("arithmetic", format!("{:.1} GFLOP an update", report.gigaoperations)),
        row(
            "rate",
            format!(
                "{:.0} GFLOP/s, {:.0} % of the {:.0} of a matrix product",
                report.gflops,
                100.0 * report.share_of_ceiling,
                report.ceiling_gflops
            ),
        ),
    ]);
    let mut text = columns(&rows);
    if let Some(passes) = &report.profile {
        text.push('\n');
        text.push_str(&profile(passes));
    }
    text
}

/// The operations of every pass with their share of the update.
fn profile(passes: &[PassShare]) -> String {
    let total: f64 = passes.iter().map(|pass| pass.milliseconds).sum();
    let number = |number: Option<f64>| number.map_or(String::new(), |number| format!("{number:.1}"));
    let row = |name: String, calls: String, ms: f64, megabytes: Option<f64>, rate: Option<f64>| {
        let (share, megabytes, rate) =
            (format!("{:.1}", 100.0 * ms / total), number(megabytes), number(rate));
        vec![name, format!("{calls:>5}  {ms:>8.2}  {share:>5}  {megabytes:>8}  {rate:>6}")]
    };
    let operation = |o: &OperationShare| {
        let calls = if o.calls > 0.0 { format!("{:.0}", o.calls) } else { String::new() };
        row(format!("  {}", o.operation), calls, o.milliseconds, o.megabytes, o.gigabytes_per_second())
    };
    let mut rows = vec![vec!["pass".to_owned(), "calls        ms      %        MB    GB/s".to_owned()]];
    for pass in passes {
        rows.push(row(pass.pass.to_owned(), String::new(), pass.milliseconds, None, None));
        rows.extend(pass.operations.iter().map(operation));
    }
    columns(&rows)
}
