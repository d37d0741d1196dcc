//! Texts on their way through an embedding model.

use std::ops::Range;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_core::Key;
use mixlab_data::ContrastiveBatch;
use mixlab_kernels::Mask;
use mixlab_nn::{Context, EmbeddingModel, Mode};
use mixlab_objectives::contrastive::Embedder;

/// The rows of a batch.
pub(super) struct TextRows<'a> {
    pub batch: &'a ContrastiveBatch,
    pub mode: Mode,
    pub key: Key,
    /// Without gradient tracking.
    pub device: &'a Device,
}

impl Embedder<EmbeddingModel> for TextRows<'_> {
    fn rows(&self) -> usize {
        self.batch.rows
    }

    fn embed(&self, model: &EmbeddingModel, rows: Range<usize>, tracked: bool) -> Tensor<2> {
        let (length, count) = (self.batch.length, rows.len());
        let at = rows.start * length..rows.end * length;
        let ids: Vec<i64> = self.batch.ids[at.clone()].iter().map(|&id| i64::from(id)).collect();
        let device = if tracked { self.device.clone().autodiff() } else { self.device.clone() };
        let tokens: Tensor<2, Int> =
            Tensor::from_data(TensorData::new(ids, [count, length]), (&device, DType::I64));
        let real = &self.batch.padding[at];
        let padding = real.contains(&false).then(|| real.into());
        let context = Context {
            mode: self.mode,
            causal: false,
            key: self.key,
            samples: self.batch.samples[rows].into(),
            mask: Mask { padding, segments: None },
            start: 0,
            memory: None,
        };
        model.embed_tokens(tokens, &context)
    }
}

impl TextRows<'_> {
    /// Embeddings of all rows, `chunk` at a time.
    pub fn all(&self, model: &EmbeddingModel, chunk: usize) -> Tensor<2> {
        let chunks = mixlab_objectives::contrastive::chunks(self.rows(), chunk);
        Tensor::cat(chunks.into_iter().map(|rows| self.embed(model, rows, false)).collect(), 0)
    }
}
