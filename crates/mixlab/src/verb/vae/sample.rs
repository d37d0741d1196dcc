//! `mixlab vae sample`: texts from nothing.

use clap::Args;
use mixlab_train::Latents;

use super::common::{Decoding, Model, Noted};
use crate::failure::{Failure, ProgramError};

/// Write texts from latents drawn at random
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab vae sample runs/univae-quatrains --count 5 --seed 3")]
pub struct Sample {
    #[command(flatten)]
    model: Model,

    /// Number of texts
    #[arg(long, value_name = "N", default_value_t = 10)]
    count: usize,

    #[command(flatten)]
    decoding: Decoding,
}

impl Sample {
    pub fn run(self) -> Result<(), Failure> {
        ProgramError::check_least("--count", self.count, 1)?;
        let model = self.model.load()?;
        let (latent, posterior) = (&model.objective.latent, &model.objective.posterior);
        let latents = Latents::from_prior(latent, posterior, self.count, self.decoding.seed);
        self.decoding.print(&model, &latents, Noted::none)
    }
}
