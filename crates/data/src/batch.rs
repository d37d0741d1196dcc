//! What a model is fed with.

use crate::{Corpus, Packing, SegmentMasks};

/// Rows of token ids with their targets, as plain arrays in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenBatch {
    /// Rows.
    pub batch: usize,
    /// Positions in a row.
    pub length: usize,
    /// Token ids, `[batch × length]`.
    pub inputs: Vec<u32>,
    /// The token after each input, `[batch × length]`.
    pub targets: Vec<u32>,
    /// How much each target counts, `[batch × length]`: 1, or 0 for padding and for what another
    /// window scores.
    pub weights: Vec<f32>,
    /// Which document a position belongs to, `[batch × length]`, numbered within its row in
    /// contiguous runs. Absent where rows hold one document or the config wants none.
    pub segments: Option<Vec<u32>>,
    /// Which positions are real, `[batch × length]`. Absent where all are.
    pub padding: Option<Vec<bool>>,
    /// A number for each row, unique per (epoch, sequence) and independent of the batch size.
    pub samples: Vec<u64>,
}

impl TokenBatch {
    /// Sum of the weights: what a mean loss is divided by.
    pub fn total_weight(&self) -> f64 {
        self.weights.iter().map(|&weight| f64::from(weight)).sum()
    }

    /// The positions of one row.
    pub(crate) fn row(&self, index: usize) -> std::ops::Range<usize> {
        index * self.length..(index + 1) * self.length
    }
}

/// The shape of training batches and how documents are laid into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// Rows of one micro-batch.
    pub batch: usize,
    /// Positions in a row.
    pub length: usize,
    /// Micro-batches that make up one step.
    pub accumulation: usize,
    /// One document a row, or all end to end.
    pub packing: Packing,
    /// Whether rows carry document ids.
    pub segment_masks: SegmentMasks,
}

impl Default for BatchOptions {
    fn default() -> Self {
        BatchOptions {
            batch: 16,
            length: 256,
            accumulation: 1,
            packing: Packing::Packed,
            segment_masks: SegmentMasks::Auto,
        }
    }
}

/// A stretch of a corpus that becomes one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// First position, in the ring of the corpus.
    pub start: usize,
    /// Number of positions, at most the length of a row.
    pub length: usize,
    /// Targets before this one are not scored.
    pub scored_from: usize,
}

/// Collects windows into a batch.
pub(crate) struct BatchBuilder<'c> {
    corpus: &'c Corpus,
    padding_id: u32,
    /// Whether the token that ends a document is scored.
    score_ends: bool,
    /// The batch so far.
    out: TokenBatch,
    padded: bool,
}

impl<'c> BatchBuilder<'c> {
    pub fn new(corpus: &'c Corpus, length: usize, padding_id: u32, segments: bool, score_ends: bool) -> Self {
        let out = TokenBatch {
            batch: 0,
            length,
            inputs: Vec::new(),
            targets: Vec::new(),
            weights: Vec::new(),
            segments: segments.then(Vec::new),
            padding: Some(Vec::new()),
            samples: Vec::new(),
        };
        BatchBuilder { corpus, padding_id, score_ends, out, padded: false }
    }

    /// Adds a row that counts, or one that only keeps the shape.
    pub fn push(&mut self, window: Window, sample: u64, counts: bool) {
        let mut segment = 0;
        for offset in 0..window.length {
            let position = window.start + offset;
            if offset > 0 && self.corpus.begins_document(position) {
                segment += 1;
            }
            let scored = counts
                && offset >= window.scored_from
                && (self.score_ends || !self.corpus.begins_document(position + 1));
            self.cell(self.corpus.at(position), self.corpus.at(position + 1), scored, segment, true);
        }
        for _ in window.length..self.out.length {
            self.cell(self.padding_id, self.padding_id, false, segment, false);
            self.padded = true;
        }
        self.out.samples.push(sample);
        self.out.batch += 1;
    }

    fn cell(&mut self, input: u32, target: u32, scored: bool, segment: u32, real: bool) {
        self.out.inputs.push(input);
        self.out.targets.push(target);
        self.out.weights.push(f32::from(u8::from(scored)));
        if let Some(segments) = &mut self.out.segments {
            segments.push(segment);
        }
        if let Some(padding) = &mut self.out.padding {
            padding.push(real);
        }
    }

    /// The batch; `always_padding` keeps the padding mask even where nothing is padded, so that all
    /// batches of a set look alike.
    pub fn finish(mut self, always_padding: bool) -> TokenBatch {
        if !self.padded && !always_padding {
            self.out.padding = None;
        }
        self.out
    }
}

/// Whether rows of `corpus` carry document ids.
pub(crate) fn wants_segments(corpus: &Corpus, packing: Packing, masks: SegmentMasks) -> bool {
    match masks {
        SegmentMasks::Always => true,
        SegmentMasks::Never => false,
        SegmentMasks::Auto => packing == Packing::Packed && corpus.documents() > 1,
    }
}

/// Windows of `length` that cover one document each, or a part of one where it is longer.
pub(crate) fn document_windows(corpus: &Corpus, length: usize) -> Vec<Window> {
    let pieces = |document| {
        let span = corpus.span(document);
        let end = span.end;
        span.step_by(length).map(move |start| Window {
            start,
            length: length.min(end - start),
            scored_from: 0,
        })
    };
    (0..corpus.documents()).flat_map(pieces).collect()
}
