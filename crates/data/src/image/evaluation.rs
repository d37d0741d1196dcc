//! Images to measure on, each of them once and as it is.

use super::normalisation::Tables;
use super::{ImageBatch, ImageSet, Normalisation};
use crate::DataError;
use crate::epochs::{check_size, evaluation_rows};
use crate::labelled::one_hot;

/// Images to measure on, in order. Each has weight 1 exactly once.
#[derive(Debug)]
pub struct ImageEvaluation {
    set: ImageSet,
    tables: Tables,
    batch: usize,
}

impl ImageEvaluation {
    /// Batches of `batch` images of `set`, with the normalisation and the classes of the training.
    ///
    /// # Errors
    /// When the size is zero, the set is empty or does not fit together, or the normalisation has
    /// another number of channels.
    pub fn new(set: ImageSet, normalisation: &Normalisation, batch: usize) -> Result<Self, DataError> {
        check_size("evaluate.batch", batch)?;
        set.check()?;
        normalisation.check(set.channels)?;
        Ok(ImageEvaluation { set, tables: normalisation.tables(), batch })
    }

    /// Number of batches.
    pub fn batches(&self) -> usize {
        self.set.len().div_ceil(self.batch)
    }

    /// One batch of the same shape as all others; images beyond the last repeat it with weight 0.
    ///
    /// # Panics
    /// If `index` is not below [`ImageEvaluation::batches`].
    pub fn batch(&self, index: usize) -> ImageBatch {
        assert!(index < self.batches(), "batch {index} of {}", self.batches());
        let mut batch = ImageBatch::new(self.set.shape());
        for (row, sample, counts) in evaluation_rows(index, self.batch, self.set.len()) {
            let label = self.set.labels[row];
            let targets = one_hot(label, self.set.classes.len());
            batch.push(&self.tables.apply(self.set.image(row)), &targets, label, sample, counts);
        }
        batch
    }

    /// The images behind the batches.
    pub fn set(&self) -> &ImageSet {
        &self.set
    }
}
