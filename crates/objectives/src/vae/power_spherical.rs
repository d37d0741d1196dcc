//! The power spherical distribution: as von Mises–Fisher's, with densities, divergences and draws in closed form.
//!
//! ```text
//! p(z) ∝ (1 + ⟨μ, z⟩)^κ
//! (1 + ⟨μ, z⟩)/2 ~ Beta(α, β)        α = (d−1)/2 + κ, β = (d−1)/2
//! ```
//!
//! Source: De Cao and Aziz, "The power spherical distribution", 2020.

use std::f64::consts::{LN_2, PI};

use libm::lgamma;
use mixlab_core::{Key, Stream};

use super::sphere::{check_sphere, log_area};

/// A distribution around a mean direction that is not part of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerSpherical {
    dimension: usize,
    concentration: f64,
    log_normaliser: f64,
}

impl PowerSpherical {
    /// On the sphere of unit vectors of `dimension` numbers.
    ///
    /// # Panics
    /// If the dimension is below 2, or the concentration not above 0.
    pub fn new(dimension: usize, concentration: f64) -> Self {
        check_sphere(dimension, concentration);
        let (alpha, beta) = shape(dimension, concentration);
        let log_normaliser = (alpha + beta) * LN_2 + beta * PI.ln() + lgamma(alpha) - lgamma(alpha + beta);
        PowerSpherical { dimension, concentration, log_normaliser }
    }

    fn shape(&self) -> (f64, f64) {
        shape(self.dimension, self.concentration)
    }

    /// E⟨μ, z⟩, the length of the mean.
    pub fn mean_length(&self) -> f64 {
        let (alpha, beta) = self.shape();
        (alpha - beta) / (alpha + beta)
    }

    /// Variance of ⟨μ, z⟩.
    pub fn variance(&self) -> f64 {
        let (alpha, beta) = self.shape();
        let sum = alpha + beta;
        4.0 * alpha * beta / (sum * sum * (sum + 1.0))
    }

    /// Logarithm of the density at a point whose cosine with μ is `cosine`, with respect to the area of the sphere.
    pub fn log_density(&self, cosine: f64) -> f64 {
        self.concentration * cosine.ln_1p() - self.log_normaliser
    }

    /// The same relative to the uniform density.
    pub fn log_density_to_uniform(&self, cosine: f64) -> f64 {
        self.log_density(cosine) + log_area(self.dimension)
    }

    /// KL divergence to the uniform distribution, in nats.
    pub fn divergence(&self) -> f64 {
        let (alpha, beta) = self.shape();
        let mean = LN_2 + digamma(alpha) - digamma(alpha + beta);
        self.concentration * mean - self.log_normaliser + log_area(self.dimension)
    }

    /// A draw of ⟨μ, z⟩, from two gamma variables; each draw has a key of its own.
    pub fn cosine(&self, key: Key, sample: u64) -> f64 {
        let (alpha, beta) = self.shape();
        let (a, b) = (gamma(alpha, key.site("alpha"), sample), gamma(beta, key.site("beta"), sample));
        (a - b) / (a + b)
    }
}

/// α and β.
fn shape(dimension: usize, concentration: f64) -> (f64, f64) {
    let beta = (dimension as f64 - 1.0) / 2.0;
    (beta + concentration, beta)
}

/// The derivative of log Γ(x), for x > 0: the recurrence up to ten, then the asymptotic series (DLMF 5.11.2).
fn digamma(x: f64) -> f64 {
    let mut x = x;
    let mut sum = 0.0;
    while x < 10.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = square
        * (1.0 / 12.0
            - square * (1.0 / 120.0 - square * (1.0 / 252.0 - square * (1.0 / 240.0 - square / 132.0))));
    sum + x.ln() - 0.5 / x - series
}

/// A gamma variable of `shape` above 0 (Marsaglia and Tsang, "A simple method for generating gamma variables", 2000).
fn gamma(shape: f64, key: Key, sample: u64) -> f64 {
    if shape < 1.0 {
        let u = 1.0 - key.site("boost").sample(sample).uniform(0);
        return gamma(shape + 1.0, key, sample) * u.powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    let draw = |trial: u64| {
        let stream: Stream = key.index(trial).sample(sample);
        // A normal takes the first two elements, so that the third is independent of it.
        let (x, u) = (stream.normal(0), 1.0 - stream.uniform(2));
        let v = (1.0 + c * x).powi(3);
        (v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln()).then_some(d * v)
    };
    (0..).find_map(draw).expect("a trial is accepted sooner or later")
}

#[cfg(test)]
mod tests {
    use mixlab_core::{Key, Purpose};

    use super::*;
    use crate::vae::sphere::assert_moments;

    #[test]
    fn digamma_is_what_is_known_of_it() {
        const EULER: f64 = 0.577_215_664_901_532_9;
        assert!((digamma(1.0) + EULER).abs() < 1e-13);
        assert!((digamma(0.5) + EULER + 2.0 * LN_2).abs() < 1e-13);
        for x in [0.7, 3.0, 12.5, 400.0] {
            assert!((digamma(x + 1.0) - digamma(x) - 1.0 / x).abs() < 1e-13, "{x}");
        }
    }

    /// Integrals over the angle, whose density is e^(log density)·|S^(d−2)|·sin^(d−2).
    #[test]
    fn a_density_with_its_divergence() {
        for (dimension, concentration) in [(2, 3.0), (3, 1.0), (16, 32.0), (64, 100.0)] {
            let of = PowerSpherical::new(dimension, concentration);
            let (cells, across) = (100_000, log_area(dimension - 1));
            let width = PI / f64::from(cells);
            let (mut mass, mut divergence, mut mean) = (0.0, 0.0, 0.0);
            for cell in 0..cells {
                let angle = (f64::from(cell) + 0.5) * width;
                let surface = across + (dimension as f64 - 2.0) * angle.sin().ln();
                let share = width * (of.log_density(angle.cos()) + surface).exp();
                mass += share;
                divergence += share * of.log_density_to_uniform(angle.cos());
                mean += share * angle.cos();
            }
            assert!((mass - 1.0).abs() < 1e-8, "({dimension}, {concentration}): {mass}");
            assert!((mean - of.mean_length()).abs() < 1e-8, "({dimension}, {concentration}): {mean}");
            let expected = of.divergence();
            assert!(
                (divergence / expected - 1.0).abs() < 1e-7,
                "({dimension}, {concentration}): {divergence}, {expected}"
            );
        }
    }

    #[test]
    fn draws_have_the_moments() {
        let (count, key) = (100_000u64, Key::root(5).purpose(Purpose::Sample));
        for (dimension, concentration) in [(2, 3.0), (16, 32.0), (64, 1.0)] {
            let of = PowerSpherical::new(dimension, concentration);
            let draws: Vec<f64> = (0..count).map(|sample| of.cosine(key, sample)).collect();
            assert_moments(&draws, of.mean_length(), of.variance());
        }
    }
}
