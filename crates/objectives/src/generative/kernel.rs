//! Kernel distance: the squared maximum mean discrepancy of two samples under a cubic kernel.
//!
//! ```text
//! MMD² = mean k(x, x′) + mean k(y, y′) − 2·mean k(x, y)          k(x, y) = (xᵀy/d + 1)³
//! ```
//!
//! over all pairs of two different rows of one sample, and over all pairs of a real row x and a made row y. It compares the first three moments, and
//! unlike a Fréchet distance it has no bias that grows as rows become few. On features of the Inception network, averaged over subsets, it is the
//! kernel Inception distance; on any other features it must be called by their name. Source: Bińkowski et al., "Demystifying MMD GANs", 2018,
//! equation 4 and section 4.

use mixlab_core::{Key, Stream};

use super::pairs::{mean_between, mean_within};
use super::{Rows, assert_comparable, product};

/// Kernel distance of all real rows `[n, d]` and all made rows `[m, d]`. Near 0, and by chance below it, for samples of one distribution; no number
/// if one of theirs is none.
///
/// # Panics
/// If the widths differ, or there are not at least two rows of each.
pub fn kernel_distance(real: &Rows, made: &Rows) -> f64 {
    assert_comparable(real, made);
    mean_within(real, kernel) + mean_within(made, kernel) - 2.0 * mean_between(real, made, kernel)
}

/// Mean and deviation of the kernel distances of `subsets` random subsets of `size` rows each, real and made ones drawn apart and without replacement
/// by `key`. Of fewer rows than `size` all are taken. The deviation is that among the subsets, which share rows, and not the error of the mean.
///
/// # Panics
/// If there is no subset, it has less than two rows, the widths differ, or there are not at least two rows of each.
pub fn kernel_distances(real: &Rows, made: &Rows, subsets: usize, size: usize, key: Key) -> (f64, f64) {
    assert_comparable(real, made);
    assert!(subsets > 0 && size > 1, "at least one subset of at least two rows");
    let distance = |subset: u64| {
        let key = key.index(subset);
        kernel_distance(&drawn(real, size, key.sample(0)), &drawn(made, size, key.sample(1)))
    };
    let distances: Vec<f64> = (0..subsets as u64).map(distance).collect();
    let mean = distances.iter().sum::<f64>() / subsets as f64;
    let variance = distances.iter().map(|distance| (distance - mean).powi(2)).sum::<f64>() / subsets as f64;
    (mean, variance.sqrt())
}

fn kernel(a: &[f64], b: &[f64]) -> f64 {
    let base = product(a, b) / a.len() as f64 + 1.0;
    base * base * base
}

/// `size` rows without replacement, or all if there are fewer: the first steps of a Fisher–Yates shuffle.
fn drawn(rows: &Rows, size: usize, stream: Stream) -> Rows {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let size = size.min(rows.len());
    for i in 0..size {
        order.swap(i, i + stream.below(i as u64, (rows.len() - i) as u64) as usize);
    }
    let values = order[..size].iter().flat_map(|&i| rows.row(i)).copied().collect();
    Rows::new(values, rows.width())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mixlab_core::Purpose;

    use super::super::support::{assert_near, rows};
    use super::*;

    fn key() -> Key {
        Key::root(3).purpose(Purpose::Sample)
    }

    /// What NumPy 2.4.6 gives.
    #[test]
    fn distances_are_those_of_numpy() {
        assert_near(kernel_distance(&rows(60, 3, 0, 1.0), &rows(45, 3, 400, 0.8)), 0.02748830034826799);
        assert_near(kernel_distance(&rows(60, 11, 0, 1.0), &rows(45, 11, 300, 1.5)), 0.5469203833526208);
    }

    /// What NumPy gives of subsets that Python drew, by random numbers of its own making.
    #[test]
    fn subsets_are_those_of_the_key() {
        let (real, made) = (rows(60, 3, 0, 1.0), rows(45, 3, 400, 0.8));
        let (mean, deviation) = kernel_distances(&real, &made, 7, 20, key());
        assert_near(mean, 0.022649678307494345);
        assert_near(deviation, 0.04868417786106753);
        assert_eq!(kernel_distances(&real, &made, 7, 20, key()), (mean, deviation));
    }

    #[test]
    fn no_row_is_drawn_twice() {
        let numbered = Rows::new((0..30).map(f64::from).collect(), 1);
        let different = |rows: &Rows| rows.iter().map(|row| row[0] as usize).collect::<BTreeSet<_>>().len();
        let some = drawn(&numbered, 12, key().sample(0));
        assert_eq!((some.len(), different(&some)), (12, 12));
        let all = drawn(&numbered, 99, key().sample(0));
        assert_eq!((all.len(), different(&all)), (30, 30));
        assert_ne!(some, drawn(&numbered, 12, key().sample(1)));
    }

    #[test]
    fn subsets_of_all_rows_are_the_whole() {
        let (real, made) = (rows(60, 3, 0, 1.0), rows(45, 3, 400, 0.8));
        let whole = kernel_distance(&real, &made);
        let (mean, deviation) = kernel_distances(&real, &made, 4, 1000, key());
        assert!((mean - whole).abs() < 1e-13 && deviation < 1e-13, "{mean} ± {deviation} for {whole}");
    }

    #[test]
    fn distances_by_hand() {
        let (real, made) = (Rows::new(vec![0.0, 5.0], 1), Rows::new(vec![1.0, 2.0], 1));
        // Within them 1³ and 3³; between them 1³, 1³, 6³ and 11³, together 1549.
        assert_eq!(kernel_distance(&real, &made), 1.0 + 27.0 - 2.0 * 1549.0 / 4.0);
    }
}
