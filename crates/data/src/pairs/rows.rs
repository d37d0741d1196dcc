//! Pairs as rows of token ids.

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
        let rows: Vec<_> = rows.collect();
        let longest = |corpus: &Corpus, most: usize| match self.options.full_length {
            true => most,
            false => rows.iter().map(|&(row, ..)| corpus.span(row).len().min(most)).max().unwrap_or(0),
        };
        let mut batch = PairBatch {
            batch: rows.len(),
            source_length: longest(&self.sources, self.options.source_length),
            target_length: longest(&self.targets, self.options.target_length),
            ..PairBatch::default()
        };
        let (mut source_real, mut target_real) = (Vec::new(), Vec::new());
        for (row, sample, counts) in rows {
            let text = self.text(&self.sources, row, batch.source_length);
            source_real.extend((0..batch.source_length).map(|position| position <= text.len()));
            self.fill(&mut batch.sources, text.iter().copied().chain([self.end]), batch.source_length);
            let text = self.text(&self.targets, row, batch.target_length);
            let real = |position: usize| position <= text.len();
            target_real.extend((0..batch.target_length).map(real));
            self.fill(
                &mut batch.inputs,
                [self.end].into_iter().chain(text.iter().copied()),
                batch.target_length,
            );
            self.fill(&mut batch.targets, text.iter().copied().chain([self.end]), batch.target_length);
            let weight = |position| f32::from(u8::from(counts && real(position)));
            batch.weights.extend((0..batch.target_length).map(weight));
            batch.samples.push(sample);
        }
        let absent_if_full = |real: Vec<bool>| real.contains(&false).then_some(real);
        batch.source_padding = absent_if_full(source_real);
        batch.target_padding = absent_if_full(target_real);
        batch
    }

    /// The tokens of a text that leave one of `length` positions to the end-of-text token.
    fn text<'c>(&self, corpus: &'c Corpus, row: usize, length: usize) -> &'c [u32] {
        let text = corpus.document(row);
        &text[..text.len().min(length - 1)]
    }

    fn fill(&self, out: &mut Vec<u32>, ids: impl Iterator<Item = u32>, length: usize) {
        let end = out.len() + length;
        out.extend(ids);
        out.resize(end, self.padding);
    }
}
