//! The labelled texts of every step, as a pure function of (files, seed, step).

use super::rows::Rows;
use super::{LabelledTexts, TextBatch};
use crate::epochs::Epochs;
use crate::{DataError, Tokenizer};

/// Labelled texts in their order of use, one text a row.
///
/// A row is the end-of-text token, the text, and padding; a text that is longer is cut on the right.
/// The samples of all steps are one endless sequence, `n = 0, 1, …`; step `s` takes the samples
/// `s·batch·accumulation` onwards, and an epoch is a fresh permutation of all texts.
#[derive(Debug)]
pub struct TextTraining {
    rows: Rows,
    epochs: Epochs,
}

impl TextTraining {
    /// Rows of `length` tokens from `texts`, in an order given by `seed`; a batch has `batch` of them,
    /// and a step `accumulation` batches.
    ///
    /// # Errors
    /// When a size is too small, there is no text, texts and labels do not fit together, or the
    /// tokenizer cannot encode a text.
    pub fn new(
        texts: LabelledTexts,
        tokenizer: &Tokenizer,
        length: usize,
        batch: usize,
        accumulation: usize,
        seed: u64,
    ) -> Result<Self, DataError> {
        let rows = Rows::new(texts, tokenizer, length, "training")?;
        let epochs = Epochs::new(rows.len(), batch, accumulation, seed)?;
        Ok(TextTraining { rows, epochs })
    }

    /// The texts of micro-batch `micro` of step `step`. The same arguments always give the same batch.
    pub fn batch(&self, step: u64, micro: usize) -> TextBatch {
        let samples = self.epochs.samples(step, micro);
        self.rows.batch(samples.map(|sample| (self.epochs.row(sample), sample, true)))
    }

    /// Texts in one epoch.
    pub fn rows_per_epoch(&self) -> usize {
        self.epochs.rows()
    }

    /// How often the data has been gone through when `steps` steps are done.
    pub fn epochs(&self, steps: u64) -> f64 {
        self.epochs.after(steps)
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[String] {
        self.rows.classes()
    }

    /// How many texts are longer than a row and were cut.
    pub fn cut(&self) -> usize {
        self.rows.cut()
    }

    /// A 128-bit hash of tokens, labels and classes, in hexadecimal digits: a resumed run can see that
    /// its data has changed.
    pub fn fingerprint(&self) -> String {
        self.rows.fingerprint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Documents, TokenizerConfig};

    fn data(length: usize, batch: usize, accumulation: usize) -> Result<TextTraining, DataError> {
        let texts = Documents::from_iter(["a", "bcd", "ef", "ghijk", "l"]);
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &texts)?;
        let classes = vec!["x".to_owned(), "y".to_owned()];
        let texts = LabelledTexts { texts, labels: vec![0, 1, 0, 1, 0], classes };
        TextTraining::new(texts, &tokenizer, length, batch, accumulation, 1)
    }

    #[test]
    fn a_row_is_an_end_of_text_the_text_and_padding() {
        let data = data(4, 5, 1).unwrap();
        let batch = data.batch(0, 0);
        let padding = batch.padding.as_ref().unwrap();
        let mut rows: Vec<_> = (0..5)
            .map(|row| {
                let (cells, targets) = (row * 4..row * 4 + 4, row * 2..row * 2 + 2);
                let real = padding[cells.clone()].iter().filter(|&&real| real).count();
                assert!(padding[cells.start..cells.start + real].iter().all(|&real| real));
                (&batch.inputs[cells], real, &batch.targets[targets], batch.labels[row])
            })
            .collect();
        rows.sort_by_key(|(inputs, ..)| *inputs);
        let expected = [
            (&[256, 97, 257, 257][..], 2, &[1., 0.][..], 0),
            (&[256, 98, 99, 100], 4, &[0., 1.], 1),
            (&[256, 101, 102, 257], 3, &[1., 0.], 0),
            (&[256, 103, 104, 105], 4, &[0., 1.], 1),
            (&[256, 108, 257, 257], 2, &[1., 0.], 0),
        ];
        assert_eq!(rows, expected);
        assert_eq!((data.cut(), data.classes().len(), batch.total_weight()), (1, 2, 5.0));
    }

    #[test]
    fn rows_that_are_all_full_need_no_padding() {
        let full = data(2, 2, 1).unwrap();
        assert_eq!((full.cut(), full.batch(0, 0).padding), (3, None));
        assert!(matches!(data(1, 2, 1), Err(DataError::OutOfRange { key: "train.length", .. })));
        assert!(matches!(data(4, 0, 1), Err(DataError::OutOfRange { key: "train.batch", .. })));
    }

    #[test]
    fn rows_do_not_depend_on_how_they_are_batched() {
        let (small, large) = (data(4, 2, 3).unwrap(), data(4, 6, 1).unwrap());
        for step in 0..5 {
            let whole = large.batch(step, 0);
            let parts: Vec<TextBatch> = (0..3).map(|micro| small.batch(step, micro)).collect();
            assert!(parts.iter().flat_map(|part| &part.inputs).eq(&whole.inputs));
            assert!(parts.iter().flat_map(|part| &part.samples).eq(&whole.samples));
            assert!(parts.iter().flat_map(|part| &part.targets).eq(&whole.targets));
        }
        assert_eq!((small.epochs(5), small.rows_per_epoch()), (6.0, 5));
        assert_eq!(small.fingerprint(), large.fingerprint());
    }
}
