//! One verb, one file: what may be typed for it, and what it does.

pub mod audit;
pub mod blocks;
pub mod compare;
pub mod completions;
pub mod config;
pub mod data;
pub mod embed;
pub mod eval;
pub mod export;
pub mod gan;
pub mod generate;
pub mod import;
pub mod measure;
pub mod new;
pub mod plan;
pub mod resume;
pub mod search;
pub mod sweep;
pub mod tokenizer;
pub mod train;
pub mod vae;

use crate::arguments::{Arguments, Verb};
use crate::failure::{Exit, Failure};

/// Does what was asked.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.verb {
        Verb::New(verb) => verb.run(),
        Verb::Train(verb) => verb.run(),
        Verb::Resume(verb) => verb.run(),
        Verb::Eval(verb) => verb.run(),
        Verb::Generate(verb) => verb.run(),
        Verb::Embed(verb) => verb.run(),
        Verb::Search(verb) => verb.run(),
        Verb::Vae(verb) => verb.run(),
        Verb::Gan(verb) => verb.run(),
        Verb::Import(verb) => verb.run(),
        Verb::Export(verb) => verb.run(),
        Verb::Plan(verb) => verb.run(),
        Verb::Measure(verb) => verb.run(),
        Verb::Tokenizer(verb) => verb.run(),
        Verb::Config(verb) => verb.run(),
        Verb::Data(verb) => verb.run(),
        Verb::Blocks(verb) => verb.run(),
        Verb::Audit(verb) => verb.run(),
        Verb::Sweep(verb) => verb.run(),
        Verb::Compare(verb) => verb.run(),
        Verb::Completions(verb) => verb.run(),
    }
}
