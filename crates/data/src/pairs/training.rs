//! The pairs of every step, as a pure function of (files, seed, step).

use super::rows::Rows;
use super::{PairBatch, PairOptions, Pairs};
use crate::epochs::Epochs;
use crate::{DataError, Tokenizer};

/// Pairs in their order of use. The samples of all steps are one endless sequence, and an epoch is a fresh permutation of
/// all pairs.
#[derive(Debug)]
pub struct PairTraining {
    rows: Rows,
    epochs: Epochs,
}

impl PairTraining {
    /// Pairs in an order given by `seed`; a step has `accumulation` batches.
    ///
    /// # Errors
    /// When a size is too small, there is no pair, or the tokenizer cannot encode a text.
    pub fn new(
        pairs: &Pairs,
        tokenizer: &Tokenizer,
        options: PairOptions,
        accumulation: usize,
        seed: u64,
    ) -> Result<Self, DataError> {
        let rows = Rows::new(pairs, tokenizer, options, "training")?;
        let epochs = Epochs::new(rows.len(), options.batch, accumulation, seed)?;
        Ok(PairTraining { rows, epochs })
    }

    /// The pairs of micro-batch `micro` of step `step`. The same arguments always give the same batch.
    pub fn batch(&self, step: u64, micro: usize) -> PairBatch {
        let samples = self.epochs.samples(step, micro);
        self.rows.batch(samples.map(|sample| (self.epochs.row(sample), sample, true)))
    }

    /// Pairs in one epoch.
    pub fn pairs(&self) -> usize {
        self.epochs.rows()
    }

    /// How often the data has been gone through when `steps` steps are done.
    pub fn epochs(&self, steps: u64) -> f64 {
        self.epochs.after(steps)
    }

    /// How many pairs have a part that was cut.
    pub fn cut(&self) -> usize {
        self.rows.cut()
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

    const SOURCES: [&str; 3] = ["ab", "c", "defgh"];
    const TARGETS: [&str; 3] = ["x", "yz", "uvw"];

    fn data(batch: usize, accumulation: usize, full_length: bool) -> PairTraining {
        let pairs = Pairs { sources: SOURCES.into_iter().collect(), targets: TARGETS.into_iter().collect() };
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &pairs.texts()).unwrap();
        let options = PairOptions { batch, source_length: 4, target_length: 4, full_length };
        PairTraining::new(&pairs, &tokenizer, options, accumulation, 1).unwrap()
    }

    /// The text of some ids, with `.` for the end of a text and `_` for padding.
    fn text(ids: &[u32]) -> String {
        ids.iter()
            .map(|&id| match id {
                256 => '.',
                257 => '_',
                byte => char::from(byte as u8),
            })
            .collect()
    }

    #[test]
    fn a_decoder_writes_what_it_is_then_shown() {
        let batch = data(3, 1, true).batch(0, 0);
        let mut rows: Vec<_> = (0..3)
            .map(|row| {
                let at = row * 4..row * 4 + 4;
                let weights: Vec<u8> = batch.weights[at.clone()].iter().map(|&w| w as u8).collect();
                let of = |ids: &[u32]| text(&ids[at.clone()]);
                (of(&batch.sources), of(&batch.inputs), of(&batch.targets), weights)
            })
            .collect();
        rows.sort();
        let row = |source: &str, inputs: &str, targets: &str, weights: [u8; 4]| {
            (source.to_owned(), inputs.to_owned(), targets.to_owned(), weights.to_vec())
        };
        let expected = [
            row("ab._", ".x__", "x.__", [1, 1, 0, 0]),
            row("c.__", ".yz_", "yz._", [1, 1, 1, 0]),
            // Cut: of the source, two letters are gone.
            row("def.", ".uvw", "uvw.", [1, 1, 1, 1]),
        ];
        assert_eq!(rows, expected);
        assert_eq!((batch.total_weight(), batch.real_positions()), (9.0, [3 + 2 + 4, 2 + 3 + 4]));
        assert_eq!(data(3, 1, true).cut(), 1);
    }

    #[test]
    fn batches_are_as_long_as_their_longest_rows_and_hold_the_same() {
        let (short, whole) = (data(1, 3, false), data(3, 1, true));
        for step in 0..4 {
            let whole = whole.batch(step, 0);
            for micro in 0..3 {
                let one = short.batch(step, micro);
                assert_eq!(one.source_padding, None, "a row alone needs no padding");
                assert_eq!(one.samples[..], whole.samples[micro..=micro]);
                let at = micro * 4..micro * 4 + one.target_length;
                assert_eq!(one.targets, whole.targets[at]);
                assert_eq!(one.total_weight(), one.target_length as f64);
            }
        }
    }
}
