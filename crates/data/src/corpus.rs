//! Documents as one array of token ids.

use xxhash_rust::xxh3::Xxh3;

use crate::{DataError, Documents, Tokenizer};

/// Token ids of all documents, end to end, each with the end-of-text token before it.
///
/// The array is read as a ring: what follows the last token is the first, an end of text. A
/// position `j` is thus at once an input and the place of a target, the token at `j + 1`. The first
/// token of a document is predicted from the end-of-text token before it, and its end is predicted
/// as one; no target asks for the next document out of the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corpus {
    tokens: Vec<u32>,
    /// Where documents begin: the positions of their end-of-text tokens, and the length of the ring.
    starts: Vec<usize>,
    bytes: u64,
}

impl Corpus {
    /// Tokenizes documents, on all cores.
    ///
    /// # Errors
    /// When the tokenizer cannot encode a text, or there are 2^32 documents.
    pub fn encode(tokenizer: &Tokenizer, documents: &Documents) -> Result<Self, DataError> {
        let limit = u32::MAX as usize;
        if documents.len() > limit {
            return Err(DataError::TooManyDocuments { documents: documents.len(), limit });
        }
        let texts: Vec<&str> = documents.iter().collect();
        let mut tokens = Vec::new();
        let mut starts = Vec::with_capacity(texts.len() + 1);
        tokenizer.encode_all(&texts, |document, ids| {
            if document == starts.len() {
                starts.push(tokens.len());
                tokens.push(tokenizer.end_of_text());
            }
            tokens.extend_from_slice(ids);
        })?;
        starts.push(tokens.len());
        Ok(Corpus { tokens, starts, bytes: documents.bytes() })
    }

    /// Number of documents.
    pub fn documents(&self) -> usize {
        self.starts.len() - 1
    }

    /// Token ids of one document, without the end-of-text token.
    pub fn document(&self, index: usize) -> &[u32] {
        &self.tokens[self.starts[index] + 1..self.starts[index + 1]]
    }

    /// Number of positions, end-of-text tokens included.
    pub fn tokens(&self) -> usize {
        self.tokens.len()
    }

    /// UTF-8 bytes of the text.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A 128-bit hash of the token ids and document bounds, in hexadecimal digits: a resumed run can
    /// see that its data has changed.
    pub fn fingerprint(&self) -> String {
        let mut hash = Xxh3::new();
        let mut buffer = Vec::with_capacity(4 << 12);
        for block in self.tokens.chunks(1 << 12) {
            buffer.clear();
            block.iter().for_each(|id| buffer.extend_from_slice(&id.to_le_bytes()));
            hash.update(&buffer);
        }
        self.starts.iter().for_each(|&start| hash.update(&(start as u64).to_le_bytes()));
        format!("{:032x}", hash.digest128())
    }

    /// The token at `position` of the ring.
    pub(crate) fn at(&self, position: usize) -> u32 {
        self.tokens[position % self.tokens.len()]
    }

    /// Whether a document begins at `position` of the ring.
    pub(crate) fn begins_document(&self, position: usize) -> bool {
        self.starts.binary_search(&(position % self.tokens.len())).is_ok()
    }

    /// Positions of one document, its end-of-text token included.
    pub(crate) fn span(&self, document: usize) -> std::ops::Range<usize> {
        self.starts[document]..self.starts[document + 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenizerConfig;

    fn corpus(texts: &[&str]) -> Corpus {
        let documents = Documents::from_iter(texts);
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &documents).unwrap();
        Corpus::encode(&tokenizer, &documents).unwrap()
    }

    #[test]
    fn each_document_follows_an_end_of_text() {
        let corpus = corpus(&["ab", "c"]);
        assert_eq!(corpus.tokens, [256, 97, 98, 256, 99]);
        assert_eq!((corpus.document(0), corpus.document(1)), (&[97, 98][..], &[99][..]));
        assert_eq!((corpus.tokens(), corpus.bytes(), corpus.documents()), (5, 3, 2));
        assert_eq!((corpus.at(4), corpus.at(5)), (99, 256));
        let begins: Vec<bool> = (0..6).map(|position| corpus.begins_document(position)).collect();
        assert_eq!(begins, [true, false, false, true, false, true]);
    }

    #[test]
    fn long_documents_are_joined_from_their_chunks() {
        let long = "word \n".repeat(100_000);
        let corpus = corpus(&[&long, "x", &long]);
        assert_eq!(corpus.documents(), 3);
        assert!(corpus.document(2).iter().zip(long.bytes()).all(|(&id, byte)| id == u32::from(byte)));
        assert_eq!(corpus.document(2).len(), long.len());
    }

    #[test]
    fn the_fingerprint_sees_tokens_and_bounds() {
        let prints = [["ab", "c"], ["a", "bc"], ["ab", "d"]].map(|texts| corpus(&texts).fingerprint());
        assert!(prints[0] != prints[1] && prints[0] != prints[2]);
        assert_eq!(prints[0], corpus(&["ab", "c"]).fingerprint());
    }

    #[test]
    fn nothing_gives_nothing() {
        let corpus = corpus(&[]);
        assert_eq!((corpus.documents(), corpus.tokens(), corpus.bytes()), (0, 0, 0));
    }
}
