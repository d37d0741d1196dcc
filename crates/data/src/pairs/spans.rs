//! Hiding spans of running text for a model that writes what is hidden.
//!
//! Of n tokens, `h = round(probability · n)` are hidden in `round(h / mean_length)` spans. The source is the text with a
//! sentinel in the place of each span, the target each sentinel with the span behind it:
//!
//! ```text
//! text     Thank you for inviting me to your party last week
//! source   Thank you <0> me to your party <1> week
//! target   <0> for inviting <1> last
//! ```
//!
//! Text and spans take turns, text first, and every way to divide both is equally likely. Sentinels are the ids after the
//! tokenizer's vocabulary. Source: Raffel et al., "Exploring the limits of transfer learning with a unified text-to-text
//! transformer", 2020, sections 3.1.4 and 3.3.4.

use mixlab_core::{Key, Stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PairBatch;
use super::batch::PairRow;
use crate::{DataError, TokenBatch, Tokenizer};

/// How much of a text is hidden, and in how long spans.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SpanConfig {
    /// The part of the tokens of a row that is hidden.
    pub probability: f64,
    /// Mean number of tokens in a span.
    pub mean_length: f64,
}

impl Default for SpanConfig {
    fn default() -> Self {
        SpanConfig { probability: 0.15, mean_length: 3.0 }
    }
}

impl SpanConfig {
    /// # Errors
    /// A probability outside (0, 1) or a mean length below 1.
    pub fn validate(&self) -> Result<(), DataError> {
        let refuse = |key, value: f64, range: &str| {
            Err(DataError::OutOfRange { key, value: value.to_string(), range: range.to_owned() })
        };
        if !(self.probability > 0.0 && self.probability < 1.0) {
            return refuse("objective.spans.probability", self.probability, "above 0 and below 1");
        }
        if !(self.mean_length >= 1.0 && self.mean_length.is_finite()) {
            return refuse("objective.spans.mean_length", self.mean_length, "1 or more");
        }
        Ok(())
    }

    /// Tokens of `tokens` that are hidden, and the spans they make. Nothing of fewer than two tokens is hidden, and
    /// something is left of the others.
    pub fn hidden(&self, tokens: usize) -> (usize, usize) {
        if tokens < 2 {
            return (0, 0);
        }
        let hidden = ((tokens as f64 * self.probability).round() as usize).clamp(1, tokens - 1);
        let spans = (hidden as f64 / self.mean_length).round() as usize;
        (hidden, spans.clamp(1, hidden.min(tokens - hidden)))
    }

    /// Positions of source and target of a row of `tokens` tokens, their ends included.
    pub fn lengths(&self, tokens: usize) -> [usize; 2] {
        let (hidden, spans) = self.hidden(tokens);
        [tokens - hidden + spans + 1, hidden + spans + 1]
    }

    /// Source and target of a row. `sentinel` is the id of the first sentinel.
    fn divide(&self, ids: &[u32], sentinel: u32, key: Key, sample: u64) -> [Vec<u32>; 2] {
        let (hidden, spans) = self.hidden(ids.len());
        let shown = composition(ids.len() - hidden, spans, &key.site("shown").sample(sample));
        let hidden = composition(hidden, spans, &key.site("hidden").sample(sample));
        let (mut source, mut target, mut rest) = (Vec::new(), Vec::new(), ids);
        for (span, (shown, hidden)) in shown.into_iter().zip(hidden).enumerate() {
            let sentinel = sentinel + span as u32;
            let (text, after) = rest.split_at(shown);
            let (span, after) = after.split_at(hidden);
            source.extend_from_slice(text);
            source.push(sentinel);
            target.push(sentinel);
            target.extend_from_slice(span);
            rest = after;
        }
        source.extend_from_slice(rest);
        [source, target]
    }
}

/// `items` as the sum of `parts` positive numbers, each such sum equally likely.
fn composition(items: usize, parts: usize, stream: &Stream) -> Vec<usize> {
    if parts == 0 {
        return Vec::new();
    }
    let mut cuts: Vec<usize> =
        stream.permutation(items - 1).into_iter().take(parts - 1).map(|cut| cut + 1).collect();
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([items]);
    ends.zip([0].into_iter().chain(cuts.iter().copied())).map(|(end, start)| end - start).collect()
}

/// Rows of running text as sources with hidden spans and targets that name them. Padding is left out; rows that did not
/// count do not. All choices are a function of `key` and the sample id of a row: use a key of the step with
/// [`mixlab_core::Purpose::Mask`].
///
/// With `full` lengths every row is padded to them, otherwise to the longest of the batch.
pub fn hide_spans(
    batch: &TokenBatch,
    tokenizer: &Tokenizer,
    config: &SpanConfig,
    full: Option<[usize; 2]>,
    key: Key,
) -> PairBatch {
    let sentinel = tokenizer.vocabulary() as u32;
    let divided: Vec<[Vec<u32>; 2]> = batch
        .samples
        .iter()
        .enumerate()
        .map(|(row, &sample)| config.divide(&real(batch, row), sentinel, key, sample))
        .collect();
    let row = |(row, [source, target]): (usize, &[Vec<u32>; 2])| PairRow {
        source: source.clone(),
        target: target.clone(),
        sample: batch.samples[row],
        counts: !target.is_empty() && batch.weights[batch.row(row)].iter().any(|&weight| weight > 0.0),
    };
    let rows: Vec<PairRow> = divided.iter().enumerate().map(row).collect();
    PairBatch::of_rows(&rows, full, tokenizer.end_of_text(), tokenizer.padding())
}

/// The tokens of a row without its padding.
fn real(batch: &TokenBatch, row: usize) -> Vec<u32> {
    let at = batch.row(row);
    let ids = &batch.inputs[at.clone()];
    match &batch.padding {
        Some(padding) => ids.iter().zip(&padding[at]).filter(|&(_, &real)| real).map(|(&id, _)| id).collect(),
        None => ids.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Documents, TokenizerConfig};
    use mixlab_core::Purpose;
    use proptest::prelude::*;

    const SENTINEL: u32 = 1000;

    fn key() -> Key {
        Key::root(1).purpose(Purpose::Mask).step(0)
    }

    /// The text that source and target were made of.
    fn joined(source: &[u32], target: &[u32]) -> Vec<u32> {
        let spans: Vec<Vec<u32>> = target.split(|&id| id >= SENTINEL).skip(1).map(<[u32]>::to_vec).collect();
        let mut text = Vec::new();
        for &id in source {
            match id.checked_sub(SENTINEL) {
                Some(span) => text.extend_from_slice(&spans[span as usize]),
                None => text.push(id),
            }
        }
        text
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_as_much_is_hidden_as_said(
            tokens in 0usize..300, probability in 0.01..0.99f64, mean_length in 1.0..9.0f64, sample: u64,
        ) {
            let config = SpanConfig { probability, mean_length };
            let ids: Vec<u32> = (0..tokens as u32).collect();
            let [source, target] = config.divide(&ids, SENTINEL, key(), sample);
            prop_assert_eq!(joined(&source, &target), ids);
            let (hidden, spans) = config.hidden(tokens);
            let sentinels = |ids: &[u32]| ids.iter().filter(|&&id| id >= SENTINEL).count();
            prop_assert_eq!((sentinels(&source), sentinels(&target)), (spans, spans));
            prop_assert_eq!(target.len(), hidden + spans);
            prop_assert_eq!([source.len() + 1, target.len() + 1], config.lengths(tokens));
            let shown = source.split(|&id| id >= SENTINEL).take(spans).all(|text| !text.is_empty());
            prop_assert!(shown, "spans do not touch, and text comes first");
        }
    }

    /// 15 % in spans of 3 of 512 tokens: the numbers of the paper's defaults.
    #[test]
    fn defaults_are_those_of_the_paper() {
        assert_eq!(SpanConfig::default().hidden(512), (77, 26));
        assert_eq!(SpanConfig::default().lengths(512), [462, 104]);
    }

    #[test]
    fn every_composition_is_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for sample in 0..6000 {
            *counts.entry(composition(5, 3, &key().sample(sample))).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6, "{counts:?}");
        assert!(counts.values().all(|&count: &i32| (count - 1000).abs() < 150), "{counts:?}");
    }

    #[test]
    fn rows_become_pairs_whatever_their_padding() {
        let tokenizer = Tokenizer::train(&TokenizerConfig::Byte, &Documents::default()).unwrap();
        let batch = TokenBatch {
            batch: 2,
            length: 12,
            inputs: (0..24).collect(),
            targets: vec![0; 24],
            weights: (0..24).map(|i| f32::from(u8::from(i < 12))).collect(),
            segments: None,
            padding: Some((0..24).map(|i| !(10..12).contains(&i)).collect()),
            samples: vec![5, 6],
        };
        let config = SpanConfig::default();
        let pairs = hide_spans(&batch, &tokenizer, &config, None, key());
        assert_eq!((pairs.source_length, pairs.target_length), (12, 4));
        let end = tokenizer.end_of_text();
        let [source, target] = config.divide(&(0..10).collect::<Vec<_>>(), 259, key(), 5);
        assert_eq!(pairs.sources[..10], [&source[..], &[end]].concat());
        assert_eq!(pairs.targets[..4], [&target[..], &[end]].concat());
        assert_eq!(pairs.total_weight(), 4.0, "the second row did not count");
        let full = hide_spans(&batch, &tokenizer, &config, Some([14, 6]), key());
        assert_eq!((full.source_length, full.target_length), (14, 6));
        assert_eq!(full.sources[..10], pairs.sources[..10]);
    }

    #[test]
    fn what_hides_nothing_or_all_is_refused() {
        for bad in [(0.0, 3.0), (1.0, 3.0), (0.15, 0.5), (f64::NAN, 3.0), (0.15, f64::INFINITY)] {
            let config = SpanConfig { probability: bad.0, mean_length: bad.1 };
            assert!(matches!(config.validate(), Err(DataError::OutOfRange { .. })), "{bad:?}");
        }
        assert!(SpanConfig::default().validate().is_ok());
    }
}
