//! Sentences as rows of token ids.

use std::collections::BTreeMap;

use super::cut::{Cut, cut};
use super::{AROUND, Enclosure};
use crate::{Corpus, DataError, Documents, Tokenizer};

/// What became of the sentences of a set on their way into rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SentenceNotes {
    /// How many were cut behind a sign of punctuation.
    pub cut_at_punctuation: usize,
    /// How many were cut between two characters.
    pub cut_at_character: usize,
    /// Characters that are spelled in bytes, of a tokenizer with a token for each character.
    pub spelled_characters: usize,
    /// Sentences that the tokenizer does not give back as they were.
    pub changed: usize,
}

impl std::ops::Add for SentenceNotes {
    type Output = SentenceNotes;

    fn add(self, other: SentenceNotes) -> SentenceNotes {
        SentenceNotes {
            cut_at_punctuation: self.cut_at_punctuation + other.cut_at_punctuation,
            cut_at_character: self.cut_at_character + other.cut_at_character,
            spelled_characters: self.spelled_characters + other.spelled_characters,
            changed: self.changed + other.changed,
        }
    }
}

/// Rows of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentenceBatch {
    /// Token ids of every sentence between those that begin and end it.
    pub rows: Vec<Vec<u32>>,
    /// A number for each row, unique per (epoch, sentence) and independent of the batch size.
    pub samples: Vec<u64>,
}

impl SentenceBatch {
    /// Tokens that are to be predicted: all but those that begin a sentence.
    pub fn targets(&self) -> usize {
        self.positions() - self.rows.len()
    }

    /// Tokens of all sentences with those around them.
    pub fn positions(&self) -> usize {
        self.rows.iter().map(Vec::len).sum()
    }

    /// Tokens of the longest.
    pub fn longest(&self) -> usize {
        self.rows.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// No more than the first `count` sentences.
    #[must_use]
    pub fn first(mut self, count: usize) -> Self {
        self.rows.truncate(count);
        self.samples.truncate(count);
        self
    }

    /// The rows as slices.
    pub fn slices(&self) -> Vec<&[u32]> {
        self.rows.iter().map(Vec::as_slice).collect()
    }
}

/// Sentences of a set, tokenized.
#[derive(Debug)]
pub(super) struct Rows {
    corpus: Corpus,
    /// The tokens of those that were cut, by number.
    cut: BTreeMap<usize, Vec<u32>>,
    enclosure: Enclosure,
    notes: SentenceNotes,
}

impl Rows {
    /// Rows of at most `length` tokens, those around a sentence included.
    pub fn new(
        texts: &Documents,
        tokenizer: &Tokenizer,
        length: usize,
        part: &'static str,
    ) -> Result<Self, DataError> {
        if length <= AROUND {
            let range = format!("at least {}, since {AROUND} tokens stand around a sentence", AROUND + 1);
            return Err(DataError::OutOfRange { key: "train.length", value: length.to_string(), range });
        }
        if texts.is_empty() {
            return Err(DataError::TooShort { part, tokens: 0, length });
        }
        let corpus = Corpus::encode(tokenizer, texts)?;
        let room = length - AROUND;
        let (mut notes, mut short) = (SentenceNotes::default(), BTreeMap::new());
        for (index, text) in texts.iter().enumerate() {
            let ids = corpus.document(index);
            notes.spelled_characters += tokenizer.spelled_characters(ids);
            notes.changed += usize::from(!tokenizer.is_lossless() && tokenizer.decode(ids) != *text);
            if ids.len() > room {
                let (ids, at) = cut(tokenizer, text, room)?;
                match at {
                    Cut::Punctuation => notes.cut_at_punctuation += 1,
                    Cut::Character => notes.cut_at_character += 1,
                }
                short.insert(index, ids);
            }
        }
        Ok(Rows { corpus, cut: short, enclosure: Enclosure::of(tokenizer), notes })
    }

    pub fn len(&self) -> usize {
        self.corpus.documents()
    }

    pub fn notes(&self) -> SentenceNotes {
        self.notes
    }

    /// Hash of all tokens.
    pub fn fingerprint(&self) -> String {
        self.corpus.fingerprint()
    }

    /// A batch of (row, sample).
    pub fn batch(&self, rows: impl Iterator<Item = (usize, u64)>) -> SentenceBatch {
        let mut batch = SentenceBatch::default();
        for (row, sample) in rows {
            let text = self.cut.get(&row).map_or_else(|| self.corpus.document(row), Vec::as_slice);
            batch.rows.push(self.enclosure.row(text));
            batch.samples.push(sample);
        }
        batch
    }
}
