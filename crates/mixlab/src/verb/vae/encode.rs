//! `mixlab vae encode`: texts to latents.

use std::path::PathBuf;

use clap::Args;
use mixlab_data::{Documents, SentenceNotes};
use mixlab_train::{Draw, EncodedTexts, Interrupt};

use super::common::{Model, tell_notes};
use crate::failure::{Exit, Failure};
use crate::output::tell;
use crate::vectors::{VectorOutput, VectorTarget};
use crate::verb::embed::{next_texts, open_texts};

/// Texts that are read, encoded and written at once.
const WINDOW: usize = 2048;

/// Turn texts into latents
///
/// Row i of the output holds the latents of line or record i, those of the
/// lowest layer first. They lie along the means of the posteriors unless --draw
/// is given. Texts that are too long are cut, and it is told how many.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  mixlab vae encode runs/univae-quatrains poems.txt --out poems.npy
  echo \"is anna in the garden?\" | mixlab vae encode runs/grammar -")]
pub struct Encode {
    #[command(flatten)]
    model: Model,

    /// A text a line, or a field of JSON lines, CSV and Parquet files; - reads
    /// lines from standard input
    file: PathBuf,

    #[command(flatten)]
    target: VectorTarget,

    /// Draw latents from the posteriors instead of taking their means
    #[arg(long)]
    draw: bool,

    /// Seed of the draws
    #[arg(long, requires = "draw", default_value_t = 0)]
    seed: u64,

    /// Draw with another concentration than in the training
    #[arg(long, value_name = "κ", requires = "draw", allow_negative_numbers = true)]
    concentration: Option<f64>,

    /// Field or column of the text in JSON lines, CSV and Parquet files
    #[arg(long, value_name = "NAME", default_value = "text")]
    text_field: String,
}

impl Encode {
    pub fn run(self) -> Result<Exit, Failure> {
        let target = self.target.check()?;
        let model = self.model.load()?;
        let mut texts = open_texts(&self.file, &self.text_field)?;
        let width = model.objective.latent.layers * model.objective.latent.width;
        let mut output = VectorOutput::new(target, width)?;
        let interrupt = if self.target.out.is_some() { Interrupt::on_signals()? } else { Interrupt::new() };
        let (mut rows, mut notes) = (0, SentenceNotes::default());
        loop {
            let window = next_texts(&mut texts, WINDOW)?;
            if window.is_empty() {
                break;
            }
            let draw = Draw { seed: self.seed, concentration: self.concentration, first: rows as u64 };
            let of_window: Documents = window.iter().collect();
            let EncodedTexts { latents, notes: more } =
                model.encode(&of_window, self.draw.then_some(draw))?;
            if interrupt.requested() {
                tell("interrupted: nothing was written");
                return Ok(Exit::Interrupted);
            }
            let texts: Vec<&str> = window.iter().map(String::as_str).collect();
            let values: Vec<f32> = latents.values().iter().map(|&value| value as f32).collect();
            output.write(&texts, &values)?;
            rows += window.len();
            notes = notes + more;
        }
        output.finish()?;
        tell_notes(notes, rows, model.length());
        if let Some(out) = &self.target.out {
            tell(&format!("wrote {}: latents of {rows} texts, {width} numbers each", out.display()));
        }
        Ok(Exit::Done)
    }
}
