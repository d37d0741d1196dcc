//! `mixlab export`: an embedding model as a folder of sentence-transformers.

use std::path::PathBuf;

use clap::Args;
use mixlab_train::{EmbedderFolder, ModelFolder, export_embedder};

use crate::arguments::DeviceOption;
use crate::failure::{Exit, Failure};
use crate::output::tell;

/// Write an embedding model as a folder of sentence-transformers
///
/// The encoder is written as a BERT, with its tokenizer, pooling and norm. Only
/// models that are built like one can be: post-norm, softmax attention with biases,
/// learned positions, a norm behind the embedding.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab export runs/mine --out mine-sentence-transformers")]
pub struct Export {
    /// A run folder or a model folder
    model: PathBuf,

    /// The folder to make
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    #[command(flatten)]
    device: DeviceOption,
}

impl Export {
    pub fn run(self) -> Result<Exit, Failure> {
        let device = self.device.open();
        let folder = EmbedderFolder::load(&ModelFolder::locate(&self.model)?, &device)?;
        export_embedder(&folder, &self.out)?;
        tell(&format!("wrote {}", self.out.display()));
        Ok(Exit::Done)
    }
}
