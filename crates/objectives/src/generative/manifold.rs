//! Precision, recall, density and coverage: whether made rows lie among real ones, and real ones among made.
//!
//! Every row has a ball around it that reaches to the k-th nearest other row of its own sample. With real rows x and made rows y
//!
//! ```text
//! precision = share of y that lie in a ball of at least one x
//! recall    = share of x that lie in a ball of at least one y
//! density   = 1/(k·M) · Σⱼ Σᵢ 1[yⱼ in the ball of xᵢ]
//! coverage  = share of x whose ball holds at least one y
//! ```
//!
//! Precision and recall are fooled by single rows far from all others, whose balls are large; density and coverage less so, since they only use balls
//! around real rows and count how many hold a made row. Source of precision and recall: Kynkäänniemi et al., "Improved precision and recall metric for
//! assessing generative models", 2019, equations 1 and 2; of density and coverage: Naeem et al., "Reliable fidelity and diversity metrics for
//! generative models", 2020, section 3.2.

use super::{Rows, assert_comparable, squared_distance};

/// Where made and real rows lie to each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ManifoldReport {
    /// Share of made rows among real ones: how good they are.
    pub precision: f64,
    /// Share of real rows among made ones: how many kinds there are.
    pub recall: f64,
    /// Balls of real rows that hold a made row, in the mean and over k: about 1 for samples of one distribution, and above it where made rows are
    /// crowded where real ones are.
    pub density: f64,
    /// Share of real rows with a made row in their ball.
    pub coverage: f64,
}

/// Precision and recall of made rows `[m, d]` against real rows `[n, d]` with balls to the neighbour of number `precision_neighbours` (3 in its
/// source), density and coverage with balls to that of number `density_neighbours` (5 in its source).
///
/// A row is no neighbour of itself, and a ball holds what lies on its surface, as in equation 1, so that a copy of a real row is always in its ball;
/// the code of Naeem et al. leaves the surface out, which differs only where two distances are equal. A row that is no number lies in no ball and has
/// none. The time is that of n² + m² + n·m distances; the memory that of n + m radii.
///
/// # Panics
/// If the widths differ, a number of neighbours is 0, or there are not more rows than neighbours.
pub fn manifold_report(
    real: &Rows,
    made: &Rows,
    precision_neighbours: usize,
    density_neighbours: usize,
) -> ManifoldReport {
    assert_comparable(real, made);
    assert!(precision_neighbours.min(density_neighbours) > 0, "at least one neighbour");
    let most = precision_neighbours.max(density_neighbours);
    assert!(real.len() > most && made.len() > precision_neighbours, "more rows than neighbours");
    let real_radii = squared_radii(real, [precision_neighbours, density_neighbours]);
    let made_radii = squared_radii(made, [precision_neighbours]);
    let (mut precise, mut held) = (0usize, 0usize);
    let (mut recalled, mut covered) = (vec![false; real.len()], vec![false; real.len()]);
    for (row, [own_radius]) in made.iter().zip(&made_radii) {
        let mut among = false;
        for (i, (other, [radius, density_radius])) in real.iter().zip(&real_radii).enumerate() {
            let square = squared_distance(row, other);
            among |= square <= *radius;
            recalled[i] |= square <= *own_radius;
            covered[i] |= square <= *density_radius;
            held += usize::from(square <= *density_radius);
        }
        precise += usize::from(among);
    }
    ManifoldReport {
        precision: precise as f64 / made.len() as f64,
        recall: share(&recalled),
        density: held as f64 / (density_neighbours * made.len()) as f64,
        coverage: share(&covered),
    }
}

/// Of every row the squared distances to its nearest other rows of these numbers, from 1.
fn squared_radii<const N: usize>(rows: &Rows, neighbours: [usize; N]) -> Vec<[f64; N]> {
    let most = neighbours.into_iter().max().unwrap_or(0);
    let radii = |(i, row): (usize, &[f64])| {
        let mut nearest = vec![f64::INFINITY; most];
        for (j, other) in rows.iter().enumerate() {
            if j != i {
                insert(&mut nearest, squared_distance(row, other));
            }
        }
        // Without enough neighbours that are numbers there is no ball: nothing is as near as what is no number.
        neighbours.map(|k| if nearest[k - 1].is_finite() { nearest[k - 1] } else { f64::NAN })
    };
    rows.iter().enumerate().map(radii).collect()
}

/// Puts a square among the smallest ones, which are in order, and drops the largest.
fn insert(smallest: &mut [f64], square: f64) {
    // Most squares are not below the largest, and what is no number is below nothing.
    if smallest.last().is_some_and(|&largest| square < largest) {
        let place = smallest.partition_point(|&other| other <= square);
        smallest[place..].rotate_right(1);
        smallest[place] = square;
    }
}

fn share(of: &[bool]) -> f64 {
    of.iter().filter(|&&is| is).count() as f64 / of.len() as f64
}

#[cfg(test)]
mod tests {
    use super::super::support::{assert_near, rows};
    use super::*;

    /// What NumPy 2.4.6 and `prdc` 0.2, the package of Naeem et al., give.
    #[test]
    fn reports_are_those_of_the_authors() {
        for (real, made, expected) in [
            (
                rows(60, 3, 0, 1.0),
                rows(45, 3, 400, 0.8),
                [0.9777777777777777, 0.8333333333333334, 1.1111111111111112, 0.95],
            ),
            (
                rows(60, 11, 0, 1.0),
                rows(45, 11, 300, 1.5),
                [0.2222222222222222, 0.9833333333333333, 0.08444444444444445, 0.2833333333333333],
            ),
            (
                rows(60, 3, 0, 1.0),
                rows(45, 3, 400, 1.6),
                [0.3333333333333333, 1.0, 0.3377777777777778, 0.5833333333333334],
            ),
        ] {
            let found = manifold_report(&real, &made, 3, 5);
            let numbers = [found.precision, found.recall, found.density, found.coverage];
            numbers.into_iter().zip(expected).for_each(|(found, expected)| assert_near(found, expected));
        }
    }

    #[test]
    fn reports_by_hand() {
        // Radii to the nearest other: 1, 1 and 9 of the real, 1 and 1 of the made.
        let (real, made) = (Rows::new(vec![0.0, 1.0, 10.0], 1), Rows::new(vec![3.0, 4.0], 1));
        // Both made rows are in the ball of the last alone, and no real row is near a made one.
        let expected = ManifoldReport { precision: 1.0, recall: 0.0, density: 1.0, coverage: 1.0 / 3.0 };
        assert_eq!(manifold_report(&real, &made, 1, 1), expected);
        // A copy lies in its own ball and on the surface of those it is the neighbour of.
        let expected = ManifoldReport { precision: 1.0, recall: 1.0, density: 2.0, coverage: 1.0 };
        assert_eq!(manifold_report(&made, &made, 1, 1), expected);
        // To the second nearest other the radii are 10, 9 and 10: every ball of a real row holds all three.
        let expected = ManifoldReport { density: 1.5, ..expected };
        assert_eq!(manifold_report(&real, &real, 1, 2), expected);
    }

    #[test]
    fn what_is_no_number_lies_nowhere() {
        let real = rows(20, 2, 0, 1.0);
        for lost in [f64::NAN, -f64::NAN, f64::INFINITY] {
            let made = Rows::new(vec![lost; 12], 2);
            let nothing = ManifoldReport { precision: 0.0, recall: 0.0, density: 0.0, coverage: 0.0 };
            assert_eq!(manifold_report(&real, &made, 3, 5), nothing);
        }
    }

    #[test]
    fn the_smallest_stay_in_order() {
        let mut smallest = [f64::INFINITY; 3];
        for square in [5.0, 2.0, f64::NAN, 9.0, 2.0, 7.0, -f64::NAN, 3.0] {
            insert(&mut smallest, square);
        }
        assert_eq!(smallest, [2.0, 2.0, 3.0]);
    }
}
