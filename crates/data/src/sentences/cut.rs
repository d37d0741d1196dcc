//! What is left of a sentence that is too long for its row.

use crate::{DataError, Tokenizer};

/// Signs behind which a sentence may end early.
const PUNCTUATION: &[char] =
    &['.', '!', '?', ';', ',', ':', '…', '。', '！', '？', '；', '，', '、', '：', '．'];

/// Bytes of a token at most, among tokenizers trained here; text behind as many for every token is not looked at.
const LONGEST_TOKEN: usize = 256;

/// Where a sentence was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Behind a sign of punctuation.
    Punctuation,
    /// Between two characters, as there is no such sign within the row.
    Character,
}

/// The tokens of as much of `text` as goes into `room` tokens, and where it was cut: behind the last sign of punctuation that leaves it short
/// enough, and else behind as many characters as fit.
pub(super) fn cut(tokenizer: &Tokenizer, text: &str, room: usize) -> Result<(Vec<u32>, Cut), DataError> {
    let within = &text[..text.floor_char_boundary(room.saturating_mul(LONGEST_TOKEN))];
    let ends = |accept: &dyn Fn(char) -> bool| -> Vec<usize> {
        within.char_indices().filter(|&(_, c)| accept(c)).map(|(at, c)| at + c.len_utf8()).collect()
    };
    if let Some(ids) = longest(tokenizer, text, room, &ends(&|c| PUNCTUATION.contains(&c)))? {
        return Ok((ids, Cut::Punctuation));
    }
    if let Some(ids) = longest(tokenizer, text, room, &ends(&|_| true))? {
        return Ok((ids, Cut::Character));
    }
    // A single character of more tokens than there is room for.
    let mut ids = tokenizer.encode(within)?;
    ids.truncate(room);
    Ok((ids, Cut::Character))
}

/// The tokens of the longest beginning of `text` that ends at one of `ends`, rising, and has at most `room` tokens.
fn longest(
    tokenizer: &Tokenizer,
    text: &str,
    room: usize,
    ends: &[usize],
) -> Result<Option<Vec<u32>>, DataError> {
    // Longer beginnings have more tokens but for a few where neighbours join, which the walk down makes up for.
    let (mut low, mut high) = (0, ends.len());
    while low < high {
        let middle = (low + high) / 2;
        match tokenizer.encode(&text[..ends[middle]])?.len() <= room {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    for &end in ends[..low].iter().rev() {
        let ids = tokenizer.encode(&text[..end])?;
        if ids.len() <= room && !ids.is_empty() {
            return Ok(Some(ids));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Documents, TokenizerConfig};

    fn cut_text(text: &str, room: usize) -> (String, Cut) {
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &Documents::default()).unwrap();
        let (ids, cut) = cut(&tokenizer, text, room).unwrap();
        assert!(ids.len() <= room);
        (tokenizer.decode(&ids), cut)
    }

    #[test]
    fn the_last_sign_that_fits_ends_a_sentence() {
        assert_eq!(cut_text("one, two. three four", 12), ("one, two.".to_owned(), Cut::Punctuation));
        assert_eq!(cut_text("one, two. three four", 8), ("one,".to_owned(), Cut::Punctuation));
        assert_eq!(cut_text("一，二。三", 9), ("一，".to_owned(), Cut::Punctuation));
    }

    #[test]
    fn without_a_sign_whole_characters_stay() {
        assert_eq!(cut_text("abcdef", 4), ("abcd".to_owned(), Cut::Character));
        assert_eq!(cut_text("一二三", 7), ("一二".to_owned(), Cut::Character));
        assert_eq!(cut_text("。二", 2).1, Cut::Character);
        let long = "x".repeat(100_000);
        assert_eq!(cut_text(&long, 5).0, "xxxxx");
    }
}
