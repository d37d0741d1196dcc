//! `mixlab vae neighbours`: texts like one.

use clap::Args;
use mixlab_train::Draw;

use super::common::{Decoding, Model, Noted, encode_texts};
use crate::failure::{Failure, ProgramError};

/// Write texts whose latents lie around those of a text
///
/// Latents are drawn from the posteriors of the text. The lower the
/// concentration, the further away.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab vae neighbours runs/grammar \"is anna in the garden?\" \\
      --count 5 --concentration 10")]
pub struct Neighbours {
    #[command(flatten)]
    model: Model,

    /// The text
    text: String,

    /// Number of texts
    #[arg(long, value_name = "N", default_value_t = 10)]
    count: usize,

    /// Concentration around the text; that of the training if absent
    #[arg(long, value_name = "κ", allow_negative_numbers = true)]
    concentration: Option<f64>,

    #[command(flatten)]
    decoding: Decoding,
}

impl Neighbours {
    pub fn run(self) -> Result<(), Failure> {
        ProgramError::check_least("--count", self.count, 1)?;
        let model = self.model.load()?;
        let draw = Draw { seed: self.decoding.seed, concentration: self.concentration, first: 0 };
        let latents = encode_texts(&model, &vec![self.text.as_str(); self.count], Some(draw))?;
        self.decoding.print(&model, &latents, Noted::none)
    }
}
