//! `mixlab measure nce`: what rounding takes from the gradient of a contrastive loss.

mod text;

use std::path::PathBuf;

use clap::Args;
use mixlab_measure::check_picture;
use mixlab_measure::nce::{NceOptions, chart, measure_nce};
use mixlab_train::set_threads;

use super::deliver;
use crate::failure::{Exit, Failure};
use crate::progress::Display;

/// What rounding takes from the gradient of a contrastive loss
///
/// One anchor has a positive among K candidates; scores are cosines over the
/// temperature. Naive InfoNCE, InfoNCE in a form in which nothing cancels,
/// and FlatNCE are computed in f32, bf16 and f16: step by step, every result
/// rounded as usual kernels do, and by the kernel of Mixlab. Errors are
/// relative to double precision on the same rounded scores.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab measure nce --batch 64,4096 --temperature 0.05 --chart nce.svg

xi is the sum of e^(s_i - s_t) over the negatives: InfoNCE is log(1 + xi).
Once it is below the precision of the format, 1 + xi is 1.")]
pub struct Nce {
    /// Numbers of candidates, the positive among them, with commas between
    /// them
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "64,512,4096")]
    batch: Vec<usize>,

    /// Temperatures, with commas between them
    #[arg(
        long,
        value_name = "X,...",
        value_delimiter = ',',
        default_value = "0.1,0.05",
        allow_negative_numbers = true
    )]
    temperature: Vec<f64>,

    /// Cosines of the positive, with commas between them; those of negatives
    /// are 0 in the mean
    #[arg(
        long,
        value_name = "X,...",
        value_delimiter = ',',
        default_value = "0.6,0.8,1.0",
        allow_negative_numbers = true
    )]
    gap: Vec<f64>,

    /// Draws of the negatives that errors are means of
    #[arg(long, value_name = "N", default_value_t = NceOptions::default().draws)]
    draws: u64,

    /// Seed of the negatives
    #[arg(long, value_name = "N", default_value_t = NceOptions::default().seed)]
    seed: u64,

    /// Also draw the share that is lost by how far the positive is ahead (SVG)
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Nce {
    pub fn run(self) -> Result<Exit, Failure> {
        if let Some(path) = &self.chart {
            check_picture(path)?;
        }
        set_threads(0);
        let report = Display::during(|display| measure_nce(&self.options(), display))?;
        deliver(&report, self.json, text::text, self.chart.as_deref(), chart)
    }

    fn options(&self) -> NceOptions {
        NceOptions {
            batches: self.batch.clone(),
            temperatures: self.temperature.clone(),
            gaps: self.gap.clone(),
            draws: self.draws,
            seed: self.seed,
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
        verb: Nce,
    }

    #[test]
    fn an_empty_line_asks_for_the_defaults_of_the_library() {
        assert_eq!(Line::parse_from(["nce"]).verb.options(), NceOptions::default());
    }

    #[test]
    fn lists_are_divided_at_commas_and_may_be_negative() {
        let line = ["nce", "--batch", "8,16", "--temperature", "0.5", "--gap", "-0.5"];
        let options = Line::parse_from(line).verb.options();
        assert_eq!(
            (options.batches, options.temperatures, options.gaps),
            (vec![8, 16], vec![0.5], vec![-0.5])
        );
    }
}
