//! The batch of every step, as a pure function of (files, seed, step).

use crate::batch::{BatchBuilder, Window, document_windows, wants_segments};
use crate::epochs::{Epochs, check_size};
use crate::{BatchOptions, Corpus, DataError, Packing, TokenBatch, Tokenizer};

/// Training rows in their order of use.
///
/// The rows of all steps are one endless sequence, `n = 0, 1, …`; step `s` takes the rows
/// `s·batch·accumulation` onwards. An epoch is a fresh permutation of all rows, keyed by the seed
/// and its number. When documents are packed, the grid that cuts the ring of tokens into rows
/// starts at a fresh place in each epoch too, so that row bounds move and the fewer than `length`
/// tokens that fill no row are others each time.
///
/// There is no position to save: a run resumed at step `s` asks for step `s`.
#[derive(Debug)]
pub struct TrainingData {
    corpus: Corpus,
    options: BatchOptions,
    padding_id: u32,
    epochs: Epochs,
    rows: Rows,
}

/// How an epoch is cut.
#[derive(Debug)]
enum Rows {
    /// Full rows from the ring of tokens.
    Packed,
    /// These rows, each from one document.
    Documents(Vec<Window>),
}

impl TrainingData {
    /// Rows of `corpus`, in an order given by `seed`.
    ///
    /// # Errors
    /// When a size is zero, or the text is shorter than one row.
    pub fn new(
        corpus: Corpus,
        tokenizer: &Tokenizer,
        options: BatchOptions,
        seed: u64,
    ) -> Result<Self, DataError> {
        check_size("train.length", options.length)?;
        let (tokens, length) = (corpus.tokens(), options.length);
        let (rows, count) = match options.packing {
            Packing::Packed => (Rows::Packed, tokens / length),
            Packing::Documents => {
                let windows = document_windows(&corpus, length);
                let count = windows.len();
                (Rows::Documents(windows), count)
            }
        };
        if count == 0 {
            return Err(DataError::TooShort { part: "training", tokens, length });
        }
        let epochs = Epochs::new(count, options.batch, options.accumulation, seed)?;
        Ok(TrainingData { padding_id: tokenizer.padding(), corpus, options, epochs, rows })
    }

    /// The rows of micro-batch `micro` of step `step`. The same arguments always give the same batch.
    pub fn batch(&self, step: u64, micro: usize) -> TokenBatch {
        let segments = wants_segments(&self.corpus, self.options.packing, self.options.segment_masks);
        let mut builder =
            BatchBuilder::new(&self.corpus, self.options.length, self.padding_id, segments, true);
        for sample in self.epochs.samples(step, micro) {
            builder.push(self.window(sample), sample, true);
        }
        builder.finish(self.options.packing == Packing::Documents)
    }

    /// Rows in one epoch.
    pub fn rows_per_epoch(&self) -> usize {
        self.epochs.rows()
    }

    /// How often the data has been gone through when `steps` steps are done.
    pub fn epochs(&self, steps: u64) -> f64 {
        self.epochs.after(steps)
    }

    /// The tokens behind the rows.
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn window(&self, sample: u64) -> Window {
        let row = self.epochs.row(sample);
        match &self.rows {
            Rows::Documents(windows) => windows[row],
            Rows::Packed => {
                let tokens = self.corpus.tokens();
                let phase = self.epochs.key(sample).site("phase").sample(0).below(0, tokens as u64) as usize;
                let start = (phase + row * self.options.length) % tokens;
                Window { start, length: self.options.length, scored_from: 0 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Documents, SegmentMasks, TokenizerConfig};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn data(texts: &[&str], options: BatchOptions, seed: u64) -> Result<TrainingData, DataError> {
        let documents = Documents::from_iter(texts);
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &documents)?;
        TrainingData::new(Corpus::encode(&tokenizer, &documents)?, &tokenizer, options, seed)
    }

    fn options(batch: usize, length: usize) -> BatchOptions {
        BatchOptions { batch, length, ..BatchOptions::default() }
    }

    /// Ids as characters, `.` for an end of text and `_` for padding.
    fn spell(ids: &[u32]) -> String {
        let character = |&id: &u32| match id {
            256 => '.',
            257 => '_',
            id => char::from(id as u8),
        };
        ids.iter().map(character).collect()
    }

    const TEXTS: [&str; 3] = ["abcdefghij", "klmno", "pqrstuvwxyz0123456789"];

    #[test]
    fn a_batch_depends_on_nothing_but_its_step() {
        let (one, two) = (data(&TEXTS, options(3, 4), 1).unwrap(), data(&TEXTS, options(3, 4), 1).unwrap());
        let forwards: Vec<TokenBatch> = (0..40).map(|step| one.batch(step, 0)).collect();
        let backwards: Vec<TokenBatch> = (0..40).rev().map(|step| two.batch(step, 0)).collect();
        assert!(forwards.iter().eq(backwards.iter().rev()));
        let other = data(&TEXTS, options(3, 4), 2).unwrap();
        assert_ne!(other.batch(0, 0), one.batch(0, 0));
    }

    #[test]
    fn rows_do_not_depend_on_how_they_are_batched() {
        let accumulated = BatchOptions { accumulation: 3, ..options(2, 4) };
        let (small, large) = (data(&TEXTS, accumulated, 1).unwrap(), data(&TEXTS, options(6, 4), 1).unwrap());
        for step in 0..10 {
            let whole = large.batch(step, 0);
            let parts: Vec<TokenBatch> = (0..3).map(|micro| small.batch(step, micro)).collect();
            assert_eq!(whole.inputs, parts.iter().flat_map(|b| b.inputs.clone()).collect::<Vec<_>>());
            assert_eq!(whole.samples, parts.iter().flat_map(|b| b.samples.clone()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn targets_are_the_next_inputs_of_the_ring() {
        let data = data(&TEXTS, options(4, 5), 3).unwrap();
        for step in 0..20 {
            let batch = data.batch(step, 0);
            for row in 0..batch.batch {
                let range = batch.row(row);
                assert_eq!(batch.inputs[range.clone()][1..], batch.targets[range][..4]);
            }
            assert_eq!(batch.total_weight(), 20.0);
            assert_eq!(batch.padding, None);
        }
    }

    #[test]
    fn samples_number_the_rows_of_the_whole_run() {
        let data = data(&TEXTS, options(4, 5), 3).unwrap();
        assert_eq!(data.batch(0, 0).samples, [0, 1, 2, 3]);
        assert_eq!(data.batch(25, 0).samples, [100, 101, 102, 103]);
    }

    #[test]
    fn a_packed_epoch_holds_each_position_at_most_once_and_misses_less_than_a_row() {
        // Letters are distinct, so inputs tell positions; the three ends of text are counted apart.
        let data = data(&TEXTS, options(1, 4), 5).unwrap();
        assert_eq!((data.corpus().tokens(), data.rows_per_epoch()), (39, 9));
        let mut missed = Vec::new();
        for epoch in 0..3u64 {
            let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
            for row in 0..9 {
                data.batch(epoch * 9 + row, 0)
                    .inputs
                    .iter()
                    .for_each(|&id| *seen.entry(id).or_default() += 1);
            }
            assert_eq!(seen.values().sum::<usize>(), 36);
            assert!(seen.iter().all(|(&id, &count)| count == 1 || (id == 256 && count <= 3)));
            missed.push(seen);
        }
        assert!(missed[0] != missed[1] || missed[1] != missed[2], "the grid must move");
    }

    #[test]
    fn segments_follow_documents_token_by_token() {
        let data = data(&["abc", "de", "f"], options(30, 9), 2).unwrap();
        let batch = data.batch(0, 0);
        let segments = batch.segments.clone().unwrap();
        for row in 0..batch.batch {
            let (inputs, segments) = (&batch.inputs[batch.row(row)], &segments[batch.row(row)]);
            assert_eq!(segments[0], 0);
            for i in 1..9 {
                assert_eq!(segments[i] - segments[i - 1], u32::from(inputs[i] == 256));
            }
        }
    }

    #[test]
    fn segments_appear_when_there_is_more_than_one_document_or_on_demand() {
        let with = |texts: &[&str], segment_masks| {
            let options = BatchOptions { segment_masks, ..options(2, 4) };
            data(texts, options, 1).unwrap().batch(0, 0).segments.is_some()
        };
        assert!(!with(&["abcdefgh"], SegmentMasks::Auto));
        assert!(with(&["abcdefgh"], SegmentMasks::Always));
        assert!(with(&["abcd", "efgh"], SegmentMasks::Auto));
        assert!(!with(&["abcd", "efgh"], SegmentMasks::Never));
    }

    #[test]
    fn unpacked_rows_hold_one_document_and_padding() {
        let options = BatchOptions { packing: Packing::Documents, ..options(4, 4) };
        let data = data(&["ab", "cdefg", "h"], options, 1).unwrap();
        assert_eq!(data.rows_per_epoch(), 4);
        let batch = data.batch(0, 0);
        let padding = batch.padding.as_ref().unwrap();
        let mut rows: Vec<[String; 4]> = (0..4)
            .map(|row| {
                let range = batch.row(row);
                let (weights, real) = (&batch.weights[range.clone()], &padding[range.clone()]);
                [
                    spell(&batch.inputs[range.clone()]),
                    spell(&batch.targets[range]),
                    weights.iter().map(|weight| weight.to_string()).collect(),
                    real.iter().map(|&real| if real { '1' } else { '0' }).collect(),
                ]
            })
            .collect();
        rows.sort();
        let expected = [
            [".ab_", "ab._", "1110", "1110"],
            [".cde", "cdef", "1111", "1111"],
            [".h__", "h.__", "1100", "1100"],
            ["fg__", "g.__", "1100", "1100"],
        ];
        assert_eq!(rows, expected);
        assert_eq!(batch.segments, None);
    }

    #[test]
    fn too_little_text_and_empty_shapes_are_refused() {
        let short = data(&["abc"], options(1, 5), 1);
        assert!(matches!(short, Err(DataError::TooShort { tokens: 4, length: 5, .. })));
        assert!(data(&["abc"], options(1, 4), 1).is_ok());
        assert!(matches!(data(&[], options(1, 4), 1), Err(DataError::TooShort { .. })));
        let none = BatchOptions { packing: Packing::Documents, ..options(1, 4) };
        assert!(matches!(data(&[], none, 1), Err(DataError::TooShort { .. })));
        for bad in [options(0, 4), options(1, 0), BatchOptions { accumulation: 0, ..options(1, 4) }] {
            assert!(matches!(data(&["abcdef"], bad, 1), Err(DataError::OutOfRange { .. })));
        }
    }

    proptest! {
        #[test]
        fn an_unpacked_epoch_scores_every_token_and_every_end_once(
            texts in prop::collection::vec("[a-z]{1,12}", 1..8), length in 1usize..6, seed: u64,
        ) {
            let options = BatchOptions { packing: Packing::Documents, ..options(1, length) };
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let data = data(&texts, options, seed).unwrap();
            let mut targets = Vec::new();
            for row in 0..data.rows_per_epoch() as u64 {
                let batch = data.batch(row, 0);
                targets.extend(batch.targets.iter().zip(&batch.weights).filter(|(_, w)| **w > 0.0).map(|(t, _)| *t));
            }
            let mut expected: Vec<u32> =
                texts.iter().flat_map(|text| text.bytes().map(u32::from).chain([256])).collect();
            targets.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(targets, expected);
        }
    }
}
