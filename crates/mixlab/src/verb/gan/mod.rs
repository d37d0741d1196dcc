//! `mixlab gan`: a trained generator in use.

mod sample;

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};

/// Make samples with a generator
#[derive(Debug, Args)]
pub struct Gan {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Sample(sample::Sample),
}

impl Gan {
    pub fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::Sample(action) => action.run()?,
        }
        Ok(Exit::Done)
    }
}
