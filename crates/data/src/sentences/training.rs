//! The sentences of every step, as a pure function of (files, seed, step).

use super::rows::Rows;
use super::{SentenceBatch, SentenceNotes};
use crate::epochs::Epochs;
use crate::{DataError, Documents, Tokenizer};

/// Sentences in their order of use. The samples of all steps are one endless sequence, and an epoch is a fresh permutation of all
/// sentences.
#[derive(Debug)]
pub struct SentenceTraining {
    rows: Rows,
    epochs: Epochs,
}

impl SentenceTraining {
    /// Sentences in an order given by `seed`, in rows of at most `length` tokens; a step has `accumulation` batches of `batch` of them.
    ///
    /// # Errors
    /// When a size is too small, there is no sentence, or the tokenizer cannot encode one.
    pub fn new(
        texts: &Documents,
        tokenizer: &Tokenizer,
        length: usize,
        (batch, accumulation): (usize, usize),
        seed: u64,
    ) -> Result<Self, DataError> {
        let rows = Rows::new(texts, tokenizer, length, "training")?;
        let epochs = Epochs::new(rows.len(), batch, accumulation, seed)?;
        Ok(SentenceTraining { rows, epochs })
    }

    /// The sentences of micro-batch `micro` of step `step`. The same arguments always give the same batch.
    pub fn batch(&self, step: u64, micro: usize) -> SentenceBatch {
        let samples = self.epochs.samples(step, micro);
        self.rows.batch(samples.map(|sample| (self.epochs.row(sample), sample)))
    }

    /// Sentences in one epoch.
    pub fn sentences(&self) -> usize {
        self.epochs.rows()
    }

    /// How often the data has been gone through when `steps` steps are done.
    pub fn epochs(&self, steps: u64) -> f64 {
        self.epochs.after(steps)
    }

    /// What became of the sentences.
    pub fn notes(&self) -> SentenceNotes {
        self.rows.notes()
    }

    /// A hash of all tokens, in hexadecimal digits: a resumed run can see that its data has changed.
    pub fn fingerprint(&self) -> String {
        self.rows.fingerprint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenizerConfig;

    #[test]
    fn sentences_stand_between_two_tokens_and_long_ones_are_cut() {
        let texts: Documents = ["ab", "c, def", "ghijk"].into_iter().collect();
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &texts).unwrap();
        let training = SentenceTraining::new(&texts, &tokenizer, 6, (3, 1), 1).unwrap();
        let mut batch = training.batch(0, 0);
        assert_eq!((batch.samples.clone(), batch.longest()), (vec![0, 1, 2], 6));
        batch.rows.sort();
        let text = |row: &Vec<u32>| tokenizer.decode(&row[1..row.len() - 1]);
        assert_eq!(batch.rows.iter().map(text).collect::<Vec<_>>(), ["ab", "c,", "ghij"]);
        assert!(batch.rows.iter().all(|row| row[0] == 256 && row[row.len() - 1] == 256));
        assert_eq!((batch.positions(), batch.targets()), (4 + 4 + 6, 3 + 3 + 5));
        let notes = training.notes();
        assert_eq!((notes.cut_at_punctuation, notes.cut_at_character, notes.changed), (1, 1, 0));
    }

    #[test]
    fn no_sentence_and_no_room_are_refused() {
        let texts: Documents = ["ab"].into_iter().collect();
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &texts).unwrap();
        let new = |texts: &Documents, length, batch| {
            SentenceTraining::new(texts, &tokenizer, length, (batch, 1), 1).map(drop)
        };
        assert!(matches!(new(&texts, 2, 1), Err(DataError::OutOfRange { key: "train.length", .. })));
        assert!(matches!(new(&texts, 3, 0), Err(DataError::OutOfRange { .. })));
        assert!(matches!(new(&Documents::default(), 3, 1), Err(DataError::TooShort { .. })));
    }
}
