//! `mixlab import`: an embedding model from a Hugging Face folder.

use std::path::PathBuf;

use clap::Args;
use mixlab_train::{IMPORT_CONFIG, import_embedder};

use crate::failure::{Exit, Failure};
use crate::output::tell;

/// Make a model folder of a BERT-like model from elsewhere
///
/// Reads what the Hugging Face libraries save: config.json, model.safetensors and
/// tokenizer.json of a BERT, RoBERTa, XLM-RoBERTa, CamemBERT or DistilBERT, and of
/// sentence-transformers also the pooling, a dense map without bias, and the norm.
/// The embeddings are the same numbers. Anything that would change them and has no
/// counterpart here is refused by name.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  mixlab import downloads/all-MiniLM-L6-v2 --out models/minilm
  mixlab embed models/minilm sentences.txt --out sentences.npy
  mixlab train models/minilm/finetune.toml mine.toml --out runs/mine")]
pub struct Import {
    /// The folder
    from: PathBuf,

    /// The model folder to make
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Import {
    pub fn run(self) -> Result<Exit, Failure> {
        let imported = import_embedder(&self.from, &self.out)?;
        let (out, config) = (self.out.display(), self.out.join(IMPORT_CONFIG));
        tell(&format!(
            "wrote {out}: {} parameters, embeddings of {} numbers, texts of up to {} tokens",
            imported.parameters, imported.width, imported.length
        ));
        for note in imported.notes {
            tell(&format!("note: {note}"));
        }
        tell(&format!("to train it further, begin a config with {}", config.display()));
        Ok(Exit::Done)
    }
}
