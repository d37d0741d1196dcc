//! Energy distance: how much farther apart rows of two samples are than rows of one.
//!
//! ```text
//! E = 2·mean ‖x − y‖ − mean ‖x − x′‖ − mean ‖y − y′‖
//! ```
//!
//! over all pairs of a real row x and a made row y, and over all pairs of two different rows of one sample. Its expectation is 0 if both have one
//! distribution and positive otherwise; there is nothing to choose, such as a kernel's width, but rows in larger units are farther apart. Source:
//! Székely and Rizzo, "Energy statistics: a class of statistics based on distances", 2013; without bias, it is equation 3 of Gretton et al., "A kernel
//! two-sample test", 2012, with the kernel −‖x − y‖.

use super::pairs::{mean_between, mean_within};
use super::{Rows, assert_comparable, squared_distance};

/// Energy distance of real rows `[n, d]` and made rows `[m, d]`, in the units of the rows. Near 0, and by chance below it, for samples of one
/// distribution; no number if one of theirs is none.
///
/// # Panics
/// If the widths differ, or there are not at least two rows of each.
pub fn energy_distance(real: &Rows, made: &Rows) -> f64 {
    assert_comparable(real, made);
    2.0 * mean_between(real, made, distance) - mean_within(real, distance) - mean_within(made, distance)
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    squared_distance(a, b).sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::support::{assert_near, rows};
    use super::*;

    /// What `cdist` and `pdist` of SciPy 1.17.1 give.
    #[test]
    fn distances_are_those_of_scipy() {
        assert_near(energy_distance(&rows(60, 3, 0, 1.0), &rows(45, 3, 400, 0.8)), 0.023199323708586572);
        assert_near(energy_distance(&rows(60, 11, 0, 1.0), &rows(45, 11, 300, 1.5)), 0.4067068447104423);
    }

    #[test]
    fn distances_by_hand() {
        let (near, far) = (Rows::new(vec![0.0, 1.0], 1), Rows::new(vec![10.0, 13.0], 1));
        // Between them 10, 13, 9 and 12; within them 1 and 3.
        assert_eq!(energy_distance(&near, &far), 2.0 * 11.0 - 1.0 - 3.0);
        assert_eq!(energy_distance(&far, &near), 18.0);
        // A sample and its copy: half of the pairs between them have no distance, so that the measure is below 0.
        assert_eq!(energy_distance(&near, &near), -1.0);
        assert!(energy_distance(&near, &Rows::new(vec![0.0, f64::NAN], 1)).is_nan());
    }

    #[test]
    #[should_panic(expected = "at least two rows")]
    fn a_single_row_has_no_spread() {
        energy_distance(&rows(5, 2, 0, 1.0), &rows(1, 2, 0, 1.0));
    }
}
