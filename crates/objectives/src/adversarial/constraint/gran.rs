//! GraN, `f̂ = K·f·n/(n² + ε)` with n = ‖∇ₓf‖.
//!
//! Between kinks ‖∇f̂‖ = K·n²/(n² + ε) < K. Nothing bounds |f̂|: with the Wasserstein loss |f| and with it the jumps at kinks can grow without
//! end. A small n is damped, where n = 0 f̂ is 0. Source: Bhaskara, Aumentado-Armstrong, Jepson and Levinshtein, "GraN-GAN: piecewise
//! gradient normalization for generative adversarial networks", WACV 2022, equations 5 and 6.

use super::Normalised;

/// K·f·n/(n² + ε), with derivatives.
pub(super) fn normalised(f: f64, n: f64, epsilon: f64, scale: f64) -> Normalised {
    let square = n * n + epsilon;
    if !square.is_finite() {
        // ε is nothing beside such a gradient.
        let plain = super::plain::normalised(f, n);
        return Normalised {
            value: scale * plain.value,
            by_value: scale * plain.by_value,
            by_norm: scale * plain.by_norm,
        };
    }
    if n == 0.0 {
        return Normalised::NOTHING;
    }
    Normalised {
        value: scale * f * n / square,
        by_value: scale * n / square,
        by_norm: scale * f * (epsilon - n * n) / square / square,
    }
}
