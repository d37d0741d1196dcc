//! Wasserstein divergence (WGAN-div), `k·mean nᵖ`.
//!
//! Source: Wu, Huang, Thoma, Acharya and Van Gool, "Wasserstein divergence for GANs", ECCV 2018, equation 8; k = 2 and p = 6 there.

use super::super::loss::Scored;

/// k·nᵖ and its derivative by n.
pub(super) fn penalty(n: f64, weight: f64, power: f64) -> Scored {
    let slope = if n == 0.0 { 0.0 } else { weight * power * n.powf(power - 1.0) };
    Scored { value: weight * n.powf(power), slope }
}
