//! How close made samples are to real ones.
//!
//! All measures take rows of numbers, of real samples and of made ones: the samples themselves, or the features that a named model
//! finds in them. All are computed in double precision, with sums in a fixed order, and none holds anything of size rows × rows.

mod energy;
mod frechet;
mod kernel;
mod manifold;
mod modes;
mod pairs;

pub use energy::energy_distance;
pub use frechet::frechet_distance;
pub use kernel::{kernel_distance, kernel_distances};
pub use manifold::{ManifoldReport, manifold_report};
pub use modes::{ModeReport, mode_report};

/// Sums that are kept side by side.
const LANES: usize = 8;

/// Rows of equally many numbers, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    width: usize,
    values: Vec<f64>,
}

impl Rows {
    /// Rows of `width` numbers each.
    ///
    /// # Panics
    /// If the width is 0, or the last row is not complete.
    pub fn new(values: Vec<f64>, width: usize) -> Self {
        assert!(width > 0, "rows of at least one number");
        assert!(values.len().is_multiple_of(width), "{} numbers are no rows of {width}", values.len());
        Rows { width, values }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many numbers a row has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The row of this number, from 0.
    ///
    /// # Panics
    /// If there is none.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.width..][..self.width]
    }

    /// All rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.width)
    }
}

/// # Panics
/// Unless rows can be compared, and each of them with another of its own kind.
fn assert_comparable(real: &Rows, made: &Rows) {
    assert_eq!(real.width(), made.width(), "real and made rows are equally wide");
    assert!(real.len().min(made.len()) > 1, "at least two rows");
}

/// ‖a − b‖².
fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    summed(a, b, |a, b| (a - b) * (a - b))
}

/// aᵀb.
fn product(a: &[f64], b: &[f64]) -> f64 {
    summed(a, b, |a, b| a * b)
}

/// The sum of a term of every two numbers. Several sums side by side become vector code; a single one has an order that forbids it.
#[inline(always)]
fn summed(a: &[f64], b: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += term(a, b);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| term(a, b)).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod support {
    use super::Rows;

    /// Numbers between 0 and `stretch` that look like chance and are easily made elsewhere: of a square modulo a prime.
    pub fn rows(count: usize, width: usize, first: usize, stretch: f64) -> Rows {
        let value = |t: usize| ((t * t * 37 + t * 11) % 1009) as f64 / 1009.0 * stretch;
        Rows::new((first..first + count * width).map(value).collect(), width)
    }

    /// # Panics
    /// If a number is not the expected one to eleven digits.
    pub fn assert_near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-11 * expected.abs(), "{found} for {expected}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_one_after_the_other() {
        let rows = Rows::new(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2);
        assert_eq!((rows.len(), rows.width(), rows.is_empty()), (3, 2, false));
        assert_eq!(rows.row(1), [3.0, 4.0]);
        assert_eq!(rows.iter().map(|row| row[1]).collect::<Vec<_>>(), [2.0, 4.0, 6.0]);
        assert!(Rows::new(Vec::new(), 3).is_empty());
    }

    #[test]
    #[should_panic(expected = "5 numbers are no rows of 2")]
    fn the_last_row_is_complete() {
        Rows::new(vec![0.0; 5], 2);
    }

    /// Whole numbers have exact sums, in whatever order.
    #[test]
    fn sums_are_those_of_a_plain_loop() {
        for width in [1, 7, 8, 9, 16, 27] {
            let a: Vec<f64> = (0..width).map(|i| f64::from(i * i % 13)).collect();
            let b: Vec<f64> = (0..width).map(|i| f64::from(5 - i % 11)).collect();
            let (mut square, mut scalar) = (0.0, 0.0);
            for (a, b) in a.iter().zip(&b) {
                square += (a - b) * (a - b);
                scalar += a * b;
            }
            assert_eq!((squared_distance(&a, &b), product(&a, &b)), (square, scalar));
        }
    }
}
