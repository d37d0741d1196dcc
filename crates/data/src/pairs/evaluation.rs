//! Pairs to measure on, each of them once.

use super::rows::Rows;
use super::{PairBatch, PairOptions, Pairs};
use crate::epochs::{check_size, evaluation_rows};
use crate::{DataError, Tokenizer};

/// Pairs to measure on, in order. Each target's tokens have weight 1 exactly once.
#[derive(Debug)]
pub struct PairEvaluation {
    rows: Rows,
    batch: usize,
}

impl PairEvaluation {
    /// Batches of pairs with the tokenizer of the training.
    ///
    /// # Errors
    /// As for [`super::PairTraining::new`].
    pub fn new(pairs: &Pairs, tokenizer: &Tokenizer, options: PairOptions) -> Result<Self, DataError> {
        check_size("evaluate.batch", options.batch)?;
        Ok(PairEvaluation { rows: Rows::new(pairs, tokenizer, options, "held-out")?, batch: options.batch })
    }

    /// Number of batches.
    pub fn batches(&self) -> usize {
        self.rows.len().div_ceil(self.batch)
    }

    /// One batch; rows beyond the last pair repeat it with weight 0.
    ///
    /// # Panics
    /// If `index` is not below [`PairEvaluation::batches`].
    pub fn batch(&self, index: usize) -> PairBatch {
        assert!(index < self.batches(), "batch {index} of {}", self.batches());
        self.rows.batch(evaluation_rows(index, self.batch, self.rows.len()))
    }

    /// Number of pairs.
    pub fn pairs(&self) -> usize {
        self.rows.len()
    }

    /// How many pairs have a part that was cut.
    pub fn cut(&self) -> usize {
        self.rows.cut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenizerConfig;

    #[test]
    fn every_pair_counts_once() {
        let pairs = Pairs {
            sources: ["a", "b", "c"].into_iter().collect(),
            targets: ["x", "yy", "z"].into_iter().collect(),
        };
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &pairs.texts()).unwrap();
        let options = PairOptions { batch: 2, source_length: 8, target_length: 8, full_length: false };
        let data = PairEvaluation::new(&pairs, &tokenizer, options).unwrap();
        assert_eq!((data.batches(), data.pairs(), data.cut()), (2, 3, 0));
        let weights: Vec<f64> = (0..2).map(|index| data.batch(index).total_weight()).collect();
        assert_eq!(weights, [2.0 + 3.0, 2.0]);
        assert_eq!(data.batch(1).weights, [1., 1., 0., 0.]);
    }
}
