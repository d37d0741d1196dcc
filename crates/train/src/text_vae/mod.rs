//! Text VAEs: their sentences, their latents, what they write, and how good they are.

mod alarms;
mod config;
mod data;
mod folder;
mod latents;
mod quality;
mod reading;
mod returned;
mod usage;
mod way;
mod write;

pub(crate) use alarms::Alarms;
pub use config::TextVaeConfig;
pub use data::describe_notes;
pub(crate) use data::{TextVaeData, TypicalSentences};
pub use folder::{Draw, EncodedTexts, TextVaeFolder};
pub use latents::Latents;
pub use quality::{Bound, QualityOptions, Samples, TextVaeQuality};
pub(crate) use reading::{Reading, evaluation_key, total};
pub use returned::Reconstruction;
pub(crate) use returned::Returned;
pub use usage::{LatentUse, LayerUse};
pub(crate) use usage::{UsageOptions, latent_use};
pub use write::{Piece, ReceivePiece, SentenceWriter, TEXTS_TOGETHER, Writing, WrittenText, unheard};
