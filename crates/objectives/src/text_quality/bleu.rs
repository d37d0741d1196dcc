//! BLEU: how many runs of one to four tokens a text shares with its reference.
//!
//! ```text
//! BLEU = min(1, e^(1 − r/c)) · (p₁·p₂·p₃·p₄)^¼
//! ```
//!
//! over all texts together, with c and r the tokens of texts and references and p_n the share of runs of n tokens that the reference has as often.
//! A p_n of nothing counts as 1/(2·runs), and every further one as half of that: the smoothing of mteval and sacrebleu. Source: Papineni et al.,
//! "BLEU", 2002; Post, "A call for clarity in reporting BLEU scores", 2018.

use std::collections::HashMap;

use super::TextTokens;

/// Longest run of tokens.
const LONGEST: usize = 4;

/// The score with its parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bleu {
    /// From 0 to 100.
    pub score: f64,
    /// p₁ to p₄, smoothed, from 0 to 1.
    pub precisions: [f64; LONGEST],
    /// The factor for texts that are shorter than their references.
    pub brevity: f64,
}

/// BLEU of `texts`, each against the reference of the same number.
///
/// # Panics
/// If there are not as many references as texts.
pub fn bleu(texts: &[&str], references: &[&str], tokens: TextTokens) -> Bleu {
    assert_eq!(texts.len(), references.len(), "a reference for each text");
    let mut sums = Sums::default();
    for (text, reference) in texts.iter().zip(references) {
        let [text, reference] = [text, reference].map(|text| tokens.cut(text));
        sums.add(&Runs::of(&text), &[&Runs::of(&reference)]);
    }
    sums.bleu()
}

/// The mean BLEU of every text against all others: the higher, the more they repeat each other. 0 for a single text.
pub fn self_bleu(texts: &[&str], tokens: TextTokens) -> f64 {
    let texts: Vec<Vec<String>> = texts.iter().map(|text| tokens.cut(text)).collect();
    let runs: Vec<Runs> = texts.iter().map(|text| Runs::of(text)).collect();
    let of = |index: usize| {
        let others: Vec<&Runs> = runs[..index].iter().chain(&runs[index + 1..]).collect();
        let mut sums = Sums::default();
        sums.add(&runs[index], &others);
        sums.bleu().score
    };
    if texts.len() < 2 {
        return 0.0;
    }
    (0..texts.len()).map(of).sum::<f64>() / texts.len() as f64
}

/// A text as the runs of its tokens.
struct Runs<'a> {
    /// Tokens.
    length: usize,
    /// How often every run of one to four tokens occurs.
    counts: [HashMap<&'a [String], usize>; LONGEST],
}

impl<'a> Runs<'a> {
    fn of(tokens: &'a [String]) -> Self {
        let counts = std::array::from_fn(|index| {
            let mut counts = HashMap::new();
            for run in tokens.windows(index + 1) {
                *counts.entry(run).or_insert(0) += 1;
            }
            counts
        });
        Runs { length: tokens.len(), counts }
    }
}

#[derive(Default)]
struct Sums {
    found: [usize; LONGEST],
    runs: [usize; LONGEST],
    length: usize,
    reference: usize,
}

impl Sums {
    /// Counts a text against its references: a run is found as often as the reference that has it most often.
    fn add(&mut self, text: &Runs, references: &[&Runs]) {
        self.length += text.length;
        // The nearest length, the shorter of two that are as near.
        let near = |reference: &&&Runs| (reference.length.abs_diff(text.length), reference.length);
        self.reference += references.iter().min_by_key(near).map_or(0, |reference| reference.length);
        for (index, counts) in text.counts.iter().enumerate() {
            for (run, &count) in counts {
                let known = references.iter().filter_map(|reference| reference.counts[index].get(run));
                self.found[index] += count.min(known.max().copied().unwrap_or(0));
                self.runs[index] += count;
            }
        }
    }

    fn bleu(&self) -> Bleu {
        let mut smoothing = 1.0;
        let mut precisions = [0.0; LONGEST];
        for (precision, (&found, &runs)) in precisions.iter_mut().zip(self.found.iter().zip(&self.runs)) {
            *precision = match (found, runs) {
                (_, 0) => 0.0,
                (0, runs) => {
                    smoothing *= 2.0;
                    1.0 / (smoothing * runs as f64)
                }
                (found, runs) => found as f64 / runs as f64,
            };
        }
        let brevity = match self.length {
            0 => 0.0,
            length if length >= self.reference => 1.0,
            length => (1.0 - self.reference as f64 / length as f64).exp(),
        };
        let mean: f64 = precisions.iter().map(|precision| precision.ln()).sum::<f64>() / LONGEST as f64;
        Bleu { score: 100.0 * brevity * mean.exp(), precisions, brevity }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 4] = [
        "the cat sat on the mat.",
        "anna finds the lamp in the garden.",
        "does ben buy 3,5 apples at the station?",
        "it was clara who sold the book.",
    ];
    const REFERENCES: [&str; 4] = [
        "the cat is on the mat.",
        "anna found the lamp in the garden.",
        "does ben buy 3,5 pears at the market?",
        "it was clara who lost the map near the river.",
    ];

    /// What sacrebleu 2.6.0 says of them.
    #[test]
    fn scores_are_those_of_sacrebleu() {
        let chinese = ["小明在花园里买书。", "小红想在桥上画灯。"];
        let others = ["小明在花园里卖书。", "小红不想在桥上画一盏灯。"];
        for (texts, references, tokens, expected) in [
            (&TEXTS[..], &REFERENCES[..], TextTokens::Words, 44.68983238798257),
            (&TEXTS, &REFERENCES, TextTokens::Characters, 61.68088847636574),
            (&chinese, &others, TextTokens::Characters, 52.464639968575455),
            (&TEXTS[..1], &REFERENCES[..1], TextTokens::Words, 48.892302243490086),
            // Without a run of four tokens there is no score.
            (&["a b", "c d e"], &["x b", "c e d f"], TextTokens::Words, 0.0),
        ] {
            let found = bleu(texts, references, tokens);
            assert!((found.score - expected).abs() < 1e-10, "{texts:?}: {found:?}");
        }
        let smoothed = bleu(&["a b", "c d e"], &["x b", "c e d f"], TextTokens::Words).precisions;
        assert!(
            (smoothed[1] - 1.0 / 6.0).abs() < 1e-15 && (smoothed[2] - 0.25).abs() < 1e-15,
            "{smoothed:?}"
        );
    }

    #[test]
    fn texts_that_repeat_each_other_are_told() {
        assert!((self_bleu(&[TEXTS[0]; 3], TextTokens::Words) - 100.0).abs() < 1e-10);
        let different = self_bleu(&TEXTS, TextTokens::Words);
        assert!(different < 25.0, "{different}");
        assert_eq!(self_bleu(&TEXTS[..1], TextTokens::Words), 0.0);
        assert_eq!(bleu(&[], &[], TextTokens::Words).score, 0.0);
    }
}
