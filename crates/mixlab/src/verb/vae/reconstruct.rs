//! `mixlab vae reconstruct`: texts through latents and back.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::common::{Decoding, Model, Noted, encode_texts};
use crate::failure::Failure;
use crate::verb::embed::{next_texts, open_texts};

/// Texts that are read and written at once.
const WINDOW: usize = 256;

/// Turn texts into latents and write them again
///
/// Line i of the output is what comes back of line or record i.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  echo \"is anna in the garden?\" | mixlab vae reconstruct runs/grammar -")]
pub struct Reconstruct {
    #[command(flatten)]
    model: Model,

    /// A text a line, or a field of JSON lines, CSV and Parquet files; - reads
    /// lines from standard input
    file: PathBuf,

    /// Field or column of the text in JSON lines, CSV and Parquet files
    #[arg(long, value_name = "NAME", default_value = "text")]
    text_field: String,

    #[command(flatten)]
    decoding: Decoding,
}

#[derive(Serialize)]
struct Original<'a> {
    original: &'a str,
}

impl Reconstruct {
    pub fn run(self) -> Result<(), Failure> {
        let model = self.model.load()?;
        let mut texts = open_texts(&self.file, &self.text_field)?;
        loop {
            let window = next_texts(&mut texts, WINDOW)?;
            if window.is_empty() {
                return Ok(());
            }
            let originals: Vec<&str> = window.iter().map(String::as_str).collect();
            let latents = encode_texts(&model, &originals, None)?;
            let note =
                |row: usize| Noted { front: String::new(), json: Original { original: originals[row] } };
            self.decoding.print(&model, &latents, note)?;
        }
    }
}
