//! Finding the partner of an anchor among all candidates.

use std::cmp::Ordering;

use burn::tensor::Tensor;

use super::for_each_row;

/// For every anchor how many candidates are at least as near as its own, row i of the candidates for row i of the anchors: 0
/// where it is found at once. Candidates of the same identity as the anchor's own are right answers too and do not count
/// against it; of equal scores the wrong one is taken to come first, so that embeddings that are all the same find nothing.
pub fn ranks(anchors: &Tensor<2>, candidates: &Tensor<2>, identities: Option<&[u64]>) -> Vec<usize> {
    let mut ranks = Vec::with_capacity(anchors.dims()[0]);
    for_each_row(anchors, candidates, &mut |i, scores| {
        let wrong = |j: usize| j != i && identities.is_none_or(|of| of[j] != of[i]);
        // What is no number is below nothing, and counts against the anchor.
        let behind = |score: f64| score.partial_cmp(&scores[i]) == Some(Ordering::Less);
        let ahead = scores.iter().enumerate().filter(|&(j, &score)| wrong(j) && !behind(score)).count();
        ranks.push(ahead);
    });
    ranks
}

/// Share of anchors whose own candidate is among the nearest `k`.
pub fn recall(ranks: &[usize], k: usize) -> f64 {
    ranks.iter().filter(|&&rank| rank < k).count() as f64 / ranks.len().max(1) as f64
}

/// Mean of 1/(1 + rank).
pub fn mean_reciprocal_rank(ranks: &[usize]) -> f64 {
    ranks.iter().map(|&rank| 1.0 / (1.0 + rank as f64)).sum::<f64>() / ranks.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::support::on_circle;
    use super::*;

    #[test]
    fn ranks_by_hand() {
        let (anchors, candidates) = (on_circle(&[0.0, 90.0, 180.0]), on_circle(&[10.0, 100.0, 95.0]));
        // The candidates of the second and the third anchor lie the wrong way round.
        let found = ranks(&anchors, &candidates, None);
        assert_eq!(found, [0, 1, 1]);
        assert_eq!(recall(&found, 1), 1.0 / 3.0);
        assert_eq!(recall(&found, 2), 1.0);
        assert_eq!(mean_reciprocal_rank(&found), 2.0 / 3.0);
        // Where both are the same thing, each is an answer to the other's question.
        assert_eq!(ranks(&anchors, &candidates, Some(&[0, 1, 1])), [0, 0, 0]);
    }

    #[test]
    fn what_is_all_the_same_finds_nothing() {
        let same = on_circle(&[5.0, 5.0, 5.0]);
        assert_eq!(ranks(&same, &same, None), [2, 2, 2]);
        let lost = same.clone() * f64::NAN;
        assert_eq!(ranks(&lost, &same, None), [2, 2, 2]);
    }
}
