//! Mixing an image with another one.
//!
//! Source: Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: beyond empirical risk minimization", ICLR
//! 2018, equation (1). There the partner comes from the same batch; here from all training images,
//! so that a mixture does not depend on how samples are batched.

use mixlab_core::{Key, Stream};

/// A partner and the weight of the image itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::image) struct Mixup {
    /// The row of the other image.
    pub partner: usize,
    /// How much the image itself counts, 0 to 1; the partner counts one minus that.
    pub weight: f64,
}

impl Mixup {
    /// The mixture of a sample: a uniform partner, and a weight from Beta(alpha, alpha).
    pub fn random(key: Key, sample: u64, images: usize, alpha: f64) -> Self {
        let partner = key.site("partner").sample(sample).below(0, images as u64) as usize;
        let [own, other] = ["own", "other"].map(|site| log_gamma(alpha, key.site(site).sample(sample)));
        // The share of one gamma variable in the sum of two has a beta distribution.
        Mixup { partner, weight: 1.0 / (1.0 + (other - own).exp()) }
    }

    /// `weight · own + (1 − weight) · other`, in place of `own`.
    pub fn blend(&self, own: &mut [f32], other: &[f32]) {
        let (weight, rest) = (self.weight as f32, (1.0 - self.weight) as f32);
        own.iter_mut().zip(other).for_each(|(own, &other)| *own = weight * *own + rest * other);
    }
}

/// The logarithm of a gamma variable of scale 1: for small shapes, the variable itself can be too small
/// for a number.
///
/// Source: Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26(3),
/// 2000, with their section 6 for shapes below 1.
fn log_gamma(shape: f64, draws: Stream) -> f64 {
    if shape < 1.0 {
        // Element 3 is used by no attempt below.
        return log_gamma(shape + 1.0, draws) + (1.0 - draws.uniform(3)).ln() / shape;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    // Attempt k takes the normal of uniform elements 4k and 4k + 1, and the uniform element 4k + 2.
    let mut element = 0;
    loop {
        let (x, u) = (draws.normal(element), 1.0 - draws.uniform(element + 2));
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return (d * v).ln();
        }
        element += 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mixlab_core::Purpose;

    fn weights(alpha: f64, count: u64) -> Vec<f64> {
        let key = Key::root(1).purpose(Purpose::Augmentation);
        (0..count).map(|sample| Mixup::random(key, sample, 10, alpha).weight).collect()
    }

    #[test]
    fn weights_have_the_moments_of_the_beta_distribution() {
        for alpha in [0.001, 0.2, 0.4, 1.0, 3.0, 50.0] {
            let weights = weights(alpha, 40_000);
            let mean = weights.iter().sum::<f64>() / 40_000.0;
            let spread = weights.iter().map(|weight| (weight - 0.5).powi(2)).sum::<f64>() / 40_000.0;
            // Variance of Beta(a, a): 1 / (4·(2a + 1)).
            let expected = 0.25 / (2.0 * alpha + 1.0);
            assert!((mean - 0.5).abs() < 0.01, "{alpha}: mean {mean}");
            assert!((spread / expected - 1.0).abs() < 0.03, "{alpha}: variance {spread}, not {expected}");
            assert!(weights.iter().all(|weight| (0.0..=1.0).contains(weight)));
        }
    }

    #[test]
    fn a_uniform_weight_is_uniform() {
        // Beta(1, 1): each tenth gets a tenth.
        let mut counts = [0; 10];
        weights(1.0, 20_000).iter().for_each(|weight| counts[(weight * 10.0) as usize] += 1);
        assert!(counts.iter().all(|count| (1800..2200).contains(count)), "{counts:?}");
    }

    #[test]
    fn every_image_is_a_partner() {
        let key = Key::root(1).purpose(Purpose::Augmentation);
        let mut partners: Vec<usize> =
            (0..200).map(|sample| Mixup::random(key, sample, 7, 1.0).partner).collect();
        partners.sort_unstable();
        partners.dedup();
        assert_eq!(partners, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn images_and_targets_are_blended_alike() {
        let mut own = [1.0, 0.0, 4.0];
        Mixup { partner: 0, weight: 0.75 }.blend(&mut own, &[0.0, 1.0, 8.0]);
        assert_eq!(own, [0.75, 0.25, 5.0]);
    }
}
