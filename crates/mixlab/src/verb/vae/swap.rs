//! `mixlab vae swap`: one text with some latents of another.

use clap::Args;
use mixlab_train::Latents;
use serde::Serialize;

use super::common::{Decoding, Model, Noted, encode_texts};
use crate::failure::{Failure, ProgramError};

/// Write a text with the latents of another in some layers
///
/// Layers are numbered from 1 for the lowest with a latent. Without --layers
/// every layer is exchanged by itself, each in a line.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab vae swap runs/grammar \"is anna in the garden?\" \\
      \"ben never sells the lamp at the station.\" --layers 3,4")]
pub struct Swap {
    #[command(flatten)]
    model: Model,

    /// The text that keeps the other layers
    text: String,

    /// The text whose latents are taken
    other: String,

    /// Layers that are taken from the other text
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    layers: Vec<usize>,

    #[command(flatten)]
    decoding: Decoding,
}

#[derive(Serialize)]
struct Taken<'a> {
    layers: &'a [usize],
}

impl Swap {
    pub fn run(self) -> Result<(), Failure> {
        let model = self.model.load()?;
        let layers = model.objective.latent.layers;
        if let Some(layer) = self.layers.iter().find(|layer| !(1..=layers).contains(*layer)) {
            return Err(ProgramError::Argument {
                argument: "--layers",
                found: layer.to_string(),
                expected: format!("1 to {layers}, the layers with a latent"),
            }
            .into());
        }
        let both = encode_texts(&model, &[&self.text, &self.other], None)?;
        let (text, other) = (both.select([0]), both.select([1]));
        let choices: Vec<Vec<usize>> = match self.layers.is_empty() {
            true => (1..=layers).map(|layer| vec![layer]).collect(),
            false => vec![self.layers.clone()],
        };
        let taken = |choice: &Vec<usize>| {
            let layers: Vec<usize> = choice.iter().map(|layer| layer - 1).collect();
            text.with_layers_of(&other, &layers)
        };
        let swapped: Vec<Latents> = choices.iter().map(taken).collect();
        let front = |row: usize| match self.layers.is_empty() {
            true => format!("layer {}: ", row + 1),
            false => String::new(),
        };
        let note = |row: usize| Noted { front: front(row), json: Taken { layers: &choices[row] } };
        self.decoding.print(&model, &Latents::joined(&swapped), note)
    }
}
