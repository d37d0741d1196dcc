//! Texts to vectors with a trained embedding model, batched by length.

mod batches;

use std::ops::Range;

use burn::tensor::{Device, Tensor};
use mixlab_core::Key;
use mixlab_data::{ContrastiveBatch, Corpus, Tokenizer};
use mixlab_nn::mixer::Lengths;
use mixlab_nn::{Mode, ModelConfig};
use mixlab_objectives::contrastive::Embedder;

use crate::task::BatchRows;
use crate::{EmbedderFolder, TrainError};
use batches::{Batch, RowLength, batches};

/// Embeds texts, window after window, and counts them.
///
/// The texts of a window are sorted by their lengths and computed in batches of like length, so that little is padded. The batches
/// change nothing in the result beyond rounding.
pub struct TextEmbedder<'a> {
    folder: &'a EmbedderFolder,
    tokenizer: &'a Tokenizer,
    longest: usize,
    device: &'a Device,
    tokens: usize,
    row_length: RowLength,
    rows: usize,
    cut: usize,
}

impl<'a> TextEmbedder<'a> {
    /// Positions of a batch that suit a processor.
    pub const BATCH_TOKENS: usize = 4096;

    /// An embedder with batches of at most `tokens` positions, padding included; what is longer goes alone. `device` is the one
    /// that the folder was loaded onto.
    ///
    /// # Errors
    /// [`TrainError::ReadsImages`].
    pub fn new(folder: &'a EmbedderFolder, device: &'a Device, tokens: usize) -> Result<Self, TrainError> {
        let (tokenizer, longest) = folder.texts()?;
        let row_length = row_length(&folder.config.model);
        Ok(TextEmbedder { folder, tokenizer, longest, device, tokens, row_length, rows: 0, cut: 0 })
    }

    /// Tokens of the longest text that is not cut, with those around it.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Texts embedded so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many of them were longer than the model takes and lost their ends.
    pub fn cut(&self) -> usize {
        self.cut
    }

    /// Embeddings `[texts, width]` in the order of the texts, row after row.
    ///
    /// # Errors
    /// An empty text, one that the tokenizer cannot encode, or an embedding that is not finite. Texts are counted from 1, those of
    /// earlier windows included.
    pub fn embed(&mut self, texts: &[&str]) -> Result<Vec<f64>, TrainError> {
        if let Some(row) = texts.iter().position(|text| text.trim().is_empty()) {
            return Err(TrainError::EmptyText { row: self.rows + row + 1 });
        }
        let corpus = Corpus::encode(self.tokenizer, &texts.iter().collect())?;
        let longest = self.longest;
        let frame = self.tokenizer.frame();
        let whole: Vec<usize> = (0..texts.len()).map(|row| frame.row(corpus.document(row).len())).collect();
        let lengths: Vec<usize> = whole.iter().map(|&length| length.min(longest)).collect();
        let width = self.folder.width();
        let mut values = vec![0.0; texts.len() * width];
        for batch in batches(&lengths, self.tokens, self.row_length) {
            let embedded: Vec<f64> = self.compute(&corpus, &batch).into_data().iter().collect();
            for (&row, vector) in batch.rows.iter().zip(embedded.chunks_exact(width)) {
                values[place(row, width)].copy_from_slice(vector);
            }
        }
        check_finite(&values, width, self.rows)?;
        self.rows += texts.len();
        self.cut += whole.iter().filter(|&&length| length > longest).count();
        Ok(values)
    }

    /// Embeddings `[rows, width]` of one batch.
    fn compute(&self, corpus: &Corpus, batch: &Batch) -> Tensor<2> {
        let texts = batch.rows.iter().map(|&row| corpus.document(row));
        let batch = ContrastiveBatch::of_rows(texts, batch.length, self.tokenizer.frame());
        let (device, precision) = (self.device, self.folder.config.precision);
        let rows = BatchRows { batch: &batch, mode: Mode::Eval, key: Key::root(0), device, precision };
        rows.embed(&self.folder.model, 0..batch.rows, false)
    }
}

/// Refuses embeddings `[rows, width]` that are not finite. `before` texts have been embedded earlier.
///
/// # Errors
/// [`TrainError::EmbeddingNotFinite`] of the first.
pub(crate) fn check_finite(values: &[f64], width: usize, before: usize) -> Result<(), TrainError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(TrainError::EmbeddingNotFinite { row: before + at / width + 1, value: values[at] }),
        None => Ok(()),
    }
}

fn place(row: usize, width: usize) -> Range<usize> {
    row * width..(row + 1) * width
}

/// What the rows of a batch must have in common for the model to say the same of each whatever the others are.
fn row_length(model: &ModelConfig) -> RowLength {
    match model.lengths(false) {
        Lengths::Exactly(length) => RowLength::Fixed(length),
        _ if model.mixers().all(|mixer| mixer.promises(false).padding_safe) => RowLength::Longest,
        _ => RowLength::Equal,
    }
}
