//! Labelled texts to measure on, each of them once.

use super::rows::Rows;
use super::{LabelledTexts, TextBatch};
use crate::epochs::{check_size, evaluation_rows};
use crate::{DataError, Tokenizer};

/// Labelled texts to measure on, in order. Each has weight 1 exactly once.
#[derive(Debug)]
pub struct TextEvaluation {
    rows: Rows,
    batch: usize,
}

impl TextEvaluation {
    /// Batches of `batch` rows of `length` tokens, with the tokenizer and the classes of the training.
    ///
    /// # Errors
    /// As for [`crate::TextTraining::new`].
    pub fn new(
        texts: LabelledTexts,
        tokenizer: &Tokenizer,
        length: usize,
        batch: usize,
    ) -> Result<Self, DataError> {
        check_size("evaluate.batch", batch)?;
        Ok(TextEvaluation { rows: Rows::new(texts, tokenizer, length, "held-out")?, batch })
    }

    /// Number of batches.
    pub fn batches(&self) -> usize {
        self.rows.len().div_ceil(self.batch)
    }

    /// One batch of the same shape as all others; rows beyond the last text repeat it with weight 0.
    ///
    /// # Panics
    /// If `index` is not below [`TextEvaluation::batches`].
    pub fn batch(&self, index: usize) -> TextBatch {
        assert!(index < self.batches(), "batch {index} of {}", self.batches());
        self.rows.batch(evaluation_rows(index, self.batch, self.rows.len()))
    }

    /// Number of texts.
    pub fn texts(&self) -> usize {
        self.rows.len()
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[String] {
        self.rows.classes()
    }

    /// How many texts are longer than a row and were cut.
    pub fn cut(&self) -> usize {
        self.rows.cut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Documents, TokenizerConfig};

    #[test]
    fn every_text_counts_once_and_in_order() {
        let texts = Documents::from_iter(["ab", "c", "def"]);
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &texts).unwrap();
        let set = LabelledTexts { texts, labels: vec![0, 1, 1], classes: vec!["x".into(), "y".into()] };
        let data = TextEvaluation::new(set, &tokenizer, 3, 2).unwrap();
        assert_eq!((data.batches(), data.texts(), data.cut(), data.classes().len()), (2, 3, 1, 2));
        let (first, second) = (data.batch(0), data.batch(1));
        assert_eq!(first.inputs, [256, 97, 98, 256, 99, 257]);
        assert_eq!(second.inputs, [256, 100, 101, 256, 100, 101]);
        assert_eq!((&first.weights[..], &second.weights[..]), (&[1., 1.][..], &[1., 0.][..]));
        assert_eq!((first.samples, second.samples), (vec![0, 1], vec![2, 3]));
        assert!(first.padding.is_some() && second.padding.is_some());
    }
}
