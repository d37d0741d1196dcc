//! Held-out text, every token of it scored once.

use crate::batch::{BatchBuilder, Window, wants_segments};
use crate::epochs::{check_size, evaluation_rows};
use crate::{Corpus, DataError, Packing, SegmentMasks, TokenBatch, Tokenizer};

/// The shape of evaluation batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluationOptions {
    /// Rows of a batch.
    pub batch: usize,
    /// Positions in a row.
    pub length: usize,
    /// How far a window moves, 1 to `length`. What overlaps with the window before is context only:
    /// every token but the first `length` sees at least `length − stride` tokens before it.
    pub stride: usize,
    /// One document a row, or all end to end.
    pub packing: Packing,
    /// Whether rows carry document ids.
    pub segment_masks: SegmentMasks,
}

impl Default for EvaluationOptions {
    fn default() -> Self {
        EvaluationOptions {
            batch: 16,
            length: 256,
            stride: 128,
            packing: Packing::Packed,
            segment_masks: SegmentMasks::Auto,
        }
    }
}

/// Windows over held-out text.
///
/// Every token of the text has weight 1 in exactly one window, the first token of a document
/// (predicted from the end-of-text token) included. The end of a document is not text and is not
/// scored, so that the sum of the losses over [`EvaluationData::bytes`] is bits per byte:
/// `Σ nats / (ln 2 · bytes)`.
#[derive(Debug)]
pub struct EvaluationData {
    corpus: Corpus,
    options: EvaluationOptions,
    padding_id: u32,
    windows: Vec<Window>,
}

impl EvaluationData {
    /// Windows over `corpus`.
    ///
    /// # Errors
    /// When a size is zero, the stride exceeds the length, or there is no text.
    pub fn new(corpus: Corpus, tokenizer: &Tokenizer, options: EvaluationOptions) -> Result<Self, DataError> {
        check_size("evaluate.batch", options.batch)?;
        check_size("evaluate.length", options.length)?;
        if !(1..=options.length).contains(&options.stride) {
            return Err(DataError::OutOfRange {
                key: "evaluate.stride",
                value: options.stride.to_string(),
                range: format!("1 to {}, the length of a row", options.length),
            });
        }
        if corpus.tokens() == 0 {
            return Err(DataError::TooShort { part: "held-out", tokens: 0, length: options.length });
        }
        let windows = match options.packing {
            Packing::Packed => windows(0, corpus.tokens(), options),
            Packing::Documents => (0..corpus.documents())
                .map(|document| corpus.span(document))
                .flat_map(|span| windows(span.start, span.end, options))
                .collect(),
        };
        Ok(EvaluationData { padding_id: tokenizer.padding(), corpus, options, windows })
    }

    /// Number of windows.
    pub fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Number of batches.
    pub fn batches(&self) -> usize {
        self.windows.len().div_ceil(self.options.batch)
    }

    /// One batch of the same shape as all others; rows beyond the last window repeat it with weight 0.
    ///
    /// # Panics
    /// If `index` is not below [`EvaluationData::batches`].
    pub fn batch(&self, index: usize) -> TokenBatch {
        assert!(index < self.batches(), "batch {index} of {}", self.batches());
        let segments = wants_segments(&self.corpus, self.options.packing, self.options.segment_masks);
        let mut builder =
            BatchBuilder::new(&self.corpus, self.options.length, self.padding_id, segments, false);
        for (row, sample, counts) in evaluation_rows(index, self.options.batch, self.windows.len()) {
            builder.push(self.windows[row], sample, counts);
        }
        let short = self.windows.iter().any(|window| window.length < self.options.length);
        builder.finish(short)
    }

    /// Number of tokens scored.
    pub fn tokens(&self) -> u64 {
        (self.corpus.tokens() - self.corpus.documents()) as u64
    }

    /// UTF-8 bytes of the text.
    pub fn bytes(&self) -> u64 {
        self.corpus.bytes()
    }

    /// The tokens behind the windows.
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }
}

/// Windows that score each position of `start..end` once. The last is moved back to be full.
fn windows(start: usize, end: usize, options: EvaluationOptions) -> Vec<Window> {
    let length = options.length.min(end - start);
    let mut windows = vec![Window { start, length, scored_from: 0 }];
    let mut scored = start + length;
    while scored < end {
        let stop = end.min(scored + options.stride);
        let first = stop - length;
        windows.push(Window { start: first, length, scored_from: scored - first });
        scored = stop;
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Documents, TokenizerConfig};
    use proptest::prelude::*;

    fn data(texts: &[&str], options: EvaluationOptions) -> Result<EvaluationData, DataError> {
        let documents = Documents::from_iter(texts);
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &documents)?;
        EvaluationData::new(Corpus::encode(&tokenizer, &documents)?, &tokenizer, options)
    }

    fn options(batch: usize, length: usize, stride: usize) -> EvaluationOptions {
        EvaluationOptions { batch, length, stride, ..EvaluationOptions::default() }
    }

    #[test]
    fn windows_overlap_and_score_the_rest() {
        let data = data(&["abcdefg"], options(2, 4, 2)).unwrap();
        // Ring: end a b c d e f g; the end after g is not scored.
        let (first, second) = (data.batch(0), data.batch(1));
        assert_eq!(first.inputs, [256, 97, 98, 99, 98, 99, 100, 101]);
        assert_eq!(first.weights, [1., 1., 1., 1., 0., 0., 1., 1.]);
        assert_eq!(second.inputs[..4], [100, 101, 102, 103]);
        assert_eq!(second.weights, [0., 0., 1., 0., 0., 0., 0., 0.]);
        assert_eq!((data.batches(), data.tokens(), data.bytes()), (2, 7, 7));
        assert_eq!(first.padding, None);
    }

    #[test]
    fn text_shorter_than_a_row_is_padded() {
        let data = data(&["ab"], options(1, 5, 5)).unwrap();
        let batch = data.batch(0);
        assert_eq!(batch.inputs, [256, 97, 98, 257, 257]);
        assert_eq!(batch.weights, [1., 1., 0., 0., 0.]);
        assert_eq!(batch.padding.unwrap(), [true, true, true, false, false]);
    }

    #[test]
    fn impossible_shapes_and_no_text_are_refused() {
        for bad in [options(0, 4, 2), options(1, 0, 1), options(1, 4, 0), options(1, 4, 5)] {
            assert!(matches!(data(&["abc"], bad), Err(DataError::OutOfRange { .. })));
        }
        assert!(matches!(data(&[], options(1, 4, 4)), Err(DataError::TooShort { .. })));
    }

    proptest! {
        #[test]
        fn every_token_is_scored_exactly_once(
            texts in prop::collection::vec("[a-zé]{1,30}", 1..5),
            (length, stride) in (1usize..12).prop_flat_map(|length| (Just(length), 1..=length)),
            batch in 1usize..4,
            unpacked: bool,
        ) {
            let packing = if unpacked { Packing::Documents } else { Packing::Packed };
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let data = data(&texts, EvaluationOptions { packing, ..options(batch, length, stride) }).unwrap();
            let (mut scored, mut shapes) = (Vec::new(), std::collections::BTreeSet::new());
            for index in 0..data.batches() {
                let batch = data.batch(index);
                shapes.insert((batch.inputs.len(), batch.padding.is_some(), batch.segments.is_some()));
                for i in (0..batch.inputs.len()).filter(|&i| batch.weights[i] > 0.0) {
                    scored.push(batch.targets[i]);
                }
            }
            // Windows come in the order of the text, so the scored targets spell it.
            let text: Vec<u32> = texts.concat().bytes().map(u32::from).collect();
            prop_assert_eq!(scored, text);
            prop_assert_eq!(shapes.len(), 1);
            prop_assert_eq!(data.bytes(), texts.concat().len() as u64);
        }

        #[test]
        fn every_token_sees_the_context_the_stride_promises(
            count in 20usize..60, length in 2usize..12, cut in 0usize..10,
        ) {
            let options = options(1, length, length - cut.min(length - 1));
            for window in windows(0, count, options).iter().skip(1) {
                prop_assert!(window.scored_from >= length - options.stride);
            }
        }
    }
}
