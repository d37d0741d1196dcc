//! Fréchet distance: how far apart two normal distributions are that have the means and covariances of two samples.
//!
//! ```text
//! F = ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2·(Σ₁^½ Σ₂ Σ₁^½)^½)
//! ```
//!
//! with covariances over n − 1. It says how near samples are in the features that were taken of them and must be named with these: it is called a
//! Fréchet Inception distance only of the features of that one network, which this project does not have, so it is never called FID here. The fewer
//! rows, the larger it is: only distances of equally many rows compare. Source: Dowson and Landau, "The Fréchet distance between multivariate normal
//! distributions", 1982; Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017, equation 6.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::{Rows, assert_comparable};

/// Fréchet distance of real rows `[n, d]` and made rows `[m, d]`, in squared units of the rows. No number if one of theirs is none.
///
/// Eigenvalues that rounding put below 0 count as 0. Those near it have roots of half as many digits: where both covariances are singular, as of fewer
/// rows than numbers, an error of about 10⁻⁷ of their traces remains, and the distance may lie below 0 by as much.
///
/// # Panics
/// If the widths differ, or there are not at least two rows of each.
pub fn frechet_distance(real: &Rows, made: &Rows) -> f64 {
    assert_comparable(real, made);
    let ((real_mean, real_covariance), (made_mean, made_covariance)) = (moments(real), moments(made));
    let means = (real_mean - made_mean).norm_squared();
    let traces = real_covariance.trace() + made_covariance.trace();
    // An eigendecomposition of what is no number need not end.
    if real_covariance.iter().chain(made_covariance.iter()).any(|value| !value.is_finite()) {
        return f64::NAN;
    }
    let real_root = root(real_covariance);
    let product = &real_root * made_covariance * &real_root;
    let shared: f64 = product.symmetric_eigenvalues().iter().map(|value| value.max(0.0).sqrt()).sum();
    means + traces - 2.0 * shared
}

/// Mean `[d]` and covariance `[d, d]` of rows.
fn moments(rows: &Rows) -> (DVector<f64>, DMatrix<f64>) {
    // A matrix of nalgebra lies column by column: there a row is a column.
    let mut centred = DMatrix::from_column_slice(rows.width(), rows.len(), &rows.values);
    let mean = centred.column_mean();
    for mut column in centred.column_iter_mut() {
        column -= &mean;
    }
    let covariance = &centred * centred.transpose() / (rows.len() - 1) as f64;
    (mean, covariance)
}

/// The symmetric matrix whose square is the given one.
fn root(square: DMatrix<f64>) -> DMatrix<f64> {
    let mut eigen = SymmetricEigen::new(square);
    eigen.eigenvalues.apply(|value| *value = value.max(0.0).sqrt());
    eigen.recompose()
}

#[cfg(test)]
mod tests {
    use super::super::support::{assert_near, rows};
    use super::*;

    /// What `sqrtm` of SciPy 1.17.1 gives of the product of the two covariances.
    #[test]
    fn distances_are_those_of_scipy() {
        for (real, made, expected) in [
            (rows(60, 3, 0, 1.0), rows(45, 3, 400, 0.8), 0.030986516763662375),
            (rows(60, 11, 0, 1.0), rows(45, 11, 300, 1.5), 1.0301690628953475),
        ] {
            assert_near(frechet_distance(&real, &made), expected);
            assert_near(frechet_distance(&made, &real), expected);
        }
    }

    /// Of single numbers it is (μ₁ − μ₂)² + (σ₁ − σ₂)².
    #[test]
    fn distances_by_hand() {
        // Means 2 and 10, variances 4 and 36.
        let (real, made) = (Rows::new(vec![0.0, 2.0, 4.0], 1), Rows::new(vec![4.0, 10.0, 16.0], 1));
        assert_near(frechet_distance(&real, &made), 64.0 + 16.0);
    }

    /// Against samples that are all the same, what is missing is the whole variance.
    #[test]
    fn a_collapse_costs_the_variance() {
        let real = Rows::new(vec![1.0, 0.0, -1.0, 0.0, 0.0, 2.0, 0.0, -2.0], 2);
        let same = Rows::new([3.0, 4.0].repeat(6), 2);
        // ‖(3, 4)‖², and variances of 2/3 and 8/3.
        assert_near(frechet_distance(&real, &same), 25.0 + 10.0 / 3.0);
        assert_near(frechet_distance(&same, &real), 25.0 + 10.0 / 3.0);
    }

    #[test]
    fn a_sample_is_no_distance_from_itself() {
        // Fewer rows than numbers: the covariance has no inverse.
        for real in [rows(60, 11, 0, 1.0), rows(6, 11, 0, 1.0)] {
            let found = frechet_distance(&real, &real);
            assert!(found.abs() < 1e-6, "{found}");
        }
        let lost = Rows::new(vec![0.0, f64::NAN, 1.0, 2.0, 5.0, 1.0], 2);
        assert!(frechet_distance(&rows(9, 2, 0, 1.0), &lost).is_nan());
    }
}
