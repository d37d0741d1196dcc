//! Sentences to measure on, each of them once.

use super::rows::Rows;
use super::{SentenceBatch, SentenceNotes};
use crate::epochs::check_size;
use crate::{DataError, Documents, Tokenizer};

/// Sentences to measure on, in order.
#[derive(Debug)]
pub struct SentenceEvaluation {
    rows: Rows,
    batch: usize,
}

impl SentenceEvaluation {
    /// Batches of at most `batch` sentences in rows of at most `length` tokens, with the tokenizer of the training.
    ///
    /// # Errors
    /// As for [`super::SentenceTraining::new`].
    pub fn new(
        texts: &Documents,
        tokenizer: &Tokenizer,
        length: usize,
        batch: usize,
    ) -> Result<Self, DataError> {
        check_size("evaluate.batch", batch)?;
        let rows = Rows::new(texts, tokenizer, length, "held-out")?;
        Ok(SentenceEvaluation { rows, batch })
    }

    /// Number of batches.
    pub fn batches(&self) -> usize {
        self.rows.len().div_ceil(self.batch)
    }

    /// One batch; the last may be smaller.
    ///
    /// # Panics
    /// If `index` is not below [`SentenceEvaluation::batches`].
    pub fn batch(&self, index: usize) -> SentenceBatch {
        assert!(index < self.batches(), "batch {index} of {}", self.batches());
        let rows = index * self.batch..((index + 1) * self.batch).min(self.rows.len());
        self.rows.batch(rows.map(|row| (row, row as u64)))
    }

    /// Number of sentences.
    pub fn sentences(&self) -> usize {
        self.rows.len()
    }

    /// What became of the sentences.
    pub fn notes(&self) -> SentenceNotes {
        self.rows.notes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenizerConfig;

    #[test]
    fn every_sentence_comes_once_in_order() {
        let texts: Documents = ["a", "bb", "c"].into_iter().collect();
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &texts).unwrap();
        let data = SentenceEvaluation::new(&texts, &tokenizer, 5, 2).unwrap();
        assert_eq!((data.batches(), data.sentences()), (2, 3));
        let batches: Vec<SentenceBatch> = (0..2).map(|index| data.batch(index)).collect();
        assert_eq!(batches[0].rows, [vec![256, 97, 256], vec![256, 98, 98, 256]]);
        assert_eq!((batches[1].rows.len(), &batches[1].samples[..]), (1, &[2][..]));
        let cut = SentenceEvaluation::new(&texts, &tokenizer, 3, 2).unwrap();
        assert_eq!((cut.sentences(), cut.notes().cut_at_character), (3, 1));
    }
}
