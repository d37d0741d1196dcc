//! Texts and images on their way through an embedding model.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use mixlab_core::{Key, Precision};
use mixlab_data::{ContrastiveBatch, ContrastiveRows, RowInputs};
use mixlab_kernels::Mask;
use mixlab_nn::{Context, EmbeddingModel, Mode};
use mixlab_objectives::contrastive::{Embedder, chunks};

use crate::token_ids::token_ids;

/// The rows of a batch.
pub(crate) struct BatchRows<'a> {
    pub batch: &'a ContrastiveBatch,
    pub mode: Mode,
    pub key: Key,
    /// Without gradient tracking.
    pub device: &'a Device,
    /// That of the model.
    pub precision: Precision,
}

impl Embedder<EmbeddingModel> for BatchRows<'_> {
    fn rows(&self) -> usize {
        self.batch.rows
    }

    fn embed(&self, model: &EmbeddingModel, rows: Range<usize>, tracked: bool) -> Tensor<2> {
        let device = if tracked { self.device.clone().autodiff() } else { self.device.clone() };
        let context = |padding| Context {
            mode: self.mode,
            causal: false,
            key: self.key,
            samples: self.batch.samples[rows.clone()].into(),
            mask: Mask { padding, segments: None },
            start: 0,
            gap: 0,
            memory: None,
        };
        match &self.batch.inputs {
            RowInputs::Tokens { length, ids, padding } => {
                let at = rows.start * length..rows.end * length;
                let tokens = token_ids(&ids[at.clone()], [rows.len(), *length], &device);
                let real = &padding[at];
                let padding = real.contains(&false).then(|| real.into());
                model.embed_tokens(tokens, &context(padding))
            }
            RowInputs::Images { shape, pixels } => {
                let at = rows.start * shape.values()..rows.end * shape.values();
                let shape = [rows.len(), shape.height, shape.width, shape.channels];
                let pixels = TensorData::new(pixels[at].to_vec(), shape);
                let images = Tensor::from_data(pixels, (&device, self.precision.dtype()));
                model.embed_images(images, &context(None))
            }
        }
    }
}

impl BatchRows<'_> {
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
    (device, precision): (&Device, Precision),
) -> Tensor<2> {
    let embed = |examples: Range<usize>| {
        let batch = rows.column(column, examples);
        BatchRows { batch: &batch, mode: Mode::Eval, key: Key::root(0), device, precision }
            .all(model, batch.rows)
    };
    Tensor::cat(chunks(rows.len(), batch).into_iter().map(embed).collect(), 0)
}
