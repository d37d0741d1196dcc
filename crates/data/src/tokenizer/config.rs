//! Which tokenizer a run uses.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout;
use crate::DataError;

/// How text becomes numbers. Every trained kind works on bytes under the surface, so that it can
/// encode any text and decoding gives back every byte.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TokenizerConfig {
    /// One token for each UTF-8 byte: nothing to train.
    #[default]
    Byte,
    /// Byte-pair encoding: the most frequent neighbours are joined, again and again.
    Bpe(VocabularyConfig),
    /// A unigram language model of pieces: the most probable segmentation wins.
    Unigram(VocabularyConfig),
    /// The longest known piece wins, from left to right; pieces inside a word are distinct.
    Wordpiece(VocabularyConfig),
    /// One token for each character that is frequent enough; the others are spelled in bytes.
    Character(VocabularyConfig),
    /// A `tokenizer.json` that exists already.
    File {
        /// Its path.
        path: PathBuf,
    },
}

/// What a trained vocabulary is learned from and how large it becomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct VocabularyConfig {
    /// Number of tokens, the 256 bytes and 3 special tokens included. Little text can yield fewer.
    pub vocabulary: usize,
    /// How often a pair of neighbours must occur to be joined (`bpe` and `wordpiece`), or a character to be a token
    /// (`character`).
    pub minimum_count: u64,
    /// Learn from at most so many bytes of the training text, taken evenly over its length.
    pub training_bytes: u64,
}

impl Default for VocabularyConfig {
    fn default() -> Self {
        VocabularyConfig { vocabulary: 1024, minimum_count: 2, training_bytes: 64 << 20 }
    }
}

impl TokenizerConfig {
    /// Checks every value that the type does not.
    ///
    /// # Errors
    /// A vocabulary that cannot hold all bytes or exceeds a million tokens, or a training sample
    /// outside 1 kB to 1 GiB.
    pub fn validate(&self) -> Result<(), DataError> {
        match self {
            TokenizerConfig::Byte | TokenizerConfig::File { .. } => Ok(()),
            TokenizerConfig::Bpe(config)
            | TokenizerConfig::Unigram(config)
            | TokenizerConfig::Character(config) => config.validate(layout::BASE_TOKENS),
            TokenizerConfig::Wordpiece(config) => config.validate(layout::WORDPIECE_BASE_TOKENS),
        }
    }
}

impl VocabularyConfig {
    fn validate(&self, base: usize) -> Result<(), DataError> {
        check("tokenizer.vocabulary", self.vocabulary as u64, base as u64 + 1, 1_000_000)?;
        check("tokenizer.minimum_count", self.minimum_count, 1, u64::MAX)?;
        // The unigram trainer counts in 32 bits, which a gigabyte cannot overflow.
        check("tokenizer.training_bytes", self.training_bytes, 1000, 1 << 30)
    }
}

fn check(key: &'static str, value: u64, least: u64, most: u64) -> Result<(), DataError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let range = if most == u64::MAX { format!("at least {least}") } else { format!("{least} to {most}") };
    Err(DataError::OutOfRange { key, value: value.to_string(), range })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vocabulary_must_hold_all_bytes() {
        let sized = |vocabulary| VocabularyConfig { vocabulary, ..VocabularyConfig::default() };
        assert!(TokenizerConfig::Bpe(sized(260)).validate().is_ok());
        assert!(TokenizerConfig::Bpe(sized(259)).validate().is_err());
        assert!(TokenizerConfig::Wordpiece(sized(515)).validate().is_err());
        assert!(TokenizerConfig::Unigram(sized(2_000_000)).validate().is_err());
    }

    #[test]
    fn reads_the_kind_and_keeps_other_defaults() {
        let config: TokenizerConfig = serde_json::from_str(r#"{"kind":"bpe","vocabulary":2000}"#).unwrap();
        let expected = VocabularyConfig { vocabulary: 2000, ..VocabularyConfig::default() };
        assert_eq!(config, TokenizerConfig::Bpe(expected));
    }
}
