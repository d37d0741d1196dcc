//! The vectors with the greatest scalar products, found exactly.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rayon::prelude::*;

/// Rows that one thread compares with all queries before it takes others.
const ROWS: usize = 1024;

/// Products that are summed side by side.
const LANES: usize = 8;

/// A vector that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Its row, from 0.
    pub row: usize,
    /// Its scalar product with the query.
    pub score: f64,
}

impl Eq for Hit {}

/// The greater hit is the worse one, so that the worst lies on top of a heap; of equal scores the later row is worse.
impl Ord for Hit {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.row.cmp(&other.row))
    }
}

impl PartialOrd for Hit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// For every query `[queries, width]` the `count` rows of `vectors` `[rows, width]` with the greatest scalar products, the best
/// first, of equal ones the first row; all rows if there are no more. A score depends on nothing but its two vectors.
///
/// # Panics
/// If the width is 0 or does not divide both lengths.
pub fn nearest(vectors: &[f32], width: usize, queries: &[f32], count: usize) -> Vec<Vec<Hit>> {
    assert!(width > 0, "vectors have numbers");
    assert!(vectors.len().is_multiple_of(width) && queries.len().is_multiple_of(width), "vectors are whole");
    let queries: Vec<&[f32]> = queries.chunks_exact(width).collect();
    let none = || vec![BinaryHeap::new(); queries.len()];
    let blocks = vectors.par_chunks(ROWS * width).enumerate();
    let found = blocks.fold(none, |mut heaps, (block, rows)| {
        for (i, row) in rows.chunks_exact(width).enumerate() {
            for (heap, query) in heaps.iter_mut().zip(&queries) {
                keep(heap, Hit { row: block * ROWS + i, score: product(row, query) }, count);
            }
        }
        heaps
    });
    let merged = found.reduce(none, |mut heaps, others| {
        for (heap, other) in heaps.iter_mut().zip(others) {
            other.into_iter().for_each(|hit| keep(heap, hit, count));
        }
        heaps
    });
    merged.into_iter().map(BinaryHeap::into_sorted_vec).collect()
}

/// Adds a hit to the best `count` so far.
fn keep(heap: &mut BinaryHeap<Hit>, hit: Hit, count: usize) {
    if heap.len() < count {
        heap.push(hit);
    } else if let Some(mut worst) = heap.peek_mut()
        && hit < *worst
    {
        *worst = hit;
    }
}

/// The scalar product, summed in double precision and always in the same order: equal vectors have equal scores.
fn product(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a.remainder().iter().zip(b.remainder());
    let rest: f64 = rest.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    for (a, b) in a.zip(b) {
        for lane in 0..LANES {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All rows in the order of their scores, by a full sort.
    fn sorted(vectors: &[f32], width: usize, query: &[f32]) -> Vec<Hit> {
        let score = |row: &[f32]| product(row, query);
        let mut all: Vec<Hit> = vectors
            .chunks(width)
            .enumerate()
            .map(|(row, vector)| Hit { row, score: score(vector) })
            .collect();
        all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
        all
    }

    proptest! {
        /// Few distinct values, so that many scores are equal.
        #[test]
        fn the_best_are_those_of_a_full_sort(
            rows in 1usize..40, width in 1usize..20, count in 1usize..50, seed in prop::collection::vec(-2i8..=2, 1..97),
        ) {
            let value = |i: usize| f32::from(seed[i % seed.len()]) / 4.0;
            let vectors: Vec<f32> = (0..rows * width).map(value).collect();
            let queries: Vec<f32> = (0..3 * width).map(|i| value(7 * i + 1)).collect();
            let found = nearest(&vectors, width, &queries, count);
            for (query, found) in queries.chunks(width).zip(found) {
                let mut expected = sorted(&vectors, width, query);
                expected.truncate(count);
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn rows_of_many_blocks_are_found_in_order() {
        let rows = 3 * ROWS + 5;
        let vectors: Vec<f32> = (0..rows).map(|row| (row % 100) as f32).collect();
        let found = nearest(&vectors, 1, &[1.0, -1.0], 40);
        let rows = |query: usize| found[query].iter().map(|hit| hit.row).collect::<Vec<_>>();
        assert_eq!(rows(0)[..30], (0..30).map(|i| 100 * i + 99).collect::<Vec<_>>());
        assert_eq!((rows(0)[30], found[0][30].score), (98, 98.0));
        assert_eq!(rows(1)[..31], (0..31).map(|i| 100 * i).collect::<Vec<_>>());
        assert_eq!(nearest(&[], 2, &[1.0, 1.0], 3), [vec![]]);
    }

    #[test]
    fn the_product_is_exact_where_single_precision_is_not() {
        let a: Vec<f32> = [1e8, 1.0, -1e8, 1.0].repeat(5);
        assert_eq!(product(&a, &[1.0; 20]), 10.0);
    }
}
