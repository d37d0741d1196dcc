//! `mixlab vae factors`: which layer carries what, on sentences whose factors are known.

use clap::Args;
use mixlab_measure::latents::{FactorReport, FactorsOptions, measure_factors};

use super::common::Model;
use crate::failure::Failure;
use crate::output::{columns, print_report};
use crate::verb::data::Language;

/// Exchange latents of sentences of the grammar, and see which factors follow
///
/// For a model that was trained on sentences of `mixlab data grammar`. Of pairs
/// of sentences the latents of some layers are taken from the second. The table
/// tells how often form, person, action, object and location are then those of
/// the second sentence, of all pairs that differ in them, and in brackets how
/// often they stay.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab vae factors runs/univae-grammar")]
pub struct Factors {
    #[command(flatten)]
    model: Model,

    /// Language of the sentences
    #[arg(long, value_enum, default_value_t = Language::English)]
    language: Language,

    /// Pairs of sentences
    #[arg(long, value_name = "N", default_value_t = FactorsOptions::default().pairs)]
    pairs: usize,

    /// Sentences of the order that are passed over first: those of the training
    #[arg(long, value_name = "N", default_value_t = FactorsOptions::default().skip)]
    skip: usize,

    /// Which order, as for `mixlab data grammar`
    #[arg(long, value_name = "SEED", default_value_t = FactorsOptions::default().seed)]
    seed: u64,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Factors {
    pub fn run(self) -> Result<(), Failure> {
        let model = self.model.load()?;
        let options = FactorsOptions {
            language: self.language.into(),
            pairs: self.pairs,
            skip: self.skip,
            seed: self.seed,
        };
        let reports = measure_factors(&model, options)?;
        Ok(print_report(&reports, self.json, |reports| describe(reports))?)
    }
}

fn describe(reports: &[FactorReport]) -> String {
    let heads = ["exchanged", "sentences", "form", "person", "action", "object", "location"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for FactorReport { layers, sentences, factors } in reports {
        let layers: Vec<String> = layers.iter().map(usize::to_string).collect();
        let name = if layers.is_empty() { "none".to_owned() } else { layers.join(" ") };
        let percent = |share: f64| format!("{:.0}", 100.0 * share);
        let mut row = vec![name, format!("{} %", percent(*sentences))];
        row.extend(
            factors.iter().map(|shares| format!("{} % ({})", percent(shares.taken), percent(shares.kept))),
        );
        rows.push(row);
    }
    columns(&rows)
}
