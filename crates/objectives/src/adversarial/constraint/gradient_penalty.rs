//! Gradient penalty (WGAN-GP), `λ·mean (n − 1)²` between real and made samples; one-sided, `λ·mean max(0, n − 1)²`.
//!
//! Points are α·real + (1 − α)·made with an α of their own, uniform on [0, 1). Source: Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville,
//! "Improved training of Wasserstein GANs", 2017, equation 3; Petzka, Fischer and Lukovnikov 2018 for the one-sided form.

use super::super::loss::Scored;

/// λ·(n − 1)² and its derivative by n.
pub(super) fn penalty(n: f64, weight: f64, one_sided: bool) -> Scored {
    let beyond = if one_sided { (n - 1.0).max(0.0) } else { n - 1.0 };
    Scored { value: weight * beyond * beyond, slope: 2.0 * weight * beyond }
}
