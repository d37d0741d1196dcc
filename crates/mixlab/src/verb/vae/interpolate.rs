//! `mixlab vae interpolate`: the texts between two.

use clap::Args;
use serde::Serialize;

use super::common::{Decoding, Model, Noted, encode_texts};
use crate::failure::{Failure, ProgramError};
use crate::output::tell;

/// Write the texts on the way from one text to another
///
/// Every layer goes by itself: directions along a great circle at a constant
/// speed, other latents straight. Opposite directions have no one great circle;
/// they go by the axis that is furthest from both, and that is told.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab vae interpolate runs/grammar \"is anna in the garden?\" \\
      \"ben never sells the lamp at the station.\" --steps 7")]
pub struct Interpolate {
    #[command(flatten)]
    model: Model,

    /// Where the way begins
    from: String,

    /// Where it ends
    to: String,

    /// Number of texts, both ends included
    #[arg(long, value_name = "N", default_value_t = 9)]
    steps: usize,

    #[command(flatten)]
    decoding: Decoding,
}

#[derive(Serialize)]
struct Share {
    share: f64,
}

impl Interpolate {
    pub fn run(self) -> Result<(), Failure> {
        ProgramError::check_least("--steps", self.steps, 2)?;
        let model = self.model.load()?;
        let ends = encode_texts(&model, &[&self.from, &self.to], None)?;
        let (way, arbitrary) = ends.between(0, 1, self.steps);
        if !arbitrary.is_empty() {
            let layers: Vec<String> = arbitrary.iter().map(|layer| (layer + 1).to_string()).collect();
            tell(&format!(
                "note: the latents are opposite in layer {}: of all ways between them one was chosen",
                layers.join(", ")
            ));
        }
        let share = |row: usize| row as f64 / (self.steps - 1) as f64;
        let note = |row: usize| Noted { front: String::new(), json: Share { share: share(row) } };
        self.decoding.print(&model, &way, note)
    }
}
