//! `mixlab measure chunks`: what a contrastive batch costs in chunks.

use clap::Args;
use mixlab_measure::chunks::{ChunkPoint, ChunksOptions, ChunksReport, measure_chunks};
use mixlab_train::set_threads;

use crate::arguments::ConfigSource;
use crate::failure::{Exit, Failure};
use crate::input::read_config;
use crate::output::{columns, print_report};
use crate::progress::Display;

/// Time the gradient of a contrastive batch in chunks, beside the whole batch
///
/// The gradient is the same in any chunks; what they save in memory they cost
/// in time. Sizes take turns. Theory is 4/3 - b/(3B) for chunks of b of B
/// rows: all but the last go forward twice. Close other programs.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab measure chunks configs/verse-pairs.toml --chunks 32,64")]
pub struct Chunks {
    #[command(flatten)]
    source: ConfigSource,

    /// Rows of the chunks; halves of the batch and the config's chunk if absent
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    chunks: Vec<std::num::NonZeroUsize>,

    /// Rounds, in each of which every size is timed once
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Chunks {
    pub fn run(self) -> Result<Exit, Failure> {
        let config = read_config(&self.source)?;
        set_threads(config.value.run.threads);
        let sizes = self.chunks.iter().map(|size| size.get()).collect();
        let options = ChunksOptions { sizes, rounds: self.rounds.into() };
        let report = Display::during(|display| measure_chunks(&config.value, &options, display))?;
        print_report(&report, self.json, text)?;
        Ok(Exit::Done)
    }
}

fn text(report: &ChunksReport) -> String {
    let heading = ["rows at once", "     ms", "ratio", "       range", "theory", "    MiB"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(report.points.iter().map(|point| {
        let &ChunkPoint { chunk, milliseconds, ratio, range: [least, most], theory, mib } = point;
        vec![
            if chunk == report.rows { "all".to_owned() } else { chunk.to_string() },
            format!("{milliseconds:7.1}"),
            format!("{ratio:5.2}"),
            format!("{:>12}", format!("{least:.2} to {most:.2}")),
            format!("{theory:6.2}"),
            mib.map_or(String::new(), |mib| format!("{mib:7.1}")),
        ]
    }));
    format!("one gradient of {} examples, {} rows\n{}", report.examples, report.rows, columns(&rows))
}
