//! `mixlab measure`: what something takes on this machine.

mod breakeven;
mod decode;
mod depth;
mod step;

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};

/// Measure what a config takes on this machine
#[derive(Debug, Args)]
pub struct Measure {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Step(step::Step),
    Decode(decode::Decode),
    Breakeven(breakeven::Breakeven),
    Depth(depth::Depth),
}

impl Measure {
    pub fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::Step(step) => step.run(),
            Action::Decode(decode) => decode.run(),
            Action::Breakeven(breakeven) => breakeven.run(),
            Action::Depth(depth) => depth.run(),
        }
    }
}
