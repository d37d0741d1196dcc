//! Where text is cut before pieces are learned or looked up.

use std::collections::BTreeMap;

use rayon::prelude::*;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::fixed_length::FixedLength;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, SplitDelimiterBehavior};

use super::library_error;
use crate::{DataError, Documents};

/// English contractions; a word, a number of up to three digits, or a run of signs, each with the
/// space before it; line ends stay with the signs they follow, so that `."` and a paragraph break
/// can be one token; any other white space.
///
/// There is no look-ahead, unlike in the patterns of GPT-2 and GPT-4: the regex engine then never
/// backtracks, whatever the text.
const PATTERN: &str = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+";

/// Characters after which a WordPiece word is cut: its search is cubic in the length of a word.
const WORDPIECE_WORD: usize = 64;

/// Words are learned from in pieces of so many bytes: no useful token is longer, and a megabyte
/// without a space must not cost a megabyte's square.
const LONGEST_WORD: usize = 256;

/// Size at which text is cut for parallel work. Fixed, so that nothing depends on thread count.
pub(super) const CHUNK: usize = 64 << 10;

/// The cutting rule of every trained tokenizer.
pub(super) fn pre_tokenizer(bounded: bool) -> Result<PreTokenizerWrapper, DataError> {
    let pattern = SplitPattern::Regex(PATTERN.to_owned());
    let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)
        .map_err(|error| library_error("train", error))?;
    let mut steps = vec![split.into()];
    if bounded {
        steps.push(FixedLength::new(WORDPIECE_WORD).into());
    }
    steps.push(ByteLevel::new(false, false, false).into());
    Ok(Sequence::new(steps).into())
}

/// How often each word occurs in at most `limit` bytes of the documents, in byte characters.
pub(super) fn count_words(
    documents: &Documents,
    limit: u64,
    pre_tokenizer: &PreTokenizerWrapper,
) -> Result<BTreeMap<String, u64>, DataError> {
    let chunks: Vec<&str> = documents.iter().flat_map(|document| chunks(document, CHUNK)).collect();
    let sample = evenly(&chunks, limit);
    sample
        .par_iter()
        .map(|chunk| count_chunk(chunk, pre_tokenizer))
        .try_reduce(BTreeMap::new, |left, right| Ok(merge_counts(left, right)))
}

fn count_chunk(chunk: &str, pre_tokenizer: &PreTokenizerWrapper) -> Result<BTreeMap<String, u64>, DataError> {
    let mut words = PreTokenizedString::from(chunk);
    pre_tokenizer.pre_tokenize(&mut words).map_err(|error| library_error("train", error))?;
    let mut counts = BTreeMap::new();
    for (word, _, _) in words.get_splits(OffsetReferential::Normalized, OffsetType::None) {
        for part in parts(word, LONGEST_WORD) {
            match counts.get_mut(part) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(part.to_owned(), 1);
                }
            }
        }
    }
    Ok(counts)
}

/// Counts are integers: the order of the merges does not show.
fn merge_counts(left: BTreeMap<String, u64>, right: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let (mut large, small) = if left.len() < right.len() { (right, left) } else { (left, right) };
    for (word, count) in small {
        *large.entry(word).or_default() += count;
    }
    large
}

/// Chunks spread over the whole text, up to `limit` bytes in all.
fn evenly<'t>(chunks: &[&'t str], limit: u64) -> Vec<&'t str> {
    let total: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
    if total <= limit {
        return chunks.to_vec();
    }
    let (mut seen, mut taken, mut sample) = (0u64, 0u64, Vec::new());
    for chunk in chunks {
        seen += chunk.len() as u64;
        // Take a chunk whenever the sample lags behind its share of the text read so far.
        let share = (u128::from(seen) * u128::from(limit) / u128::from(total)) as u64;
        if taken + chunk.len() as u64 <= share {
            taken += chunk.len() as u64;
            sample.push(*chunk);
        }
    }
    if sample.is_empty() { chunks.iter().take(1).copied().collect() } else { sample }
}

/// Cuts a document into pieces of about `size` bytes at places where [`PATTERN`] cuts anyway, so that
/// tokenizing the pieces equals tokenizing the whole. Text without such a place is cut at a character.
pub(super) fn chunks(document: &str, size: usize) -> impl Iterator<Item = &str> {
    let mut rest = document;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (chunk, tail) = rest.split_at(cut(rest, size));
        rest = tail;
        Some(chunk)
    })
}

fn cut(text: &str, size: usize) -> usize {
    if text.len() <= size {
        return text.len();
    }
    let bytes = text.as_bytes();
    let safe = (size / 2..=size).rev().find(|&at| at > 0 && is_safe_cut(bytes[at - 1], bytes[at]));
    // At least one character, even where it is longer than the size.
    safe.unwrap_or_else(|| text.floor_char_boundary(size).max(text.ceil_char_boundary(1)))
}

/// No branch of the pattern goes from a sign or letter to a space, from a letter or digit to a line
/// end, or from a line end to anything but white space.
fn is_safe_cut(before: u8, after: u8) -> bool {
    (after == b' ' && before.is_ascii_graphic())
        || (after == b'\n' && before.is_ascii_alphanumeric())
        || (before == b'\n' && after.is_ascii_graphic())
}

fn parts(word: &str, size: usize) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let at = if rest.len() <= size { rest.len() } else { rest.floor_char_boundary(size) };
        let (part, tail) = rest.split_at(at);
        rest = tail;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = PreTokenizedString::from(text);
        pre_tokenizer(false).unwrap().pre_tokenize(&mut words).unwrap();
        let splits = words.get_splits(OffsetReferential::Normalized, OffsetType::None);
        splits.into_iter().map(|(word, _, _)| word.replace('Ġ', "_").replace('Ċ', "/")).collect()
    }

    #[test]
    fn prose_is_cut_into_words_with_their_space() {
        assert_eq!(words("It's a 1813 novel."), ["It", "'s", "_a", "_181", "3", "_novel", "."]);
        assert_eq!(words("said,\nand \"Oh!\"\n\nShe"), ["said", ",/", "and", "_\"", "Oh", "!\"//", "She"]);
    }

    proptest! {
        #[test]
        fn chunks_join_to_the_text_and_are_cut_where_words_are(
            text in "[a-zé0-9。 \n\t,.'\"-]{0,200}", size in 4usize..40,
        ) {
            let pieces: Vec<&str> = chunks(&text, size).collect();
            prop_assert_eq!(pieces.concat(), text.as_str());
            let safe = pieces.windows(2).all(|pair| {
                is_safe_cut(pair[0].as_bytes()[pair[0].len() - 1], pair[1].as_bytes()[0])
            });
            if safe {
                let of_pieces: Vec<String> = pieces.iter().flat_map(|piece| words(piece)).collect();
                prop_assert_eq!(of_pieces, words(&text));
            }
        }
    }

    #[test]
    fn a_sample_is_spread_over_the_text() {
        let chunks = ["aa", "bb", "cc", "dd", "ee", "ff"];
        assert_eq!(evenly(&chunks, 100), chunks);
        assert_eq!(evenly(&chunks, 6), ["bb", "dd", "ff"]);
        assert_eq!(evenly(&chunks, 1), ["aa"]);
    }

    #[test]
    fn long_words_are_cut() {
        let documents = Documents::from_iter(["x".repeat(600)]);
        let counts = count_words(&documents, 1 << 20, &pre_tokenizer(false).unwrap()).unwrap();
        let lengths: Vec<(usize, u64)> = counts.iter().map(|(word, count)| (word.len(), *count)).collect();
        assert_eq!(lengths, [(88, 1), (256, 2)]);
    }
}
