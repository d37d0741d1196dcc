//! Embedding models between this program and folders of the Hugging Face libraries.
//!
//! A folder holds `config.json`, `model.safetensors` and `tokenizer.json` of a BERT-like encoder, and where the
//! sentence-transformers library wrote it also `modules.json` with what follows the encoder: `1_Pooling`, perhaps a dense map,
//! perhaps a norm. The embeddings are the same numbers on both sides, up to rounding.

mod architecture;
mod export;
mod import;
mod names;
mod pipeline;

pub use export::export_embedder;
pub use import::{IMPORT_CONFIG, Imported, import_embedder};
