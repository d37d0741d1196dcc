//! Contrastive learning: embeddings of things that belong together should be closer than those of all others in the batch.
//!
//! A batch becomes embeddings `[rows, d]`, whatever the encoder; a [`Layout`] says which rows are anchors, positives and
//! negatives; a [`Contrast`] gives the loss with its gradient by the embeddings; and [`cached_gradients`] takes that
//! gradient to the parameters chunk by chunk, so that the batch of the loss need not be the batch of the encoder.

mod cached;
mod contrast;
mod geometry;
mod layout;
mod monitor;
mod temperature;

pub use cached::{CachedGradients, Embedder, cached_gradients, chunks};
pub use contrast::{Contrast, ContrastiveLoss, Directions, EmbeddingGradient, EmbeddingLoss, Logits};
pub use geometry::{Geometry, alignment, uniformity};
pub use layout::Layout;
pub use monitor::Monitors;
pub use temperature::TemperatureConfig;
