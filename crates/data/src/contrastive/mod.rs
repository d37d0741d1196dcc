//! What belongs together: sentences and images with themselves, pairs, triples, and texts with labels.

mod batch;
mod identity;
mod image_views;
mod rows;
mod text_rows;
mod texts;
mod training;

pub use batch::{ContrastiveBatch, RowInputs};
pub use image_views::ImageViews;
pub use rows::ContrastiveRows;
pub use text_rows::TextRows;
pub use texts::{ContrastiveKind, ContrastiveSplit, ContrastiveTexts, load_contrastive};
pub use training::ContrastiveTraining;
