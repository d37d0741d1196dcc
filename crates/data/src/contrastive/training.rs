//! The examples of every step, as a pure function of (files, seed, step).

use super::{ContrastiveBatch, ContrastiveRows};
use crate::DataError;
use crate::epochs::Epochs;

/// Examples in their order of use. The samples of all steps are one endless sequence, and an epoch is a fresh permutation of
/// all examples.
#[derive(Debug)]
pub struct ContrastiveTraining {
    rows: ContrastiveRows,
    epochs: Epochs,
}

impl ContrastiveTraining {
    /// Examples in an order given by `seed`; a batch has `batch` of them, and a step `accumulation` batches, whose losses
    /// know nothing of each other.
    ///
    /// # Errors
    /// A batch below 2: an anchor needs something to be told from.
    pub fn new(
        rows: ContrastiveRows,
        batch: usize,
        accumulation: usize,
        seed: u64,
    ) -> Result<Self, DataError> {
        if batch < 2 {
            let range = "at least 2: an example alone has no negatives".to_owned();
            return Err(DataError::OutOfRange { key: "train.batch", value: batch.to_string(), range });
        }
        let epochs = Epochs::new(rows.len(), batch, accumulation, seed)?;
        Ok(ContrastiveTraining { rows, epochs })
    }

    /// The examples of micro-batch `micro` of step `step`. The same arguments always give the same batch.
    pub fn batch(&self, step: u64, micro: usize) -> ContrastiveBatch {
        let samples = self.epochs.samples(step, micro);
        let examples: Vec<_> = samples.map(|sample| (self.epochs.row(sample), sample)).collect();
        self.rows.batch(&examples)
    }

    /// The examples.
    pub fn rows(&self) -> &ContrastiveRows {
        &self.rows
    }

    /// How often the data has been gone through when `steps` steps are done.
    pub fn epochs(&self, steps: u64) -> f64 {
        self.epochs.after(steps)
    }
}
