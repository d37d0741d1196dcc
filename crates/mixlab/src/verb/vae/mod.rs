//! `mixlab vae`: a trained text VAE in use.

mod common;
mod decode;
mod encode;
mod factors;
mod interpolate;
mod map;
mod neighbours;
mod reconstruct;
mod sample;
mod swap;

use clap::{Args, Subcommand};

pub use common::tell_notes;

use crate::failure::{Exit, Failure};

/// Write texts from latents, and turn texts into latents, with a text VAE
///
/// A sentence has a latent at each upper layer of the model. They can be drawn,
/// taken from sentences, mixed and written down; a sentence is written from them.
#[derive(Debug, Args)]
pub struct Vae {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Sample(sample::Sample),
    Encode(encode::Encode),
    Decode(decode::Decode),
    Reconstruct(reconstruct::Reconstruct),
    Interpolate(interpolate::Interpolate),
    Swap(swap::Swap),
    Neighbours(neighbours::Neighbours),
    Factors(factors::Factors),
    Map(map::Map),
}

impl Vae {
    pub fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::Sample(action) => action.run()?,
            Action::Encode(action) => return action.run(),
            Action::Decode(action) => action.run()?,
            Action::Reconstruct(action) => action.run()?,
            Action::Interpolate(action) => action.run()?,
            Action::Swap(action) => action.run()?,
            Action::Neighbours(action) => action.run()?,
            Action::Factors(action) => action.run()?,
            Action::Map(action) => action.run()?,
        }
        Ok(Exit::Done)
    }
}
