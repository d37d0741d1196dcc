//! Modified Bessel functions of the first kind, as densities on spheres need them: without under- or overflow.
//!
//! `I_v(x)` itself is 10⁻³⁶³ at v = 383 and x = 32 and 10⁴³⁴²⁶ at x = 10⁵. What a density needs are its logarithm relative to
//! the first term of its series, and the ratio of two neighbouring orders.

use libm::lgamma;

/// Above this argument the uniform expansion has more digits than a double.
const LARGE: f64 = 1e4;
/// What a running sum is scaled down by before it overflows.
const SCALE: f64 = 1e250;

/// log ₀F₁(; v + 1; x²/4) = log[ Γ(v+1)·(2/x)^v·I_v(x) ], 0 at x = 0, for v ≥ 0 and x ≥ 0.
///
/// Up to x = 10⁴ by the power series, all of whose terms are positive; beyond by Debye's expansion, which is uniform in v (DLMF
/// 10.41.3).
pub fn log_scaled_bessel(order: f64, x: f64) -> f64 {
    debug_assert!(order >= 0.0 && x >= 0.0);
    if x <= LARGE { series(order, x) } else { lgamma(order + 1.0) - order * (x / 2.0).ln() + debye(order, x) }
}

/// The ratio I_{v+1}(x) / I_v(x) by Gauss's continued fraction, for v ≥ 0 and x ≥ 0.
///
/// Its elements are positive, so that no digit is lost; about 6·√x of them are needed.
pub fn bessel_ratio(order: f64, x: f64) -> f64 {
    if x == 0.0 {
        return 0.0;
    }
    // Modified Lentz: the fraction 1/(b₁ + 1/(b₂ + …)) with b_k = 2(v + k)/x.
    let element = |k: f64| 2.0 * (order + k) / x;
    let (mut value, mut c, mut d) = (element(1.0), element(1.0), 0.0);
    for k in 2u32.. {
        let b = element(f64::from(k));
        d = 1.0 / (b + d);
        c = b + 1.0 / c;
        let change = c * d;
        value *= change;
        if (change - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    1.0 / value
}

/// Σ over k ≥ 1 of (x²/4)^k / (k!·(v+1)_k), and the logarithm of one more.
fn series(order: f64, x: f64) -> f64 {
    let square = x * x / 4.0;
    let (mut term, mut rest, mut scales) = (1.0, 0.0, 0u32);
    for k in 1u32.. {
        let k = f64::from(k);
        let ratio = square / (k * (order + k));
        term *= ratio;
        rest += term;
        if ratio < 1.0 && term <= rest * f64::EPSILON * (1.0 - ratio) {
            break;
        }
        if rest > SCALE {
            (term, rest, scales) = (term / SCALE, rest / SCALE, scales + 1);
        }
    }
    match scales {
        0 => rest.ln_1p(),
        // One is nothing beside it.
        _ => rest.ln() + f64::from(scales) * SCALE.ln(),
    }
}

/// log I_v(x) where v² + x² is large.
fn debye(order: f64, x: f64) -> f64 {
    let r = order.hypot(x);
    let p = order / r;
    let p2 = p * p;
    // U_k(p)/v^k, in which p/v is 1/r.
    let u1 = (3.0 - 5.0 * p2) / 24.0;
    let u2 = (81.0 + p2 * (-462.0 + p2 * 385.0)) / 1152.0;
    let u3 = (30375.0 + p2 * (-369603.0 + p2 * (765765.0 - p2 * 425425.0))) / 414720.0;
    let sum = (u1 + (u2 + u3 / r) / r) / r;
    r + order * (x / (order + r)).ln() - 0.5 * (std::f64::consts::TAU * r).ln() + sum.ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "{found} is not {expected}");
    }

    /// Orders one half and three halves are elementary.
    #[test]
    fn half_orders_are_elementary() {
        for x in [1e-6f64, 0.3, 2.0, 30.0, 500.0, 9e3, 2e4, 1e6] {
            // log(sinh x / x) and coth x − 1/x.
            let log_sinh = if x < 1e-3 {
                (x * x / 6.0).ln_1p()
            } else {
                x + (-(-2.0 * x).exp()).ln_1p() - (2.0 * x).ln()
            };
            let ratio = if x < 1e-3 { x / 3.0 } else { 1.0 / x.tanh() - 1.0 / x };
            close(log_scaled_bessel(0.5, x), log_sinh, 1e-12);
            close(bessel_ratio(0.5, x), ratio, 1e-12);
        }
    }

    /// log I_383(32) = −836.42, where a double is 0; and both forms where they meet.
    #[test]
    fn large_orders_and_arguments_neither_vanish_nor_overflow() {
        let log_bessel = log_scaled_bessel(383.0, 32.0) + 383.0 * 16f64.ln() - lgamma(384.0);
        close(log_bessel, -836.42, 1e-5);
        for order in [0.0, 0.5, 7.0, 31.0, 383.0, 2047.0] {
            let (x, below) = (LARGE, series(order, LARGE));
            close(lgamma(order + 1.0) - order * (x / 2.0).ln() + debye(order, x), below, 1e-12);
        }
        for dimension in [2.0, 3.0, 16.0, 768.0, 4096.0] {
            for x in [1e-8, 1e-3, 1.0, 32.0, 1e3, 1e5, 1e9] {
                let (log, ratio) =
                    (log_scaled_bessel(dimension / 2.0 - 1.0, x), bessel_ratio(dimension / 2.0 - 1.0, x));
                assert!(
                    log.is_finite() && log > 0.0 && ratio > 0.0 && ratio < 1.0,
                    "{dimension}, {x}: {log}, {ratio}"
                );
            }
        }
    }

    /// d/dx log[ x^(−v)·I_v(x) ] is the ratio.
    #[test]
    fn the_ratio_is_the_derivative() {
        for order in [0.0, 1.5, 7.0, 383.0] {
            for x in [0.5, 5.0, 40.0, 2000.0] {
                let step = 1e-5 * x;
                let difference = log_scaled_bessel(order, x + step) - log_scaled_bessel(order, x - step);
                close(difference / (2.0 * step), bessel_ratio(order, x), 1e-7);
            }
        }
    }
}
