//! Which layer's latent carries which factor of a sentence, where factors are known.

use std::collections::HashMap;

use mixlab_data::{Documents, Grammar, GrammarLanguage, GrammarSentence};
use mixlab_train::{Latents, TextVaeFolder, TrainError, Writing, WrittenText, unheard};
use serde::Serialize;

/// On which sentences it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorsOptions {
    /// Language of the grammar.
    pub language: GrammarLanguage,
    /// Pairs of sentences whose latents are exchanged.
    pub pairs: usize,
    /// Sentences of the order that are passed over first, those of the training among them.
    pub skip: usize,
    /// Which order.
    pub seed: u64,
}

impl Default for FactorsOptions {
    fn default() -> Self {
        FactorsOptions { language: GrammarLanguage::English, pairs: 500, skip: 20_000, seed: 1 }
    }
}

/// What becomes of one factor when latents are taken from another sentence, over the pairs that differ in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct FactorShares {
    /// Share of pairs in which it becomes that of the other sentence.
    pub taken: f64,
    /// Share in which it stays.
    pub kept: f64,
}

/// What becomes of the factors when some latents are taken from another sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FactorReport {
    /// The layers that are taken, from 1 for the lowest.
    pub layers: Vec<usize>,
    /// Share of pairs whose outcome is a sentence of the grammar; the others count for no factor.
    pub sentences: f64,
    /// Form, person, action, object and location.
    pub factors: [FactorShares; 5],
}

/// Exchanges the latents of every layer by itself, and of every layer with those above it, along the means of posteriors.
///
/// # Errors
/// More sentences than there are; sentences that the model cannot read.
pub fn measure_factors(
    model: &TextVaeFolder,
    options: FactorsOptions,
) -> Result<Vec<FactorReport>, TrainError> {
    let grammar = Grammar::new(options.language, options.seed);
    let count = grammar.count();
    let needed = options.pairs.checked_mul(2).and_then(|both| both.checked_add(options.skip));
    if options.pairs == 0 || needed.is_none_or(|needed| needed > count) {
        return Err(TrainError::OutOfRange {
            key: "--pairs",
            found: options.pairs.to_string(),
            expected: format!(
                "1 to {}, two of the {count} sentences behind --skip",
                count.saturating_sub(options.skip) / 2
            ),
        });
    }
    let known: HashMap<String, usize> =
        (0..count).map(|index| (grammar.sentence(index).text, index)).collect();
    let part = |first: usize| -> Vec<GrammarSentence> {
        (first..first + options.pairs).map(|index| grammar.sentence(index)).collect()
    };
    let (own, other) = (part(options.skip), part(options.skip + options.pairs));
    let encode = |sentences: &[GrammarSentence]| -> Result<Latents, TrainError> {
        let texts: Documents = sentences.iter().map(|sentence| &sentence.text).collect();
        Ok(model.encode(&texts, None)?.latents)
    };
    let (from, to) = (encode(&own)?, encode(&other)?);
    let pairs: Vec<(Values, Values)> =
        own.iter().zip(&other).map(|(own, other)| (values(own), values(other))).collect();
    choices(from.layers())
        .into_iter()
        .map(|layers| {
            let taken: Vec<usize> = layers.iter().map(|layer| layer - 1).collect();
            let mixed = from.with_layers_of(&to, &taken);
            let written = model.write(&mixed, &Writing::greedy(), &mut unheard)?;
            let factors =
                |text: &WrittenText| known.get(&text.text).map(|&index| values(&grammar.sentence(index)));
            let outcomes: Vec<Option<Values>> = written.iter().map(factors).collect();
            Ok(report(layers, &pairs, &outcomes))
        })
        .collect()
}

/// Form and words of a sentence.
type Values = [String; 5];

fn values(sentence: &GrammarSentence) -> Values {
    let GrammarSentence { form, person, action, object, location, .. } = sentence;
    [
        form.to_string(),
        (*person).to_owned(),
        (*action).to_owned(),
        (*object).to_owned(),
        (*location).to_owned(),
    ]
}

/// None, every layer by itself, and every one but the first and the last with all above it.
fn choices(layers: usize) -> Vec<Vec<usize>> {
    let alone = (1..=layers).map(|layer| vec![layer]);
    let upward = (2..layers).map(|layer| (layer..=layers).collect());
    [Vec::new()].into_iter().chain(alone).chain(upward).collect()
}

fn report(layers: Vec<usize>, pairs: &[(Values, Values)], outcomes: &[Option<Values>]) -> FactorReport {
    let shares = |factor: usize| {
        let (mut taken, mut kept, mut different) = (0, 0, 0);
        for ((own, other), outcome) in pairs.iter().zip(outcomes) {
            if own[factor] == other[factor] {
                continue;
            }
            different += 1;
            let Some(outcome) = outcome else { continue };
            taken += usize::from(outcome[factor] == other[factor]);
            kept += usize::from(outcome[factor] == own[factor]);
        }
        let share = |count: usize| count as f64 / different.max(1) as f64;
        FactorShares { taken: share(taken), kept: share(kept) }
    };
    let found = outcomes.iter().flatten().count();
    FactorReport {
        layers,
        sentences: found as f64 / outcomes.len().max(1) as f64,
        factors: std::array::from_fn(shares),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_taken_alone_and_upward() {
        assert_eq!(choices(4), [vec![], vec![1], vec![2], vec![3], vec![4], vec![2, 3, 4], vec![3, 4]]);
        assert_eq!(choices(1), [vec![], vec![1]]);
    }

    #[test]
    fn shares_are_of_the_pairs_that_differ() {
        let value = |form: &str, person: &str| -> Values {
            [form, person, "find", "lamp", "here"].map(str::to_owned)
        };
        let pairs = [
            (value("1", "anna"), value("2", "ben")),
            (value("1", "anna"), value("2", "anna")),
            (value("1", "anna"), value("3", "clara")),
        ];
        let outcomes = [Some(value("2", "anna")), Some(value("1", "anna")), None];
        let found = report(vec![1], &pairs, &outcomes);
        assert_eq!(found.sentences, 2.0 / 3.0);
        assert_eq!(found.factors[0], FactorShares { taken: 1.0 / 3.0, kept: 1.0 / 3.0 });
        assert_eq!(found.factors[1], FactorShares { taken: 0.0, kept: 0.5 });
        assert_eq!(found.factors[2], FactorShares::default());
    }
}
