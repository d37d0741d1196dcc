//! Plain normalisation, `f̂ = f/n` with n = ‖∇ₓf‖.
//!
//! Between kinks ‖∇f̂‖ = 1. Where n = 0 there is no quotient: f̂ is 0 there and has no gradient. Source: Su, post 8757, which asks what goes
//! wrong with it.

use super::Normalised;

/// f/n, with derivatives.
pub(super) fn normalised(f: f64, n: f64) -> Normalised {
    if n == 0.0 {
        return Normalised::NOTHING;
    }
    Normalised { value: f / n, by_value: 1.0 / n, by_norm: -f / n / n }
}
