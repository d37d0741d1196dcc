//! Modes: which of several known places made points reach, and how evenly.
//!
//! ```text
//! high quality        share of points within 3·deviation of the nearest centre
//! covered             centres that are the nearest of at least one such point
//! reverse divergence  KL(p ‖ uniform) = Σ p·log(p·modes), with p the shares of such points by nearest centre
//! ```
//!
//! For mixtures of equal normal distributions of one known deviation, laid out on a ring or a grid. Points of low quality belong to no mode: a
//! generator that fills the gaps between modes covers none by it. Source: Srivastava et al., "VEEGAN", 2017, experiments on synthetic
//! data; Lin et al., "PacGAN", 2018, section 4.1, who add the divergence.

/// What has become of the modes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModeReport {
    /// Centres that at least one point of high quality is nearest to.
    pub covered: usize,
    /// All centres.
    pub modes: usize,
    /// Share of points of high quality.
    pub high_quality: f64,
    /// Reverse Kullback–Leibler divergence in nats: 0 if points of high quality are even over all modes, the logarithm of the number of modes if all
    /// are at one, and infinite if there is no such point.
    pub reverse_divergence: f64,
}

/// How made points lie around the centres of modes, each of which spreads by `deviation` along both axes. A point as near to several centres belongs
/// to the first; one that is no number belongs to none.
///
/// # Panics
/// If there is no point, no centre, or the deviation is not positive.
pub fn mode_report(points: &[[f64; 2]], centres: &[[f64; 2]], deviation: f64) -> ModeReport {
    assert!(!points.is_empty() && !centres.is_empty(), "at least one point and one centre");
    assert!(deviation > 0.0, "a positive deviation");
    let mut counts = vec![0usize; centres.len()];
    for point in points {
        let (centre, square) = nearest(point, centres);
        if square <= (3.0 * deviation).powi(2) {
            counts[centre] += 1;
        }
    }
    let (good, modes) = (counts.iter().sum::<usize>(), centres.len());
    ModeReport {
        covered: counts.iter().filter(|&&count| count > 0).count(),
        modes,
        high_quality: good as f64 / points.len() as f64,
        reverse_divergence: if good > 0 { divergence(&counts) } else { f64::INFINITY },
    }
}

/// The nearest centre, and the square of its distance.
fn nearest(point: &[f64; 2], centres: &[[f64; 2]]) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (i, centre) in centres.iter().enumerate() {
        let square = (point[0] - centre[0]).powi(2) + (point[1] - centre[1]).powi(2);
        if square < best.1 {
            best = (i, square);
        }
    }
    best
}

/// KL of the shares of `counts` from even ones, where 0·log 0 is 0.
fn divergence(counts: &[usize]) -> f64 {
    let (all, modes) = (counts.iter().sum::<usize>() as f64, counts.len() as f64);
    let shares = counts.iter().filter(|&&count| count > 0).map(|&count| count as f64 / all);
    shares.map(|share| share * (share * modes).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::super::support::{assert_near, rows};
    use super::*;

    /// Nine centres, a distance of 1 apart.
    fn grid() -> Vec<[f64; 2]> {
        (0..9).map(|i| [f64::from(i / 3) - 1.0, f64::from(i % 3) - 1.0]).collect()
    }

    /// What NumPy 2.4.6 and `entropy` of SciPy 1.17.1 give.
    #[test]
    fn reports_are_those_of_scipy() {
        let spread: Vec<[f64; 2]> =
            rows(300, 2, 0, 3.0).iter().map(|row| [row[0] - 1.5, row[1] - 1.2]).collect();
        for (deviation, covered, high_quality, divergence) in [
            (0.15, 9, 0.53, 0.07742891343743633),
            (0.05, 8, 0.07333333333333333, 0.2519080348585279),
            (0.02, 3, 0.013333333333333334, 1.1575038064963015),
        ] {
            let found = mode_report(&spread, &grid(), deviation);
            assert_eq!((found.covered, found.modes), (covered, 9), "{found:?}");
            assert_near(found.high_quality, high_quality);
            assert_near(found.reverse_divergence, divergence);
        }
    }

    #[test]
    fn reports_by_hand() {
        let even: Vec<[f64; 2]> = grid().iter().map(|[x, y]| [x + 0.02, *y]).collect();
        let found = mode_report(&even, &grid(), 0.01);
        assert_eq!((found.covered, found.high_quality), (9, 1.0));
        assert!(found.reverse_divergence.abs() < 1e-15, "{found:?}");
        // Two at one mode, and two in gaps between modes.
        let found = mode_report(&[[1.0, 1.0], [0.5, 1.0], [1.0, 1.02], [0.5, 0.5]], &grid(), 0.01);
        assert_eq!((found.covered, found.high_quality), (1, 0.5));
        assert_near(found.reverse_divergence, 9f64.ln());
    }

    #[test]
    fn points_of_low_quality_cover_nothing() {
        let lost = [[0.5, 0.5], [f64::NAN, 0.0], [f64::INFINITY, 0.0]];
        let found = mode_report(&lost, &grid(), 0.01);
        let expected =
            ModeReport { covered: 0, modes: 9, high_quality: 0.0, reverse_divergence: f64::INFINITY };
        assert_eq!(found, expected);
    }
}
