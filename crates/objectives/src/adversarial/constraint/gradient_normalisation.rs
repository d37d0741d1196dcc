//! Gradient normalisation (GN), `f̂ = f/(n + |f|)` with n = ‖∇ₓf‖.
//!
//! f̂ lies in (−1, 1), and between kinks ‖∇f̂‖ = (n/(n + |f|))² ≤ 1. It is not Lipschitz: n jumps at kinks, and f̂ with it. Where n = 0 and
//! f ≠ 0, f̂ is the sign of f and has no gradient; where both are 0, f̂ is 0. Source: Wu, Shuai, Tam and Chiu, "Gradient normalization for
//! generative adversarial networks", ICCV 2021, equation 9.

use super::Normalised;

/// f/(n + |f|), with derivatives.
pub(super) fn normalised(f: f64, n: f64) -> Normalised {
    let sum = n + f.abs();
    if sum == 0.0 {
        return Normalised::NOTHING;
    }
    let value = f / sum;
    // Quotients one after the other: the square of the sum may overflow or vanish.
    let by_norm = if n == 0.0 { 0.0 } else { -value / sum };
    Normalised { value, by_value: n / sum / sum, by_norm }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_critic_is_defined() {
        assert_eq!(normalised(-3.0, 0.0), Normalised { value: -1.0, by_value: 0.0, by_norm: 0.0 });
        assert_eq!(normalised(0.0, 0.0), Normalised::NOTHING);
    }

    #[test]
    fn no_square_overflows() {
        for (f, n) in [(1e200, 1e200), (1e-200, 1e-200)] {
            let found = normalised(f, n);
            assert_eq!(found.value, 0.5);
            assert!(
                ((found.by_value * n) - 0.25).abs() < 1e-15 && ((found.by_norm * n) + 0.25).abs() < 1e-15
            );
        }
    }
}
