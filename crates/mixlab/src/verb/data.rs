//! `mixlab data`: data made up for a purpose.

use std::io::{self, BufWriter, Write};

use clap::{Args, Subcommand, ValueEnum};
use mixlab_data::{Grammar as Sentences, GrammarLanguage};

use crate::failure::{Exit, Failure, ProgramError};

/// Make up data
#[derive(Debug, Args)]
pub struct Data {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Grammar(Grammar),
}

/// Print sentences of a small grammar, with what decided each
///
/// One JSON object a line: the text, the number of its form, person, action,
/// object and location. There are 524,288 different sentences (19 bits); the
/// seed decides their order, so that parts of it share no sentence.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  mixlab data grammar --count 20000 > train.jsonl
  mixlab data grammar --skip 20000 --count 1000 > held-out.jsonl")]
struct Grammar {
    /// Language of the sentences
    #[arg(long, value_enum, default_value_t = Language::English)]
    language: Language,

    /// Number of sentences
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    count: usize,

    /// Sentences of the order that are passed over first
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: usize,

    /// Which order
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Language {
    English,
    Chinese,
}

impl From<Language> for GrammarLanguage {
    fn from(language: Language) -> Self {
        match language {
            Language::English => GrammarLanguage::English,
            Language::Chinese => GrammarLanguage::Chinese,
        }
    }
}

impl Data {
    pub fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::Grammar(grammar) => grammar.run(),
        }
    }
}

impl Grammar {
    fn run(self) -> Result<Exit, Failure> {
        let sentences = Sentences::new(self.language.into(), self.seed);
        let end = self.skip.checked_add(self.count).filter(|&end| end <= sentences.count());
        let Some(end) = end else {
            return Err(ProgramError::Argument {
                argument: "--count",
                found: self.count.to_string(),
                expected: format!("with --skip at most {} sentences", sentences.count()),
            }
            .into());
        };
        let mut out = BufWriter::new(io::stdout().lock());
        let mut write = || -> io::Result<()> {
            for index in self.skip..end {
                serde_json::to_writer(&mut out, &sentences.sentence(index))?;
                out.write_all(b"\n")?;
            }
            out.flush()
        };
        write().map_err(|source| ProgramError::Stdout { source })?;
        Ok(Exit::Done)
    }
}
