//! Training objectives: what is minimised, given a model and a batch.

#![forbid(unsafe_code)]

pub mod adversarial;
pub mod classification;
pub mod contrastive;
pub mod generative;
pub mod language;
pub mod representation;
mod segmented;
pub mod seq2seq;
pub mod text_quality;
pub mod vae;

pub use segmented::ByPath;
