//! Which rows of a batch of embeddings are anchors, positives and negatives.

use std::collections::HashMap;
use std::ops::Range;

use mixlab_kernels::{Pairing, Part, Special};

/// The order of the rows of a batch of embeddings, and what they are to each other.
#[derive(Clone, Debug, PartialEq)]
pub enum Layout {
    /// Two kinds of things, such as questions and answers: anchors, then one positive for each, then `negatives` hard
    /// negatives for each, those of the first anchor first. Everything but an anchor's own positive is its negative.
    TwoTowers {
        /// Anchors.
        pairs: usize,
        /// Hard negatives of each.
        negatives: usize,
        /// What is added to the score of an anchor's own hard negatives: log of the weight they have in the sum.
        shift: f64,
    },
    /// One kind of things, two views of each: rows 2k and 2k + 1. Every row is an anchor among all others.
    TwoViews {
        /// Things, half of the rows.
        items: usize,
    },
    /// One kind of things with classes: every row is an anchor, its positives are the others of its class with equal
    /// weights that add up to one. A row that is alone in its class is a negative of the others and no anchor (Khosla et
    /// al., "Supervised contrastive learning", 2020, equation 2).
    Labelled {
        /// Class of every row.
        labels: Vec<u64>,
    },
    /// Any weights: row i is anchor i, and all rows are its candidates but itself.
    Targets {
        /// Weight of every row as a positive of every anchor, `[rows × rows]`, not negative; the diagonal is not read.
        weights: Vec<f64>,
        /// Number of rows.
        rows: usize,
    },
}

impl Layout {
    /// Rows of the batch.
    pub fn rows(&self) -> usize {
        match self {
            Layout::TwoTowers { pairs, negatives, .. } => pairs * (2 + negatives),
            Layout::TwoViews { items } => 2 * items,
            Layout::Labelled { labels } => labels.len(),
            Layout::Targets { rows, .. } => *rows,
        }
    }

    /// Rows that are anchors.
    pub fn anchors(&self) -> Range<usize> {
        match self {
            Layout::TwoTowers { pairs, .. } => 0..*pairs,
            _ => 0..self.rows(),
        }
    }

    /// Rows that are candidates.
    pub fn candidates(&self) -> Range<usize> {
        match self {
            Layout::TwoTowers { pairs, .. } => *pairs..self.rows(),
            _ => 0..self.rows(),
        }
    }

    /// The positive rows of an anchor with their weights, which add up to one unless they are given.
    fn positives(&self, anchor: usize, of_label: &Rows) -> Vec<(usize, f64)> {
        match self {
            Layout::TwoTowers { pairs, .. } => vec![(pairs + anchor, 1.0)],
            Layout::TwoViews { .. } => vec![(anchor ^ 1, 1.0)],
            Layout::Labelled { labels } => {
                let class = &of_label[&labels[anchor]];
                let weight = 1.0 / (class.len() - 1).max(1) as f64;
                class.iter().filter(|&&row| row != anchor).map(|&row| (row, weight)).collect()
            }
            Layout::Targets { weights, rows } => {
                let weights = &weights[anchor * rows..(anchor + 1) * rows];
                let positive = |&(row, &weight): &(usize, &f64)| row != anchor && weight > 0.0;
                weights.iter().enumerate().filter(positive).map(|(row, &weight)| (row, weight)).collect()
            }
        }
    }
}

/// Rows by a number that they share.
type Rows = HashMap<u64, Vec<usize>>;

fn by_number(numbers: &[u64]) -> Rows {
    let mut rows = Rows::new();
    for (row, &number) in numbers.iter().enumerate() {
        rows.entry(number).or_default().push(row);
    }
    rows
}

/// The anchors of a layout with their candidates.
pub(super) struct Forward<'a> {
    layout: &'a Layout,
    of_label: Rows,
    /// Of every row the identity of the thing, and of every thing its rows.
    identities: Option<(&'a [u64], Rows)>,
}

impl<'a> Forward<'a> {
    /// `identities` has a number for every row; rows of one number are never each other's negatives.
    pub fn new(layout: &'a Layout, identities: Option<&'a [u64]>) -> Self {
        let of_label =
            if let Layout::Labelled { labels } = layout { by_number(labels) } else { HashMap::new() };
        Forward { layout, of_label, identities: identities.map(|all| (all, by_number(all))) }
    }
}

impl Pairing for Forward<'_> {
    fn specials(&self, anchor: usize) -> Vec<Special> {
        let (layout, first) = (self.layout, self.layout.candidates().start);
        let positives = layout.positives(anchor, &self.of_label);
        let mut specials: Vec<Special> = positives
            .iter()
            .map(|&(row, weight)| Special { candidate: row - first, part: Part::Positive(weight) })
            .collect();
        if let Layout::TwoTowers { pairs, negatives, shift } = *layout
            && shift != 0.0
        {
            let own = pairs + anchor * negatives..pairs + (anchor + 1) * negatives;
            specials.extend(own.map(|candidate| Special { candidate, part: Part::Shifted(shift) }));
        }
        let mut absent: Vec<usize> = Vec::new();
        if layout.candidates().contains(&anchor) {
            absent.push(anchor - first);
        }
        if let Some((identities, rows)) = &self.identities {
            let same = rows[&identities[anchor]].iter().filter(|&&row| row >= first && row != anchor);
            absent.extend(same.map(|row| row - first));
        }
        for candidate in absent {
            match specials.iter_mut().find(|special| special.candidate == candidate) {
                // What has the identity of the anchor is no negative, but it stays the positive that it is.
                Some(special) if matches!(special.part, Part::Positive(_)) => {}
                Some(special) => special.part = Part::Absent,
                None => specials.push(Special { candidate, part: Part::Absent }),
            }
        }
        specials
    }
}

/// The other direction of two towers: every positive is an anchor among the anchors.
pub(super) struct Backward<'a> {
    identities: Option<(&'a [u64], Rows)>,
    pairs: usize,
}

impl<'a> Backward<'a> {
    pub fn new(pairs: usize, identities: Option<&'a [u64]>) -> Self {
        Backward { pairs, identities: identities.map(|all| (all, by_number(&all[..pairs]))) }
    }
}

impl Pairing for Backward<'_> {
    fn specials(&self, anchor: usize) -> Vec<Special> {
        let mut specials = vec![Special { candidate: anchor, part: Part::Positive(1.0) }];
        if let Some((identities, rows)) = &self.identities {
            let same = rows.get(&identities[self.pairs + anchor]).into_iter().flatten();
            let others = same.filter(|&&row| row != anchor);
            specials.extend(others.map(|&candidate| Special { candidate, part: Part::Absent }));
        }
        specials
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut specials: Vec<Special>) -> Vec<(usize, Part)> {
        specials.sort_by_key(|special| special.candidate);
        specials.into_iter().map(|special| (special.candidate, special.part)).collect()
    }

    #[test]
    fn two_towers_have_candidates_of_their_own() {
        let layout = Layout::TwoTowers { pairs: 3, negatives: 2, shift: 0.5 };
        assert_eq!((layout.rows(), layout.anchors(), layout.candidates()), (12, 0..3, 3..12));
        let (positive, shifted) = (Part::Positive(1.0), Part::Shifted(0.5));
        assert_eq!(
            sorted(Forward::new(&layout, None).specials(1)),
            [(1, positive), (5, shifted), (6, shifted)]
        );
        // The documents of the first and of the third pair are one, and the last hard negative of the second is it too.
        let identities = [7, 8, 7, 7, 8, 7, 1, 2, 3, 7, 5, 6];
        let forward = Forward::new(&layout, Some(&identities));
        let absent = Part::Absent;
        let expected = [(0, positive), (2, absent), (3, shifted), (4, shifted), (6, absent)];
        assert_eq!(sorted(forward.specials(0)), expected);
        assert_eq!(sorted(Backward::new(3, Some(&identities)).specials(2)), [(0, absent), (2, positive)]);
        assert_eq!(sorted(Backward::new(3, None).specials(2)), [(2, positive)]);
    }

    #[test]
    fn one_tower_leaves_the_anchor_out() {
        let layout = Layout::TwoViews { items: 2 };
        let (positive, absent) = (Part::Positive(1.0), Part::Absent);
        assert_eq!(sorted(Forward::new(&layout, None).specials(2)), [(2, absent), (3, positive)]);
        // Items that are the same thing are no negatives, their own other view stays the positive.
        let forward = Forward::new(&layout, Some(&[9, 9, 9, 9]));
        assert_eq!(sorted(forward.specials(2)), [(0, absent), (1, absent), (2, absent), (3, positive)]);
    }

    #[test]
    fn classes_share_their_weight() {
        let layout = Layout::Labelled { labels: vec![4, 5, 4, 4, 6] };
        let forward = Forward::new(&layout, None);
        let half = Part::Positive(0.5);
        assert_eq!(sorted(forward.specials(2)), [(0, half), (2, Part::Absent), (3, half)]);
        assert_eq!(sorted(forward.specials(4)), [(4, Part::Absent)], "alone in its class");
        let mut weights = vec![0.0; 9];
        (weights[1], weights[2], weights[0]) = (2.0, 0.5, 9.0);
        let targets = Layout::Targets { weights, rows: 3 };
        let expected = [(0, Part::Absent), (1, Part::Positive(2.0)), (2, half)];
        assert_eq!(sorted(Forward::new(&targets, None).specials(0)), expected);
    }
}
