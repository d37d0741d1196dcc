//! Labelled texts as rows of token ids.

use xxhash_rust::xxh3::Xxh3;

use super::{LabelledTexts, hash_labels, one_hot};
use crate::{Corpus, DataError, Tokenizer};

/// Rows of token ids, one text a row, with their targets, as plain arrays in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct TextBatch {
    /// Rows.
    pub batch: usize,
    /// Positions in a row.
    pub length: usize,
    /// Token ids, `[batch × length]`: the end-of-text token that stands before every document, then the
    /// text, then padding.
    pub inputs: Vec<u32>,
    /// Which positions are real, `[batch × length]`. Absent where every text of the set fills its row.
    pub padding: Option<Vec<bool>>,
    /// Probability of each class, `[batch × classes]`.
    pub targets: Vec<f32>,
    /// Class of each row, `[batch]`.
    pub labels: Vec<u32>,
    /// How much each row counts, `[batch]`: 1, or 0 for those that only fill the last batch.
    pub weights: Vec<f32>,
    /// A number for each row, unique per (epoch, text) and independent of the batch size.
    pub samples: Vec<u64>,
}

impl TextBatch {
    /// Sum of the weights: what a mean loss is divided by.
    pub fn total_weight(&self) -> f64 {
        self.weights.iter().map(|&weight| f64::from(weight)).sum()
    }
}

/// Texts of a set, tokenized and cut to the length of a row.
#[derive(Debug)]
pub(super) struct Rows {
    corpus: Corpus,
    labels: Vec<u32>,
    classes: Vec<String>,
    length: usize,
    padding_id: u32,
    /// Texts that are longer than a row.
    cut: usize,
    /// Whether any row needs padding.
    padded: bool,
}

impl Rows {
    pub fn new(
        texts: LabelledTexts,
        tokenizer: &Tokenizer,
        length: usize,
        part: &'static str,
    ) -> Result<Self, DataError> {
        if length < 2 {
            let range = "at least 2: a row begins with the end-of-text token".to_owned();
            return Err(DataError::OutOfRange { key: "train.length", value: length.to_string(), range });
        }
        texts.check()?;
        if texts.is_empty() {
            return Err(DataError::TooShort { part, tokens: 0, length });
        }
        let corpus = Corpus::encode(tokenizer, &texts.texts)?;
        let lengths = || (0..corpus.documents()).map(|document| corpus.span(document).len());
        let cut = lengths().filter(|&tokens| tokens > length).count();
        let padded = lengths().any(|tokens| tokens < length);
        let padding_id = tokenizer.padding();
        Ok(Rows { corpus, labels: texts.labels, classes: texts.classes, length, padding_id, cut, padded })
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn cut(&self) -> usize {
        self.cut
    }

    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Hash of tokens, labels and classes.
    pub fn fingerprint(&self) -> String {
        let mut hash = Xxh3::new();
        hash.update(self.corpus.fingerprint().as_bytes());
        hash_labels(&mut hash, &self.labels, &self.classes);
        format!("{:032x}", hash.digest128())
    }

    /// A batch of (row, sample, whether it counts).
    pub fn batch(&self, rows: impl Iterator<Item = (usize, u64, bool)>) -> TextBatch {
        let mut batch = TextBatch {
            batch: 0,
            length: self.length,
            inputs: Vec::new(),
            padding: self.padded.then(Vec::new),
            targets: Vec::new(),
            labels: Vec::new(),
            weights: Vec::new(),
            samples: Vec::new(),
        };
        for (row, sample, counts) in rows {
            self.push(&mut batch, row);
            batch.weights.push(f32::from(u8::from(counts)));
            batch.samples.push(sample);
        }
        batch
    }

    fn push(&self, batch: &mut TextBatch, row: usize) {
        let span = self.corpus.span(row);
        let real = span.len().min(self.length);
        batch.inputs.extend((span.start..span.start + real).map(|position| self.corpus.at(position)));
        batch.inputs.extend(std::iter::repeat_n(self.padding_id, self.length - real));
        if let Some(padding) = &mut batch.padding {
            padding.extend((0..self.length).map(|position| position < real));
        }
        batch.targets.extend(one_hot(self.labels[row], self.classes.len()));
        batch.labels.push(self.labels[row]);
        batch.batch += 1;
    }
}
