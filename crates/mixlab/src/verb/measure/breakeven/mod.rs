//! `mixlab measure breakeven`: from which length a mixer is cheaper than softmax attention.

mod text;

use std::path::PathBuf;

use clap::Args;
use mixlab_measure::breakeven::{BreakevenOptions, MeasureOptions, chart, measure_breakeven};
use mixlab_measure::check_picture;
use mixlab_train::set_threads;

use super::deliver;
use crate::arguments::DeviceOption;
use crate::failure::{Exit, Failure};
use crate::progress::Display;

/// From which length a mixer is cheaper than softmax attention
///
/// Four views side by side: the published formula, exact counts of
/// multiply-adds, measured time, and measured memory. One block of each mixer
/// is run forward and backward, the mixers in turn, so that a change of the
/// machine's speed meets all of them. Memory is what the forward pass leaves
/// for the backward pass. Close other programs.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab measure breakeven --width 768 --heads 12 --causal --chart time.svg
  mixlab measure breakeven --width 12288 --heads 96 --no-time

Softmax attention is computed in tiles and keeps no scores. Attention that
stores them is in the table of memory by its formula.")]
pub struct Breakeven {
    /// Width of the model
    #[arg(long, value_name = "N", default_value_t = BreakevenOptions::default().width)]
    width: usize,

    /// Heads, for mixers that have them
    #[arg(long, value_name = "N", default_value_t = BreakevenOptions::default().heads)]
    heads: usize,

    /// Lengths to measure, with commas between them
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "128,256,512,1024,2048,4096")]
    lengths: Vec<usize>,

    /// Let a token see only itself and earlier ones
    #[arg(long)]
    causal: bool,

    /// Mixers to compare, with commas between them; all of `mixlab blocks list`
    /// if absent
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    mixers: Vec<String>,

    /// Passes that are timed
    #[arg(long, value_name = "N", default_value_t = MeasureOptions::default().rounds)]
    rounds: usize,

    /// Tokens in a pass, as nearly as whole rows allow; the longest length if
    /// absent
    #[arg(long, value_name = "N")]
    batch_tokens: Option<usize>,

    /// Formulas and counts only, measure nothing
    #[arg(long, conflicts_with_all = ["rounds", "batch_tokens", "chart"])]
    no_time: bool,

    /// Also draw the time of a token by length (SVG)
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceOption,
}

impl Breakeven {
    pub fn run(self) -> Result<Exit, Failure> {
        if let Some(path) = &self.chart {
            check_picture(path)?;
        }
        set_threads(0);
        let report = Display::during(|display| measure_breakeven(&self.options(), display))?;
        deliver(&report, self.json, text::text, self.chart.as_deref(), chart)
    }

    fn options(&self) -> BreakevenOptions {
        let measure = MeasureOptions {
            rounds: self.rounds,
            batch_tokens: self.batch_tokens,
            device: self.device.device,
        };
        BreakevenOptions {
            width: self.width,
            heads: self.heads,
            lengths: self.lengths.clone(),
            causal: self.causal,
            mixers: self.mixers.clone(),
            measure: (!self.no_time).then_some(measure),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        verb: Breakeven,
    }

    #[test]
    fn an_empty_line_asks_for_the_defaults_of_the_library() {
        assert_eq!(Line::parse_from(["breakeven"]).verb.options(), BreakevenOptions::default());
    }

    #[test]
    fn lists_are_divided_at_commas() {
        let line = ["breakeven", "--lengths", "8,16", "--mixers", "gau,flash", "--no-time"];
        let options = Line::parse_from(line).verb.options();
        assert_eq!((options.lengths, options.measure), (vec![8, 16], None));
        assert_eq!(options.mixers, ["gau", "flash"]);
    }
}
