//! Texts that belong together as rows of token ids.

use super::identity::identities;
use super::rows::{COLUMNS, Sampled};
use super::{ContrastiveBatch, ContrastiveTexts};
use crate::{Corpus, DataError, Frame, Tokenizer};

/// Texts of a set, tokenized.
#[derive(Debug)]
pub struct TextRows {
    columns: Vec<Corpus>,
    identities: Vec<Vec<u64>>,
    labels: Option<Vec<u32>>,
    length: usize,
    full_length: bool,
    frame: Frame,
    cut: usize,
}

impl TextRows {
    /// Rows of at most `length` tokens, those around a text included; longer texts are cut on the right. With
    /// `full_length` every batch is that long, and not as its longest text.
    ///
    /// # Errors
    /// A length without room for a text, no text, or a text that the tokenizer cannot encode. `part` names the set.
    pub fn new(
        texts: &ContrastiveTexts,
        tokenizer: &Tokenizer,
        (length, full_length): (usize, bool),
        part: &'static str,
    ) -> Result<Self, DataError> {
        let frame = tokenizer.frame();
        if length <= frame.tokens() {
            let (least, around) = (frame.row(1), frame.tokens());
            let range = format!("at least {least}, since the tokens around a text are {around}");
            return Err(DataError::OutOfRange { key: "train.length", value: length.to_string(), range });
        }
        if texts.is_empty() {
            return Err(DataError::TooShort { part, tokens: 0, length });
        }
        let columns: Vec<Corpus> =
            texts.columns.iter().map(|column| Corpus::encode(tokenizer, column)).collect::<Result<_, _>>()?;
        let long = |row: usize| {
            columns.iter().filter(|column| frame.row(column.document(row).len()) > length).count()
        };
        Ok(TextRows {
            cut: (0..texts.len()).map(long).sum(),
            identities: identities(texts),
            labels: texts.labels.clone(),
            length,
            full_length,
            frame: frame.clone(),
            columns,
        })
    }

    /// Number of examples.
    pub fn examples(&self) -> usize {
        self.columns[0].documents()
    }

    /// Texts of an example.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// How many texts were cut.
    pub fn cut(&self) -> usize {
        self.cut
    }

    /// Class of an example, of labelled texts.
    pub fn labels(&self) -> Option<&[u32]> {
        self.labels.as_deref()
    }

    /// What every text of a column is: texts of one number are the same thing.
    pub fn identities(&self, column: usize) -> &[u64] {
        &self.identities[column]
    }

    /// Hash of all tokens and labels.
    pub fn fingerprint(&self) -> String {
        let labels = self.labels.iter().flatten().map(|label| format!(" {label}"));
        self.columns.iter().map(Corpus::fingerprint).chain(labels).collect()
    }

    /// A batch of examples: column after column, a sentence as two rows.
    pub fn batch(&self, examples: &[Sampled]) -> ContrastiveBatch {
        let views = self.columns.len() == 1 && self.labels.is_none();
        let texts: Vec<(usize, usize, u64)> = if views {
            let twice = |&(row, sample): &Sampled| [0, 1].map(|view| (0, row, COLUMNS * sample + view));
            examples.iter().flat_map(twice).collect()
        } else {
            let column = |column: usize| {
                examples.iter().map(move |&(row, sample)| (column, row, COLUMNS * sample + column as u64))
            };
            (0..self.columns.len()).flat_map(column).collect()
        };
        let mut batch = self.of_texts(&texts);
        batch.examples = examples.len();
        batch
    }

    /// One column of some examples, for embedding them.
    pub fn column(&self, column: usize, examples: std::ops::Range<usize>) -> ContrastiveBatch {
        let texts: Vec<_> = examples.map(|row| (column, row, COLUMNS * row as u64 + column as u64)).collect();
        let mut batch = self.of_texts(&texts);
        batch.examples = texts.len();
        batch
    }

    /// Rows of (column, example, sample).
    fn of_texts(&self, texts: &[(usize, usize, u64)]) -> ContrastiveBatch {
        let text = |&(column, row, _): &(usize, usize, u64)| self.columns[column].document(row);
        let longest = texts.iter().map(|place| self.frame.row(text(place).len())).max().unwrap_or(1);
        let length = if self.full_length { self.length } else { longest.min(self.length) };
        let label = |&(_, row, _): &(usize, usize, u64)| self.labels.as_ref().map(|all| u64::from(all[row]));
        ContrastiveBatch {
            samples: texts.iter().map(|&(_, _, sample)| sample).collect(),
            identities: texts.iter().map(|&(column, row, _)| self.identities[column][row]).collect(),
            labels: texts.iter().map(label).collect(),
            ..ContrastiveBatch::of_rows(texts.iter().map(text), length, &self.frame)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RowInputs, TokenizerConfig};

    fn rows(columns: &[&[&str]], labels: Option<Vec<u32>>, full: bool) -> TextRows {
        let columns = columns.iter().map(|column| column.iter().copied().collect()).collect();
        let texts = ContrastiveTexts { columns, labels };
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &texts.texts()).unwrap();
        TextRows::new(&texts, &tokenizer, (5, full), "training").unwrap()
    }

    /// The text of every row, with `.` for the end of a text and `_` for padding.
    fn shown(batch: &ContrastiveBatch) -> Vec<String> {
        let RowInputs::Tokens { ids, length, .. } = &batch.inputs else { panic!("texts are tokens") };
        let letter = |&id: &u32| match id {
            256 => '.',
            257 => '_',
            byte => char::from(byte as u8),
        };
        ids.chunks(*length).map(|row| row.iter().map(letter).collect()).collect()
    }

    #[test]
    fn columns_follow_each_other_and_long_texts_lose_their_ends() {
        let rows = rows(&[&["a", "bc"], &["defgh", "i"]], None, false);
        let batch = rows.batch(&[(1, 7), (0, 8)]);
        assert_eq!(shown(&batch), [".bc__", ".a___", ".i___", ".defg"]);
        assert_eq!((batch.samples.clone(), batch.examples, rows.cut()), (vec![28, 32, 29, 33], 2, 1));
        assert_eq!(batch.identities, [1, 0, 1, 0]);
        assert_eq!((batch.real_positions(0), batch.labels), (3 + 2 + 2 + 5, None));
        assert_eq!(shown(&rows.column(0, 0..2)), [".a_", ".bc"]);
    }

    #[test]
    fn sentences_come_twice_and_labelled_texts_once() {
        let sentences = rows(&[&["a", "b"]], None, true).batch(&[(0, 3), (1, 4)]);
        assert_eq!(shown(&sentences), [".a___", ".a___", ".b___", ".b___"]);
        assert_eq!((sentences.samples, sentences.identities), (vec![12, 13, 16, 17], vec![0, 0, 1, 1]));
        let labelled = rows(&[&["a", "b"]], Some(vec![5, 6]), false).batch(&[(1, 3), (0, 4)]);
        assert_eq!(
            (shown(&labelled), labelled.labels.clone()),
            (vec![".b".into(), ".a".into()], Some(vec![6, 5]))
        );
    }
}
