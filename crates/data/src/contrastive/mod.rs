//! Texts that belong together: sentences with themselves, pairs, triples, and texts with labels.

mod batch;
mod identity;
mod rows;
mod texts;
mod training;

pub use batch::ContrastiveBatch;
pub use rows::ContrastiveRows;
pub use texts::{ContrastiveKind, ContrastiveSplit, ContrastiveTexts, load_contrastive};
pub use training::ContrastiveTraining;
