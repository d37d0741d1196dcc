//! Hiding tokens for a masked language model.
//!
//! Source: Devlin, Chang, Lee and Toutanova, "BERT: pre-training of deep bidirectional
//! transformers", NAACL 2019, section 3.1, task 1; whole words as in the authors' later release.

use mixlab_core::{Key, Stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DataError, TokenBatch, Tokenizer};

/// Which tokens are to be predicted, and what the model sees in their place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MaskingConfig {
    /// The part of the tokens of a row that is to be predicted.
    pub probability: f64,
    /// The part of those that is shown as the mask token.
    pub mask_fraction: f64,
    /// The part of those that is shown as a random token. The rest is shown as it is.
    pub random_fraction: f64,
    /// Whether the tokens of a word are chosen together.
    pub whole_word: bool,
}

impl Default for MaskingConfig {
    fn default() -> Self {
        MaskingConfig { probability: 0.15, mask_fraction: 0.8, random_fraction: 0.1, whole_word: false }
    }
}

impl MaskingConfig {
    /// Checks that all fractions lie between 0 and 1, and what is shown otherwise is no more than all.
    ///
    /// # Errors
    /// A fraction out of range.
    pub fn validate(&self) -> Result<(), DataError> {
        let check = |key, value: f64, least_open: bool, most: f64| {
            if value >= 0.0 && value <= most && !(least_open && value == 0.0) {
                return Ok(());
            }
            let range = format!("{} 0 and at most {most}", if least_open { "above" } else { "at least" });
            Err(DataError::OutOfRange { key, value: value.to_string(), range })
        };
        check("objective.masking.probability", self.probability, true, 1.0)?;
        check("objective.masking.mask_fraction", self.mask_fraction, false, 1.0)?;
        check("objective.masking.random_fraction", self.random_fraction, false, 1.0 - self.mask_fraction)
    }
}

/// Hides tokens of every row: inputs change, targets become the original tokens of the same
/// positions, and weights are 1 where a token is to be predicted and 0 elsewhere.
///
/// Of `n` real tokens of a row, `max(1, round(probability·n))` are chosen; whole words are taken while
/// they fit into that number. Special tokens, padding and rows that did not count before are left
/// alone. All choices are a function of `key` and the sample id of the row: use a key of the step
/// with [`mixlab_core::Purpose::Mask`].
///
/// # Errors
/// A config out of range, or a tokenizer without a mask token.
pub fn mask_batch(
    batch: &TokenBatch,
    tokenizer: &Tokenizer,
    config: &MaskingConfig,
    key: Key,
) -> Result<TokenBatch, DataError> {
    config.validate()?;
    let mask = tokenizer.mask_token().ok_or(DataError::NoMaskToken)?;
    let mut masked = batch.clone();
    masked.targets.clone_from(&batch.inputs);
    masked.weights.fill(0.0);
    for (row, &sample) in batch.samples.iter().enumerate() {
        let range = batch.row(row);
        if batch.weights[range.clone()].iter().all(|&weight| weight == 0.0) {
            continue;
        }
        let ids = &batch.inputs[range.clone()];
        let words = words(ids, batch.padding.as_ref().map(|p| &p[range.clone()]), tokenizer, config);
        let action = key.site("action").sample(sample);
        for position in choose(&words, config.probability, &key.site("choice").sample(sample)) {
            let cell = range.start + position;
            masked.weights[cell] = 1.0;
            masked.inputs[cell] = shown(ids[position], position, mask, tokenizer, config, &action);
        }
    }
    Ok(masked)
}

/// Groups of positions that are chosen together; special tokens and padding are in none.
fn words(
    ids: &[u32],
    real: Option<&[bool]>,
    tokenizer: &Tokenizer,
    config: &MaskingConfig,
) -> Vec<Vec<usize>> {
    let starts = if config.whole_word { tokenizer.word_starts(ids) } else { vec![true; ids.len()] };
    let mut words: Vec<Vec<usize>> = Vec::new();
    // A word does not go on across a token that cannot be chosen.
    let mut open = false;
    for (position, &id) in ids.iter().enumerate() {
        let eligible = !tokenizer.is_special(id) && real.is_none_or(|real| real[position]);
        match words.last_mut() {
            Some(word) if eligible && open && !starts[position] => word.push(position),
            _ if eligible => words.push(vec![position]),
            _ => {}
        }
        open = eligible;
    }
    words
}

/// The positions to predict: words in random order, each taken if it fits into what is left.
fn choose(words: &[Vec<usize>], probability: f64, stream: &Stream) -> Vec<usize> {
    let tokens: usize = words.iter().map(Vec::len).sum();
    let wanted = ((tokens as f64 * probability).round() as usize).clamp(usize::from(tokens > 0), tokens);
    let mut chosen = Vec::with_capacity(wanted);
    for index in stream.permutation(words.len()) {
        if chosen.len() + words[index].len() <= wanted {
            chosen.extend_from_slice(&words[index]);
        }
    }
    chosen
}

/// What the model sees in the place of `id`.
fn shown(
    id: u32,
    position: usize,
    mask: u32,
    tokenizer: &Tokenizer,
    config: &MaskingConfig,
    stream: &Stream,
) -> u32 {
    // Four numbers are set aside for each position; the second and later ones pick the random token.
    let element = 4 * position as u64;
    let draw = stream.uniform(element);
    if draw < config.mask_fraction {
        return mask;
    }
    if draw >= config.mask_fraction + config.random_fraction {
        return id;
    }
    let vocabulary = tokenizer.vocabulary() as u64;
    let random = (1..4).map(|attempt| stream.below(element + attempt, vocabulary) as u32);
    // Special tokens are few: three draws in a row practically never are all special.
    random.into_iter().find(|&random| !tokenizer.is_special(random)).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchOptions, Corpus, Documents, Packing, TokenizerConfig, TrainingData};
    use mixlab_core::Purpose;
    use proptest::prelude::*;

    fn batch(texts: &[String], options: BatchOptions) -> (TokenBatch, Tokenizer) {
        let documents = Documents::from_iter(texts);
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &documents).unwrap();
        let corpus = Corpus::encode(&tokenizer, &documents).unwrap();
        let data = TrainingData::new(corpus, &tokenizer, options, 1).unwrap();
        (data.batch(0, 0), tokenizer)
    }

    fn key(step: u64) -> Key {
        Key::root(1).purpose(Purpose::Mask).step(step)
    }

    fn long() -> (TokenBatch, Tokenizer) {
        let text = "the quick brown fox jumps over the lazy dog ".repeat(1000);
        batch(&[text], BatchOptions { batch: 40, length: 500, ..BatchOptions::default() })
    }

    #[test]
    fn fractions_are_those_of_the_config() {
        let (batch, tokenizer) = long();
        let masked = mask_batch(&batch, &tokenizer, &MaskingConfig::default(), key(0)).unwrap();
        let (mut chosen, mut hidden, mut changed) = (0.0, 0.0, 0.0);
        for i in 0..batch.inputs.len() {
            assert_eq!(masked.targets[i], batch.inputs[i]);
            if masked.weights[i] == 0.0 {
                assert_eq!(masked.inputs[i], batch.inputs[i]);
                continue;
            }
            chosen += 1.0;
            hidden += f64::from(u8::from(masked.inputs[i] == 258));
            changed += f64::from(u8::from(masked.inputs[i] != 258 && masked.inputs[i] != batch.inputs[i]));
        }
        let tokens = batch.inputs.iter().filter(|&&id| id != 256).count() as f64;
        assert!((chosen / tokens - 0.15).abs() < 1e-3);
        assert!((hidden / chosen - 0.8).abs() < 0.03, "{}", hidden / chosen);
        assert!((changed / chosen - 0.1).abs() < 0.03, "{}", changed / chosen);
    }

    #[test]
    fn choices_depend_on_key_and_sample_only() {
        let (batch, tokenizer) = long();
        let masked = |batch: &TokenBatch, step| {
            mask_batch(batch, &tokenizer, &MaskingConfig::default(), key(step)).unwrap()
        };
        assert_eq!(masked(&batch, 3), masked(&batch, 3));
        assert_ne!(masked(&batch, 3), masked(&batch, 4));
        let last = TokenBatch {
            batch: 1,
            inputs: batch.inputs[39 * 500..].to_vec(),
            targets: batch.targets[39 * 500..].to_vec(),
            weights: batch.weights[39 * 500..].to_vec(),
            samples: vec![batch.samples[39]],
            ..batch.clone()
        };
        assert_eq!(masked(&last, 3).inputs, masked(&batch, 3).inputs[39 * 500..]);
    }

    #[test]
    fn whole_words_are_chosen_together() {
        let (batch, tokenizer) = long();
        let config = MaskingConfig { whole_word: true, ..MaskingConfig::default() };
        let masked = mask_batch(&batch, &tokenizer, &config, key(0)).unwrap();
        for row in 0..batch.batch {
            let (ids, weights) = (&batch.inputs[batch.row(row)], &masked.weights[batch.row(row)]);
            let starts = tokenizer.word_starts(ids);
            for i in (1..ids.len()).filter(|&i| !starts[i]) {
                assert_eq!(weights[i], weights[i - 1], "row {row}, position {i}");
            }
            let total: f32 = weights.iter().sum();
            assert!((70.0..=75.0).contains(&total), "{total} of 500 tokens");
        }
    }

    #[test]
    fn special_tokens_padding_and_rows_that_do_not_count_are_left_alone() {
        let texts: Vec<String> = (1..9).map(|n| "word ".repeat(n)).collect();
        let options =
            BatchOptions { batch: 8, length: 45, packing: Packing::Documents, ..BatchOptions::default() };
        let (mut batch, tokenizer) = batch(&texts, options);
        let dead = batch.row(2);
        batch.weights[dead.clone()].fill(0.0);
        let all = MaskingConfig { probability: 1.0, ..MaskingConfig::default() };
        let masked = mask_batch(&batch, &tokenizer, &all, key(0)).unwrap();
        for i in 0..batch.inputs.len() {
            let plain = !dead.contains(&i) && batch.inputs[i] < 256;
            assert_eq!(masked.weights[i] > 0.0, plain, "position {i}");
        }
    }

    #[test]
    fn fractions_out_of_range_are_refused() {
        let default = MaskingConfig::default();
        for bad in [
            MaskingConfig { probability: 0.0, ..default },
            MaskingConfig { probability: 1.1, ..default },
            MaskingConfig { mask_fraction: -0.1, ..default },
            MaskingConfig { random_fraction: 0.3, ..default },
            MaskingConfig { random_fraction: f64::NAN, ..default },
        ] {
            assert!(matches!(bad.validate(), Err(DataError::OutOfRange { .. })), "{bad:?}");
        }
        assert!(default.validate().is_ok());
    }

    proptest! {
        #[test]
        fn at_least_one_and_never_more_than_wanted(
            lengths in prop::collection::vec(1usize..5, 1..40), probability in 0.01..1.0f64, sample: u64,
        ) {
            let mut next = 0;
            let words: Vec<Vec<usize>> = lengths
                .iter()
                .map(|&length| {
                    next += length;
                    (next - length..next).collect()
                })
                .collect();
            let chosen = choose(&words, probability, &key(0).sample(sample));
            prop_assert!(chosen.len() <= ((next as f64 * probability).round() as usize).max(1));
            if lengths.iter().all(|&length| length == 1) {
                prop_assert!(!chosen.is_empty());
            }
        }
    }
}
