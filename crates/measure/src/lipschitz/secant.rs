//! Slopes between points at a distance.

use serde::Serialize;

use super::Quantiles;

/// Secants over one radius.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SecantReport {
    /// r, in units of the samples.
    pub radius: f64,
    /// |f̂(x + r·e) − f̂(x)|/r.
    pub slopes: Quantiles,
    /// The share of them above 1.
    pub above_one: f64,
}

impl SecantReport {
    pub(super) fn of(radius: f64, slopes: &[f64]) -> Self {
        let above = slopes.iter().filter(|&&slope| slope > 1.0).count();
        SecantReport {
            radius,
            slopes: Quantiles::of(slopes),
            above_one: above as f64 / slopes.len().max(1) as f64,
        }
    }
}
