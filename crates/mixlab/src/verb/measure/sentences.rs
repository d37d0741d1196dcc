//! `mixlab measure sentences`: what writing from latents takes.

use clap::Args;
use mixlab_measure::sentences::{SentencesOptions, SentencesPoint, measure_sentences};
use mixlab_train::set_threads;

use crate::arguments::ConfigSource;
use crate::failure::{Exit, Failure};
use crate::input::read_config;
use crate::output::{columns, print_report};
use crate::progress::Display;

/// Time sentences of a text VAE with and without a cache
///
/// Builds the model of a config with its first values, which take as long as
/// trained ones, and lets it write from latents: with the keys and values of
/// earlier tokens at hand, and by computing every prefix again, in turn.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab measure sentences configs/univae-quatrains.toml \\
      --set model.max_length=64 --tokens 64")]
pub struct Sentences {
    #[command(flatten)]
    source: ConfigSource,

    /// Numbers of sentences that are written at once, with commas between them
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "1,64")]
    sentences: Vec<usize>,

    /// Tokens of each; as many as the model is made for if absent
    #[arg(long, value_name = "N")]
    tokens: Option<usize>,

    /// How often each is timed
    #[arg(long, value_name = "N", default_value_t = SentencesOptions::default().rounds)]
    rounds: usize,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Sentences {
    pub fn run(self) -> Result<Exit, Failure> {
        let config = read_config(&self.source)?;
        set_threads(config.value.run.threads);
        let options =
            SentencesOptions { sentences: self.sentences.clone(), tokens: self.tokens, rounds: self.rounds };
        let points = Display::during(|display| measure_sentences(&config.value, &options, display))?;
        print_report(&points, self.json, |points| text(points))?;
        Ok(Exit::Done)
    }
}

fn text(points: &[SentencesPoint]) -> String {
    let heads = ["sentences", "tokens", "cached, ms", "recomputed, ms", "times as fast"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(points.iter().map(|point| {
        vec![
            point.sentences.to_string(),
            point.tokens.to_string(),
            format!("{:.1}", point.cached_ms),
            format!("{:.1}", point.recomputed_ms),
            format!("{:.1} ({:.1}–{:.1})", point.ratio, point.range[0], point.range[1]),
        ]
    }));
    columns(&rows)
}
