//! Pairs as rows of token ids.

use super::batch::PairRow;
use super::{PairBatch, Pairs};
use crate::{Corpus, DataError, Tokenizer};

/// The shape of batches of pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairOptions {
    /// Rows of one micro-batch.
    pub batch: usize,
    /// Most positions of a source, its end included; a longer one is cut on the right.
    pub source_length: usize,
    /// Most positions of a target, its end included; a longer one is cut on the right.
    pub target_length: usize,
    /// Whether every batch is as long as allowed, for models of a fixed length, and not as its longest row.
    pub full_length: bool,
}

/// Pairs of a set, tokenized.
#[derive(Debug)]
pub(super) struct Rows {
    sources: Corpus,
    targets: Corpus,
    options: PairOptions,
    padding: u32,
    end: u32,
    /// Pairs of which a part is longer than allowed.
    cut: usize,
}

impl Rows {
    pub fn new(
        pairs: &Pairs,
        tokenizer: &Tokenizer,
        options: PairOptions,
        part: &'static str,
    ) -> Result<Self, DataError> {
        for (key, length) in
            [("model.encoder.max_length", options.source_length), ("train.length", options.target_length)]
        {
            if length < 2 {
                let range = "at least 2: a sequence has an end-of-text token".to_owned();
                return Err(DataError::OutOfRange { key, value: length.to_string(), range });
            }
        }
        if pairs.is_empty() {
            return Err(DataError::TooShort { part, tokens: 0, length: options.target_length });
        }
        let sources = Corpus::encode(tokenizer, &pairs.sources)?;
        let targets = Corpus::encode(tokenizer, &pairs.targets)?;
        let long = |corpus: &Corpus, row: usize, most: usize| corpus.span(row).len() > most;
        let cut = (0..pairs.len())
            .filter(|&row| {
                long(&sources, row, options.source_length) || long(&targets, row, options.target_length)
            })
            .count();
        let end = tokenizer.end_of_text();
        Ok(Rows { sources, targets, options, padding: tokenizer.padding(), end, cut })
    }

    pub fn len(&self) -> usize {
        self.sources.documents()
    }

    pub fn cut(&self) -> usize {
        self.cut
    }

    /// Hash of the tokens of both parts.
    pub fn fingerprint(&self) -> String {
        format!("{}{}", self.sources.fingerprint(), self.targets.fingerprint())
    }

    /// A batch of (row, sample, whether it counts).
    pub fn batch(&self, rows: impl Iterator<Item = (usize, u64, bool)>) -> PairBatch {
        let PairOptions { source_length, target_length, full_length, .. } = self.options;
        let rows: Vec<PairRow> = rows
            .map(|(row, sample, counts)| PairRow {
                source: text(&self.sources, row, source_length),
                target: text(&self.targets, row, target_length),
                sample,
                counts,
            })
            .collect();
        let full = full_length.then_some([source_length, target_length]);
        PairBatch::of_rows(&rows, full, self.end, self.padding)
    }
}

/// The tokens of a text that leave one of `length` positions to the end-of-text token.
fn text(corpus: &Corpus, row: usize, length: usize) -> Vec<u32> {
    let text = corpus.document(row);
    text[..text.len().min(length - 1)].to_vec()
}
