//! From the scores of one anchor to its loss and their gradients.

use super::{AnchorStatistics, ContrastiveOptions, Part, Rounding, RowLoss, Special};
use crate::cpu::{Real, largest, vectorised};

/// What a row gave beside its gradients.
pub(super) struct Outcome {
    pub loss: f64,
    /// Σ over the row of gradient times score, without what was added to scores: β times the derivative by β.
    pub by_score: f64,
    pub statistics: AnchorStatistics,
}

/// A positive of the anchor.
struct Positive {
    candidate: usize,
    weight: f64,
    score: f64,
}

/// Turns the scores of an anchor into their gradients, in place. An anchor without a positive, or without a negative beside
/// a single one, has none: its gradients are 0.
pub(super) fn row<T: Real>(
    scores: &mut [T],
    specials: &[Special],
    options: ContrastiveOptions,
) -> Option<Outcome> {
    round(scores, options.rounding);
    let (mut positives, mut shifted) = (Vec::new(), Vec::new());
    for &Special { candidate, part } in specials {
        let score = &mut scores[candidate];
        match part {
            Part::Absent => *score = T::NEG_INFINITY,
            Part::Shifted(by) => {
                *score += T::of(by);
                shifted.push((candidate, by));
            }
            Part::Positive(weight) => {
                let weight = weight * options.weight;
                positives.push(Positive { candidate, weight, score: score.wide() });
                *score = T::NEG_INFINITY;
            }
        }
    }
    let total: f64 = positives.iter().map(|positive| positive.weight).sum();
    if total <= 0.0 {
        scores.fill(T::ZERO);
        return None;
    }
    let negatives = Negatives::exponentials(scores);
    let statistics = statistics(&positives, total, &negatives);
    let mut row = Row { scores, positives, total, negatives, shifted, rounding: options.rounding };
    let (loss, by_score) = match options.loss {
        RowLoss::NaiveInfoNce => row.naive(),
        RowLoss::InfoNce => row.exact(),
        RowLoss::FlatNce => row.flat(),
    };
    Some(Outcome { loss, by_score, statistics })
}

/// Sums over the negatives with the greatest score taken out.
struct Negatives {
    /// The greatest score; −∞ without negatives.
    highest: f64,
    /// Σ e^(s − highest).
    mass: f64,
    /// Σ e^(2(s − highest)).
    squares: f64,
    /// Σ (s − highest)·e^(s − highest).
    moment: f64,
}

impl Negatives {
    /// Puts `e^(s − highest)` into the place of every score.
    fn exponentials<T: Real>(scores: &mut [T]) -> Self {
        let highest = largest(scores);
        if highest == T::NEG_INFINITY {
            scores.fill(T::ZERO);
            return Negatives { highest: f64::NEG_INFINITY, mass: 0.0, squares: 0.0, moment: 0.0 };
        }
        let [mass, squares, moment] = moments(scores, highest);
        Negatives { highest: highest.wide(), mass, squares, moment }
    }

    /// logsumexp of the scores.
    fn log_sum(&self) -> f64 {
        self.highest + self.mass.ln()
    }
}

/// Lanes of the sums, in double precision.
const LANES: usize = 8;

vectorised! {
    /// `scores ← e^(scores − highest)`; returns Σ e, Σ e² and Σ (s − highest)·e in double precision.
    fn moments<T: Real>(scores: &mut [T], highest: T) -> [f64; 3] {
        let (mut mass, mut squares, mut moment) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        let mut add = |chunk: &mut [T]| {
            for (lane, score) in chunk.iter_mut().enumerate() {
                let distance = *score - highest;
                let e = distance.exp();
                let kept = e > T::NEGLIGIBLE;
                *score = if kept { e } else { T::ZERO };
                let (e, distance) = if kept { (e.wide(), distance.wide()) } else { (0.0, 0.0) };
                mass[lane] += e;
                squares[lane] += e * e;
                moment[lane] += e * distance;
            }
        };
        let mut chunks = scores.chunks_exact_mut(LANES);
        for chunk in &mut chunks {
            add(chunk);
        }
        add(chunks.into_remainder());
        [mass, squares, moment].map(|lanes| lanes.iter().sum())
    }
}

fn statistics(positives: &[Positive], total: f64, negatives: &Negatives) -> AnchorStatistics {
    let mean = |of: &dyn Fn(usize) -> f64| {
        let sum: f64 = positives.iter().enumerate().map(|(j, positive)| positive.weight * of(j)).sum();
        sum / total
    };
    AnchorStatistics {
        positive: mean(&|j| positives[j].score),
        negatives: negatives.log_sum(),
        error: mean(&|j| sigmoid(others(positives, j, negatives) - positives[j].score)),
        effective: if negatives.squares > 0.0 {
            negatives.mass * negatives.mass / negatives.squares
        } else {
            0.0
        },
    }
}

/// logsumexp of all candidates but positive number `j`.
fn others(positives: &[Positive], j: usize, negatives: &Negatives) -> f64 {
    let rest = positives.iter().enumerate().filter(|&(i, _)| i != j).map(|(_, positive)| positive.score);
    rest.fold(negatives.log_sum(), log_add)
}

/// A row whose negatives hold `e^(s − highest)` and whose positives hold nothing yet.
struct Row<'a, T> {
    scores: &'a mut [T],
    positives: Vec<Positive>,
    /// Sum of the positives' weights.
    total: f64,
    negatives: Negatives,
    /// Negatives with what was added to their scores.
    shifted: Vec<(usize, f64)>,
    rounding: Rounding,
}

impl<T: Real> Row<'_, T> {
    /// Turns the negatives' exponentials into their gradients by a factor, and returns the sum of gradients times scores,
    /// of which what was added is no part.
    fn spread(&mut self, factor: f64) -> f64 {
        let Negatives { highest, mass, moment, .. } = self.negatives;
        let exponential = |&(candidate, by): &(usize, f64)| self.scores[candidate].wide() * by;
        let added: f64 = self.shifted.iter().map(exponential).sum();
        scale(self.scores, T::of(factor));
        round(self.scores, self.rounding);
        if mass == 0.0 { 0.0 } else { factor * (moment + highest * mass - added) }
    }

    /// `log(1 + ξ)` and minus the sum of the others' probabilities: nothing cancels.
    fn exact(&mut self) -> (f64, f64) {
        let scores = self.positives.iter().map(|positive| positive.score);
        let log_sum = scores.fold(self.negatives.log_sum(), log_add);
        let mut by_score = self.spread(self.total * (self.negatives.highest - log_sum).exp());
        let mut loss = 0.0;
        for (j, &Positive { candidate, weight, score }) in self.positives.iter().enumerate() {
            let margin = others(&self.positives, j, &self.negatives) - score;
            loss += weight * self.rounding.round(softplus(margin));
            // r·p − t = −t·(1 − p) + (r − t)·p, where 1 − p is a sigmoid of its own.
            let gradient = (self.total - weight) * (score - log_sum).exp() - weight * sigmoid(margin);
            self.scores[candidate] = T::of(self.rounding.round(gradient));
            by_score += gradient * score;
        }
        (loss, by_score)
    }

    /// `logsumexp − s` and `softmax − 1` in the arithmetic of the scores.
    fn naive(&mut self) -> (f64, f64) {
        let Negatives { highest: negative, mass: negatives, .. } = self.negatives;
        let highest = self.positives.iter().map(|positive| positive.score).fold(negative, f64::max);
        let lowered = if negatives > 0.0 { (negative - highest).exp() } else { 0.0 };
        let exponential = |score: f64| (T::of(score) - T::of(highest)).exp();
        let all = self.positives.iter().map(|positive| exponential(positive.score));
        let mass = all.fold(T::of(negatives * lowered), |sum, e| sum + e);
        let rounding = self.rounding;
        let one = |x: T| T::of(rounding.round(x.wide()));
        let log_sum = one(T::of(highest) + T::of(mass.wide().ln()));
        let mut by_score = self.spread(self.total * lowered / mass.wide());
        let mut loss = 0.0;
        for &Positive { candidate, weight, score } in &self.positives {
            loss += weight * one(log_sum - T::of(score)).wide();
            let share = one(exponential(score) / mass);
            let gradient = T::of(self.total) * share - T::of(weight);
            self.scores[candidate] = gradient;
            by_score += gradient.wide() * score;
        }
        (loss, by_score)
    }

    /// `log ξ` over the negatives alone.
    fn flat(&mut self) -> (f64, f64) {
        if self.negatives.mass == 0.0 {
            return (0.0, 0.0);
        }
        let log_sum = self.negatives.log_sum();
        let mut by_score = self.spread(self.total / self.negatives.mass);
        let mut loss = 0.0;
        for &Positive { candidate, weight, score } in &self.positives {
            loss += weight * self.rounding.round(log_sum - score);
            self.scores[candidate] = T::of(-weight);
            by_score -= weight * score;
        }
        (loss, by_score)
    }
}

vectorised! {
    fn scale<T: Real>(row: &mut [T], factor: T) {
        for x in row.iter_mut() {
            let scaled = *x * factor;
            *x = if scaled > T::NEGLIGIBLE { scaled } else { T::ZERO };
        }
    }
}

/// log(e^a + e^b) without overflow.
fn log_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// log(1 + e^x).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

fn round<T: Real>(row: &mut [T], rounding: Rounding) {
    if rounding != Rounding::None {
        row.iter_mut().for_each(|x| *x = T::of(rounding.round(x.wide())));
    }
}
