//! Spheres: areas, and uniform directions.

use libm::lgamma;
use mixlab_core::Stream;

/// Logarithm of the area of the sphere of unit vectors of `dimension` numbers: log 2 + (d/2)·log π − log Γ(d/2). One number has two
/// unit vectors.
pub fn log_area(dimension: usize) -> f64 {
    let half = dimension as f64 / 2.0;
    std::f64::consts::LN_2 + half * std::f64::consts::PI.ln() - lgamma(half)
}

/// What distributions around a direction need to be defined.
///
/// # Panics
/// If the dimension is below 2, or the concentration not above 0.
pub fn check_sphere(dimension: usize, concentration: f64) {
    assert!(dimension >= 2, "a sphere has at least two dimensions");
    assert!(concentration > 0.0 && concentration.is_finite(), "a concentration is above 0");
}

/// Standard normal numbers, whose direction is uniform.
pub fn gaussian(dimension: usize, stream: Stream) -> Vec<f64> {
    stream.normals().take(dimension).collect()
}

/// The first coordinate of a uniform direction of `dimension` numbers.
pub fn uniform_coordinate(dimension: usize, stream: Stream) -> f64 {
    let direction = gaussian(dimension, stream);
    direction[0] / direction.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Holds draws against the mean and variance they should have.
#[cfg(test)]
#[track_caller]
pub fn assert_moments(draws: &[f64], mean: f64, variance: f64) {
    let n = draws.len() as f64;
    let found = draws.iter().sum::<f64>() / n;
    let spread = draws.iter().map(|draw| (draw - found) * (draw - found)).sum::<f64>() / n;
    assert!((found - mean).abs() < 5.0 * (variance / n).sqrt(), "mean {found} for {mean}");
    assert!((spread / variance - 1.0).abs() < 0.05, "variance {spread} for {variance}");
}

#[cfg(test)]
mod tests {
    use super::log_area;
    use std::f64::consts::PI;

    #[test]
    fn areas_of_small_spheres() {
        for (dimension, area) in [(1, 2.0), (2, 2.0 * PI), (3, 4.0 * PI), (4, 2.0 * PI * PI)] {
            assert!((log_area(dimension) - f64::ln(area)).abs() < 1e-14, "{dimension}");
        }
    }
}
