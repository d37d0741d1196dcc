//! `mixlab vae decode`: latents to texts.

use std::path::PathBuf;

use clap::Args;
use mixlab_data::read_vectors;
use mixlab_train::Latents;

use super::common::{Decoding, Model, Noted};
use crate::failure::Failure;

/// Write a text from each row of latents
///
/// A row holds the numbers of all layers, those of the lowest first. Of latents
/// that are directions the length does not matter.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab vae encode runs/univae-quatrains poems.txt --out poems.npy
  mixlab vae decode runs/univae-quatrains poems.npy")]
pub struct Decode {
    #[command(flatten)]
    model: Model,

    /// Latents: .npy, .npz, .jsonl or .parquet
    file: PathBuf,

    #[command(flatten)]
    decoding: Decoding,
}

impl Decode {
    pub fn run(self) -> Result<(), Failure> {
        let model = self.model.load()?;
        let vectors = read_vectors(&self.file)?;
        let values = vectors.values.iter().map(|&value| f64::from(value)).collect();
        let objective = &model.objective;
        let latents = Latents::new(&objective.latent, &objective.posterior, vectors.rows(), values)?;
        self.decoding.print(&model, &latents, Noted::none)
    }
}
