//! The von Mises–Fisher distribution on the unit sphere, with a concentration that is given and not learned.
//!
//! ```text
//! p(z) = C_d(κ)·e^(κ⟨μ, z⟩)      ‖z‖ = ‖μ‖ = 1
//! KL to the uniform distribution = κ·A_d(κ) − log ₀F₁(; d/2; κ²/4)
//! ```
//!
//! It depends on d and κ alone: a posterior of this kind cannot collapse onto the prior. Source: post 8404; Davidson et al.,
//! "Hyperspherical variational auto-encoders", 2018, whose quotient of Bessel functions under- and overflows.

use mixlab_core::Key;

use super::bessel::{bessel_ratio, log_scaled_bessel};
use super::quantiles::Quantiles;
use super::sphere::{check_sphere, log_area, uniform_coordinate};

/// A distribution around a mean direction that is not part of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VonMisesFisher {
    dimension: usize,
    concentration: f64,
    /// log ₀F₁(; d/2; κ²/4), the area over the normaliser C_d(κ) of the density.
    log_normaliser: f64,
}

impl VonMisesFisher {
    /// On the sphere of unit vectors of `dimension` numbers.
    ///
    /// # Panics
    /// If the dimension is below 2, or the concentration not above 0.
    pub fn new(dimension: usize, concentration: f64) -> Self {
        check_sphere(dimension, concentration);
        let log_normaliser = log_scaled_bessel(order(dimension), concentration);
        VonMisesFisher { dimension, concentration, log_normaliser }
    }

    /// A_d(κ) = E⟨μ, z⟩, the length of the mean.
    pub fn mean_length(&self) -> f64 {
        bessel_ratio(order(self.dimension), self.concentration)
    }

    /// Variance of ⟨μ, z⟩.
    pub fn variance(&self) -> f64 {
        let length = self.mean_length();
        1.0 - (self.dimension as f64 - 1.0) * length / self.concentration - length * length
    }

    /// Logarithm of the density at a point whose cosine with μ is `cosine`, with respect to the area of the sphere.
    pub fn log_density(&self, cosine: f64) -> f64 {
        self.log_density_to_uniform(cosine) - log_area(self.dimension)
    }

    /// The same relative to the uniform density.
    pub fn log_density_to_uniform(&self, cosine: f64) -> f64 {
        self.concentration * cosine - self.log_normaliser
    }

    /// KL divergence to the uniform distribution, in nats.
    pub fn divergence(&self) -> f64 {
        self.log_density_to_uniform(self.mean_length())
    }

    /// The distribution of the angle between z and μ as a table.
    pub(super) fn quantiles(&self) -> Quantiles {
        let across = self.dimension as f64 - 2.0;
        Quantiles::new(|angle| self.concentration * angle.cos() + across * angle.sin().ln())
    }

    /// A draw of w = ⟨μ, z⟩ by rejection, exact; each draw has a key of its own.
    ///
    /// Source: Wood, "Simulation of the von Mises Fisher distribution", 1994.
    pub fn cosine(&self, key: Key, sample: u64) -> f64 {
        let (n, kappa) = (self.dimension as f64 - 1.0, self.concentration);
        let b = n / (2.0 * kappa + (4.0 * kappa * kappa + n * n).sqrt());
        let x = (1.0 - b) / (1.0 + b);
        // 1 − x², which the difference would round away where κ is large.
        let bound = kappa * x + n * (4.0 * b / ((1.0 + b) * (1.0 + b))).ln();
        let draw = |trial: u64| {
            let key = key.index(trial);
            // Beta(n/2, n/2): a coordinate of a uniform direction, halved and moved.
            let z = 0.5 * (1.0 + uniform_coordinate(self.dimension, key.site("direction").sample(sample)));
            let denominator = 1.0 - (1.0 - b) * z;
            let w = (1.0 - (1.0 + b) * z) / denominator;
            // 1 − x·w without its difference.
            let distance = 2.0 * b / ((1.0 + b) * denominator);
            let u = 1.0 - key.site("acceptance").sample(sample).uniform(0);
            (kappa * w + n * distance.ln() - bound >= u.ln()).then_some(w)
        };
        (0..).find_map(draw).expect("a trial is accepted sooner or later")
    }
}

/// Of the Bessel functions on the sphere of `dimension` numbers.
fn order(dimension: usize) -> f64 {
    dimension as f64 / 2.0 - 1.0
}

#[cfg(test)]
mod tests {
    use mixlab_core::{Key, Purpose};

    use super::*;
    use crate::vae::sphere::assert_moments;

    /// Computed with 50 digits: κ·A_d(κ) + log C_d(κ) + log|S|.
    #[test]
    fn divergences_are_golden() {
        for (dimension, concentration, expected) in [
            (16, 32.0, 7.58214437642294),
            (16, 8.0, 1.53346949123436),
            (16, 64.0, 12.0026114743951),
            (3, 32.0, 3.15888308335967),
            (2, 32.0, 2.14380240615379),
            (64, 128.0, 30.1548330708021),
            (768, 32.0, 0.664941680962854),
            (768, 1000.0, 245.495842954563),
        ] {
            let found = VonMisesFisher::new(dimension, concentration).divergence();
            assert!((found / expected - 1.0).abs() < 1e-10, "({dimension}, {concentration}): {found}");
        }
        for dimension in [2, 3, 16, 768, 4096] {
            for concentration in [1e-3, 1.0, 1e3, 1e5] {
                let divergence = VonMisesFisher::new(dimension, concentration).divergence();
                assert!(
                    divergence.is_finite() && divergence > 0.0,
                    "({dimension}, {concentration}): {divergence}"
                );
            }
        }
        assert!((VonMisesFisher::new(16, 32.0).mean_length() - 0.789895).abs() < 5e-7);
    }

    /// κ·coth κ − 1 + log(κ / sinh κ) in three dimensions.
    #[test]
    fn three_dimensions_are_elementary() {
        for kappa in [0.1f64, 2.0, 50.0] {
            let expected = kappa / kappa.tanh() - 1.0 + (kappa / kappa.sinh()).ln();
            let found = VonMisesFisher::new(3, kappa).divergence();
            assert!((found - expected).abs() < 1e-12 * expected.max(1e-2), "{kappa}: {found} and {expected}");
        }
    }

    /// The density of w is e^(log density)·|S^(d−2)|·(1−w²)^((d−3)/2); sums of it over cells give the distribution function.
    fn distribution(of: VonMisesFisher) -> impl Fn(f64) -> f64 {
        let d = of.dimension as f64;
        let cells = 200_000;
        let across = log_area(of.dimension - 1);
        let density =
            |angle: f64| (of.log_density(angle.cos()) + across + (d - 2.0) * angle.sin().ln()).exp();
        let width = std::f64::consts::PI / f64::from(cells);
        let mut sums = vec![0.0];
        for cell in 0..cells {
            sums.push(sums[cell as usize] + width * density((f64::from(cell) + 0.5) * width));
        }
        assert!((sums[cells as usize] - 1.0).abs() < 1e-8, "a density: {}", sums[cells as usize]);
        // Greater cosines have smaller angles.
        move |w: f64| 1.0 - sums[((w.acos() / width) as usize).min(cells as usize)]
    }

    #[test]
    fn draws_have_the_moments_and_the_distribution() {
        let (count, key) = (100_000u64, Key::root(3).purpose(Purpose::Sample));
        for (dimension, concentration) in [(2, 5.0), (3, 1.0), (16, 32.0), (64, 128.0), (128, 4.0)] {
            let of = VonMisesFisher::new(dimension, concentration);
            let mut draws: Vec<f64> = (0..count).map(|sample| of.cosine(key, sample)).collect();
            assert_moments(&draws, of.mean_length(), of.variance());
            let n = count as f64;
            // Kolmogorov and Smirnov: 1.95/√n has a probability of one in a thousand.
            let at = distribution(of);
            draws.sort_by(f64::total_cmp);
            let gap = draws
                .iter()
                .enumerate()
                .map(|(i, &w)| (at(w) - (i as f64 + 0.5) / n).abs())
                .fold(0.0, f64::max);
            assert!(gap < 1.95 / n.sqrt(), "({dimension}, {concentration}): {gap}");
        }
    }

    /// The table against the sum of the density, at the places where it has most to say.
    #[test]
    fn the_table_has_the_same_distribution() {
        let key = Key::root(4).purpose(Purpose::Sample);
        for (dimension, concentration) in [(2, 5.0), (3, 1.0), (16, 32.0), (768, 32.0), (16, 1e5)] {
            let of = VonMisesFisher::new(dimension, concentration);
            let (table, count) = (of.quantiles(), 100_000u64);
            let draws: Vec<f64> = (0..count).map(|sample| table.draw(key.sample(sample)).cos()).collect();
            assert_moments(&draws, of.mean_length(), of.variance());
        }
    }

    #[test]
    fn a_draw_is_a_function_of_its_key() {
        let (of, key) = (VonMisesFisher::new(16, 32.0), Key::root(1));
        assert_eq!(of.cosine(key, 7), of.cosine(key, 7));
        assert_ne!(of.cosine(key, 7), of.cosine(key, 8));
        assert_ne!(of.cosine(key, 7), of.cosine(key.step(1), 7));
    }
}
