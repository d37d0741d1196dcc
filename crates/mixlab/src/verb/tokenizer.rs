//! `mixlab tokenizer`: learn a vocabulary, and look at what it does to text.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mixlab_core::config::resolve;
use mixlab_data::{Corpus, DataConfig, Tokenizer as Vocabulary, TokenizerConfig, load};
use mixlab_train::ModelFolder;
use serde::Serialize;

use crate::failure::{Exit, Failure, ProgramError};
use crate::input::read_stdin;
use crate::output::{print, print_json, tell};

/// Train a tokenizer; encode and decode text with one
#[derive(Debug, Args)]
pub struct Tokenizer {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Train(Train),
    Encode(Encode),
    Decode(Decode),
}

/// Learn a vocabulary from text files
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example, leaving out the tenth that a run will be measured on:
  mixlab tokenizer train novel.txt --out tokenizer.json \\
      --vocabulary 1000 --hold-out 0.1")]
struct Train {
    /// Text files or folders
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Where to write tokenizer.json
    #[arg(long, value_name = "PATH", default_value = "tokenizer.json")]
    out: PathBuf,

    /// bpe, unigram, wordpiece, character or byte
    #[arg(long, default_value = "bpe")]
    kind: String,

    /// Number of tokens
    #[arg(long, value_name = "N")]
    vocabulary: Option<usize>,

    /// Field or column of the text in JSON lines, CSV and Parquet files
    #[arg(long, value_name = "NAME", default_value = "text")]
    text_field: String,

    /// Leave out this part of the text, counted from its end
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    hold_out: f64,

    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

/// Print the token ids of a text
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab tokenizer encode runs/novel \"It is a truth\"")]
struct Encode {
    /// A tokenizer.json, or a model or run folder that holds one
    tokenizer: PathBuf,

    /// The text; standard input if absent
    text: Option<String>,

    /// Print JSON: ids, pieces, and bytes per token
    #[arg(long)]
    json: bool,
}

/// Print the text of token ids
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab tokenizer encode runs/novel < a.txt |
      mixlab tokenizer decode runs/novel > b.txt")]
struct Decode {
    /// A tokenizer.json, or a model or run folder that holds one
    tokenizer: PathBuf,

    /// Token ids; standard input if absent
    ids: Vec<u32>,
}

impl Tokenizer {
    pub fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::Train(action) => action.run()?,
            Action::Encode(action) => action.run()?,
            Action::Decode(action) => action.run()?,
        }
        Ok(Exit::Done)
    }
}

impl Train {
    fn run(self) -> Result<(), Failure> {
        if self.out.exists() && !self.force {
            return Err(ProgramError::Exists { path: self.out }.into());
        }
        let mut sets = vec![format!("kind={:?}", self.kind)];
        sets.extend(self.vocabulary.map(|size| format!("vocabulary={size}")));
        let config = resolve::<TokenizerConfig>(&[], &sets)?.value;
        config.validate()?;
        let data = DataConfig {
            train: self.files,
            evaluate_fraction: self.hold_out,
            text_field: self.text_field,
            ..DataConfig::default()
        };
        let text = load(&data)?.train;
        let tokenizer = Vocabulary::train(&config, &text)?;
        tokenizer.save(&self.out)?;
        let corpus = Corpus::encode(&tokenizer, &text)?;
        let ratio = text.bytes() as f64 / corpus.tokens().max(1) as f64;
        tell(&format!(
            "wrote {}: {} tokens, {ratio:.2} bytes per token on its own text",
            self.out.display(),
            tokenizer.vocabulary(),
        ));
        Ok(())
    }
}

#[derive(Serialize)]
struct Encoded {
    ids: Vec<u32>,
    pieces: Vec<String>,
    bytes_per_token: f64,
}

impl Encode {
    fn run(self) -> Result<(), Failure> {
        let tokenizer = open(&self.tokenizer)?;
        let text = self.text.map_or_else(read_stdin, Ok)?;
        let ids = tokenizer.encode(&text)?;
        if self.json {
            let pieces = ids.iter().map(|&id| tokenizer.decode(&[id])).collect();
            let bytes_per_token = text.len() as f64 / ids.len().max(1) as f64;
            print_json(&Encoded { ids, pieces, bytes_per_token })?;
        } else {
            let words: Vec<String> = ids.iter().map(u32::to_string).collect();
            print(&format!("{}\n", words.join(" ")))?;
        }
        Ok(())
    }
}

impl Decode {
    fn run(self) -> Result<(), Failure> {
        let tokenizer = open(&self.tokenizer)?;
        let ids = if self.ids.is_empty() { parse(&read_stdin()?)? } else { self.ids };
        if let Some(id) = ids.iter().find(|&&id| id as usize >= tokenizer.vocabulary()) {
            return Err(not_an_id(&id.to_string(), &format!("a token id below {}", tokenizer.vocabulary())));
        }
        print(&format!("{}\n", tokenizer.decode(&ids)))?;
        Ok(())
    }
}

/// Ids between blanks, commas or brackets, so that a JSON list is understood too.
fn parse(text: &str) -> Result<Vec<u32>, Failure> {
    let words = text.split(|c: char| c.is_whitespace() || ",[]".contains(c)).filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_err(|_| not_an_id(word, "whole numbers"))).collect()
}

fn not_an_id(found: &str, expected: &str) -> Failure {
    ProgramError::Argument { argument: "IDS", found: format!("`{found}`"), expected: expected.into() }.into()
}

/// The tokenizer of a file or folder.
pub fn open(path: &Path) -> Result<Vocabulary, Failure> {
    let file = if path.is_dir() { ModelFolder::locate(path)?.join("tokenizer.json") } else { path.into() };
    Ok(Vocabulary::load(&file)?)
}
