//! `mixlab measure`: what something takes on this machine.

mod breakeven;
mod chunks;
mod decode;
mod depth;
mod lipschitz;
mod nce;
mod sentences;
mod step;
mod turns;

use std::path::Path;

use clap::{Args, Subcommand};
use mixlab_measure::{PictureError, write_picture};
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::output::{print_report, tell};

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
    Nce(nce::Nce),
    Chunks(chunks::Chunks),
    Sentences(sentences::Sentences),
    Lipschitz(lipschitz::Lipschitz),
    Turns(turns::Turns),
}

impl Measure {
    pub fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::Step(step) => step.run(),
            Action::Decode(decode) => decode.run(),
            Action::Breakeven(breakeven) => breakeven.run(),
            Action::Depth(depth) => depth.run(),
            Action::Nce(nce) => nce.run(),
            Action::Chunks(chunks) => chunks.run(),
            Action::Sentences(sentences) => sentences.run(),
            Action::Lipschitz(lipschitz) => lipschitz.run(),
            Action::Turns(turns) => turns.run(),
        }
    }
}

/// Prints a report, and then draws it if a picture was asked for: a full disk must not take the numbers with it.
fn deliver<R: Serialize>(
    report: &R,
    json: bool,
    text: impl FnOnce(&R) -> String,
    picture: Option<&Path>,
    draw: impl FnOnce(&R) -> Result<String, PictureError>,
) -> Result<Exit, Failure> {
    print_report(report, json, text)?;
    if let Some(path) = picture {
        write_picture(path, &draw(report)?)?;
        tell(&format!("wrote {}", path.display()));
    }
    Ok(Exit::Done)
}
