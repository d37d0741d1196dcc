//! Where text is cut before pieces are learned or looked up.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;
use regex::Regex;
use tokenizers::SplitDelimiterBehavior;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::fixed_length::FixedLength;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};

use super::{layout, library_error};
use crate::{DataError, Documents};

/// English contractions; a word, a number of up to three digits, or a run of signs, each with the
/// space before it; line ends stay with the signs they follow, so that `."` and a paragraph break
/// can be one token; any other white space.
///
/// There is no look-ahead, unlike in the patterns of GPT-2 and GPT-4: the regex engine then never
/// backtracks, whatever the text.
const PATTERN: &str = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+";

/// Any one character, spelled so that every regex engine takes it so.
const CHARACTER: &str = r"[\s\S]";

/// Characters after which a WordPiece word is cut: its search is cubic in the length of a word.
const WORDPIECE_WORD: usize = 64;

/// Words are learned from in pieces of so many bytes: no useful token is longer, and a megabyte
/// without a space must not cost a megabyte's square.
const LONGEST_WORD: usize = 256;

/// Chunks that are counted in one table, which for short documents is smaller than one each.
const CHUNKS_PER_COUNT: usize = 16;

/// Size at which text is cut for parallel work. Fixed, so that nothing depends on thread count.
pub(super) const CHUNK: usize = 256 << 10;

/// Into what text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Words, numbers and runs of signs.
    Words,
    /// The same, long ones cut as WordPiece needs.
    BoundedWords,
    /// Single characters.
    Characters,
}

impl Cut {
    pub const ALL: [Cut; 3] = [Cut::Words, Cut::BoundedWords, Cut::Characters];

    fn pattern(self) -> &'static str {
        match self {
            Cut::Words | Cut::BoundedWords => PATTERN,
            Cut::Characters => CHARACTER,
        }
    }
}

/// The cutting rule of every trained tokenizer, twice: as the part of `tokenizer.json` that the
/// library applies, and as plain regex matches on the text, which are many times as fast.
#[derive(Clone, Debug)]
pub(super) struct Segmenter {
    cut: Cut,
    pattern: Regex,
    /// Characters after which a word is cut.
    longest: usize,
}

impl Segmenter {
    pub(super) fn new(cut: Cut) -> Result<Self, DataError> {
        let pattern = Regex::new(cut.pattern()).map_err(|error| library_error("train", error.into()))?;
        let longest = if cut == Cut::BoundedWords { WORDPIECE_WORD } else { usize::MAX };
        Ok(Segmenter { cut, pattern, longest })
    }

    /// Into what it cuts.
    pub(super) fn cut(&self) -> Cut {
        self.cut
    }

    /// The rule as the library writes it.
    pub(super) fn pre_tokenizer(&self) -> Result<PreTokenizerWrapper, DataError> {
        let pattern = SplitPattern::Regex(self.cut.pattern().to_owned());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)
            .map_err(|error| library_error("train", error))?;
        let mut steps = vec![split.into()];
        if self.longest != usize::MAX {
            steps.push(FixedLength::new(self.longest).into());
        }
        steps.push(ByteLevel::new(false, false, false).into());
        Ok(Sequence::new(steps).into())
    }

    /// The words of a text. Every character falls under some branch of the pattern, so that the words
    /// together are the text.
    pub(super) fn words<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> {
        let matches = self.pattern.find_iter(text).map(|found| found.as_str());
        matches.flat_map(|word| parts(word, |rest| self.end_of_part(rest)))
    }

    fn end_of_part(&self, word: &str) -> usize {
        if word.len() <= self.longest {
            return word.len();
        }
        word.char_indices().nth(self.longest).map_or(word.len(), |(at, _)| at)
    }

    /// How often each word occurs in at most `limit` bytes of the documents, in byte characters.
    pub(super) fn count_words(&self, documents: &Documents, limit: u64) -> BTreeMap<String, u64> {
        let chunks: Vec<&str> = documents.iter().flat_map(|document| chunks(document, CHUNK)).collect();
        let counts = evenly(&chunks, limit)
            .par_chunks(CHUNKS_PER_COUNT)
            .map(|chunks| self.count(chunks))
            .reduce(HashMap::new, merge_counts);
        let characters = layout::byte_characters();
        let mut spelled = BTreeMap::new();
        for (word, count) in counts {
            let word: String = word.bytes().map(|byte| characters[byte as usize]).collect();
            let end = |rest: &str| rest.floor_char_boundary(LONGEST_WORD.min(rest.len()));
            for part in parts(&word, end) {
                *spelled.entry(part.to_owned()).or_default() += count;
            }
        }
        spelled
    }

    fn count<'t>(&self, chunks: &[&'t str]) -> HashMap<&'t str, u64> {
        let mut counts = HashMap::new();
        chunks
            .iter()
            .flat_map(|chunk| self.words(chunk))
            .for_each(|word| *counts.entry(word).or_default() += 1);
        counts
    }
}

/// Counts are integers, so neither the order of the merges nor that of a map shows.
fn merge_counts<'t>(left: HashMap<&'t str, u64>, right: HashMap<&'t str, u64>) -> HashMap<&'t str, u64> {
    let (mut large, small) = if left.len() < right.len() { (right, left) } else { (left, right) };
    small.into_iter().for_each(|(word, count)| *large.entry(word).or_default() += count);
    large
}

/// A word in pieces; `end` tells how long the first piece of what is left is.
fn parts(word: &str, end: impl Fn(&str) -> usize) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let (part, tail) = rest.split_at(end(rest));
        rest = tail;
        (!part.is_empty()).then_some(part)
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    fn words(text: &str) -> Vec<String> {
        let segmenter = Segmenter::new(Cut::Words).unwrap();
        segmenter.words(text).map(|word| word.replace(' ', "_").replace('\n', "/")).collect()
    }

    /// Words as the library cuts them, in byte characters.
    fn library_words(text: &str, segmenter: &Segmenter) -> Vec<String> {
        let mut words = PreTokenizedString::from(text);
        segmenter.pre_tokenizer().unwrap().pre_tokenize(&mut words).unwrap();
        let splits = words.get_splits(OffsetReferential::Normalized, OffsetType::None);
        splits.into_iter().map(|(word, _, _)| word.to_owned()).collect()
    }

    #[test]
    fn prose_is_cut_into_words_with_their_space() {
        assert_eq!(words("It's a 1813 novel."), ["It", "'s", "_a", "_181", "3", "_novel", "."]);
        assert_eq!(words("said,\nand \"Oh!\"\n\nShe"), ["said", ",/", "and", "_\"", "Oh", "!\"//", "She"]);
    }

    proptest! {
        #[test]
        fn the_library_cuts_at_the_same_places(text: String, prose in "[a-z0-9é字 \n,.'\"]{0,300}", word in "[a-zß字]{50,200}") {
            let characters = layout::byte_characters();
            let spell = |word: &str| word.bytes().map(|byte| characters[byte as usize]).collect::<String>();
            for segmenter in Cut::ALL.map(|cut| Segmenter::new(cut).unwrap()) {
                for text in [&text, &prose, &word] {
                    let words: Vec<&str> = segmenter.words(text).collect();
                    prop_assert_eq!(&words.concat(), text);
                    let words: Vec<String> = words.into_iter().map(spell).collect();
                    prop_assert_eq!(words, library_words(text, &segmenter));
                }
            }
        }

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
        let counts = Segmenter::new(Cut::Words).unwrap().count_words(&documents, 1 << 20);
        let lengths: Vec<(usize, u64)> = counts.iter().map(|(word, count)| (word.len(), *count)).collect();
        assert_eq!(lengths, [(88, 1), (256, 2)]);
    }
}
