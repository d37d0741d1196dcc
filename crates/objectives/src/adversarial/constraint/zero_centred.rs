//! Zero-centred penalties, `γ/2·mean n²`: R1 on real samples, R2 on made ones.
//!
//! Source: Mescheder, Geiger and Nowozin, "Which training methods for GANs do actually converge?", ICML 2018, equations 9 and 10.

use super::super::loss::Scored;

/// γ/2·n² and its derivative by n.
pub(super) fn penalty(n: f64, weight: f64) -> Scored {
    Scored { value: 0.5 * weight * n * n, slope: weight * n }
}
