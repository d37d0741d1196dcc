//! Texts on their way through an embedding model.

use std::ops::Range;

use burn::tensor::{Device, Tensor};
use mixlab_core::Key;
use mixlab_data::{ContrastiveBatch, ContrastiveRows};
use mixlab_kernels::Mask;
use mixlab_nn::{Context, EmbeddingModel, Mode};
use mixlab_objectives::contrastive::{Embedder, chunks};

use crate::token_ids::token_ids;

/// The rows of a batch.
pub(crate) struct TextRows<'a> {
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
        let device = if tracked { self.device.clone().autodiff() } else { self.device.clone() };
        let tokens = token_ids(&self.batch.ids[at.clone()], [count, length], &device);
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
        Tensor::cat(
            chunks(self.rows(), chunk).into_iter().map(|rows| self.embed(model, rows, false)).collect(),
            0,
        )
    }
}

/// Embeddings `[n, d]` of one column of all examples, `batch` at a time, without noise.
pub(super) fn embed_column(
    model: &EmbeddingModel,
    rows: &ContrastiveRows,
    column: usize,
    batch: usize,
    device: &Device,
) -> Tensor<2> {
    let embed = |examples: Range<usize>| {
        let batch = rows.column(column, examples);
        TextRows { batch: &batch, mode: Mode::Eval, key: Key::root(0), device }.all(model, batch.rows)
    };
    Tensor::cat(chunks(rows.len(), batch).into_iter().map(embed).collect(), 0)
}
