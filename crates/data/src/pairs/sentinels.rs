//! Sentinels as text: `<extra_id_0>` and so on, as T5 writes them.

use crate::{DataError, Tokenizer};

const OPEN: &str = "<extra_id_";
const CLOSE: char = '>';

/// A sentinel of this number as text.
pub fn sentinel_text(number: usize) -> String {
    format!("{OPEN}{number}{CLOSE}")
}

impl Tokenizer {
    /// The text of ids of which those after the vocabulary are sentinels.
    pub fn decode_with_sentinels(&self, ids: &[u32]) -> String {
        let first = self.vocabulary() as u32;
        let mut text = String::new();
        for part in ids.chunk_by(|&a, &b| (a < first) == (b < first)) {
            if part[0] < first {
                text.push_str(&self.decode(part));
            } else {
                text.extend(part.iter().map(|&id| sentinel_text((id - first) as usize)));
            }
        }
        text
    }

    /// The ids of a text in which `<extra_id_k>` with k below `sentinels` stands for a hidden span.
    ///
    /// # Errors
    /// A text that the tokenizer cannot encode.
    pub fn encode_with_sentinels(&self, text: &str, sentinels: usize) -> Result<Vec<u32>, DataError> {
        let (mut ids, mut rest) = (Vec::new(), text);
        while let Some((at, number, after)) = next_sentinel(rest, sentinels) {
            ids.extend(self.encode(&rest[..at])?);
            ids.push((self.vocabulary() + number) as u32);
            rest = &rest[after..];
        }
        ids.extend(self.encode(rest)?);
        Ok(ids)
    }
}

/// Start, number and end of the first sentinel of a text.
fn next_sentinel(text: &str, sentinels: usize) -> Option<(usize, usize, usize)> {
    text.match_indices(OPEN).find_map(|(at, _)| {
        let digits = &text[at + OPEN.len()..];
        let close = digits.find(CLOSE)?;
        let number: usize = digits[..close].parse().ok().filter(|&number| number < sentinels)?;
        Some((at, number, at + OPEN.len() + close + CLOSE.len_utf8()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Documents, TokenizerConfig};

    #[test]
    fn sentinels_are_read_as_they_are_written() {
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &Documents::default()).unwrap();
        let first = tokenizer.vocabulary() as u32;
        let text = "a <extra_id_0> b<extra_id_12>";
        let ids = tokenizer.encode_with_sentinels(text, 13).unwrap();
        let plain = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
        assert_eq!(ids, [plain("a "), vec![first], plain(" b"), vec![first + 12]].concat());
        assert_eq!(tokenizer.decode_with_sentinels(&ids), text);
        // A number that the model does not know, and what only looks like a sentinel, are text.
        for text in ["<extra_id_13>", "<extra_id_", "<extra_id_x>", "<extra_id_1 >"] {
            assert_eq!(tokenizer.encode_with_sentinels(text, 13).unwrap(), plain(text), "{text}");
        }
    }
}
