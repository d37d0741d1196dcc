//! Sentences: texts that a model reads whole, one a row, between a token that begins and one that ends it.

mod cut;
mod evaluation;
mod rows;
mod training;

use crate::Tokenizer;

pub use evaluation::SentenceEvaluation;
pub use rows::{SentenceBatch, SentenceNotes};
pub use training::SentenceTraining;

/// The tokens that a sentence stands between, and the one that fills its row.
///
/// Tokenizers trained here have one token for both, the end of a text. Those from elsewhere say themselves what they put around a text:
/// of BERT's it is `[CLS]` and `[SEP]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enclosure {
    /// In front.
    pub begin: u32,
    /// Behind.
    pub end: u32,
    /// In the rest of the row.
    pub padding: u32,
}

/// Tokens of a row that are not of its text.
pub(crate) const AROUND: usize = 2;

impl Enclosure {
    /// That of a tokenizer.
    pub fn of(tokenizer: &Tokenizer) -> Self {
        let frame = tokenizer.frame();
        let (begin, end) = (frame.prefix.first(), frame.suffix.last());
        Enclosure {
            begin: begin.copied().unwrap_or(tokenizer.end_of_text()),
            end: end.copied().unwrap_or(tokenizer.end_of_text()),
            padding: tokenizer.padding(),
        }
    }

    /// The text of a row.
    ///
    /// # Panics
    /// If the row has not the tokens around a text.
    pub fn text(row: &[u32]) -> &[u32] {
        &row[1..row.len() - 1]
    }

    /// The row of a text.
    pub fn row(&self, text: &[u32]) -> Vec<u32> {
        [self.begin].into_iter().chain(text.iter().copied()).chain([self.end]).collect()
    }
}
