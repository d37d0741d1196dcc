//! A few numbers for many.

use serde::Serialize;

/// Quantiles of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// The smallest.
    pub least: f64,
    /// A tenth is below.
    pub tenth: f64,
    /// Half is below.
    pub median: f64,
    /// Nine tenths are below.
    pub ninetieth: f64,
    /// The largest.
    pub greatest: f64,
}

impl Quantiles {
    /// Of some numbers, each quantile one of them; not a number if there are none.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        let at = |share: f64| sorted.get((share * last as f64).round() as usize).copied().unwrap_or(f64::NAN);
        Quantiles { least: at(0.0), tenth: at(0.1), median: at(0.5), ninetieth: at(0.9), greatest: at(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numbers_of_the_sample() {
        let values: Vec<f64> = (0..=10).rev().map(f64::from).collect();
        let found = Quantiles::of(&values);
        let expected = Quantiles { least: 0.0, tenth: 1.0, median: 5.0, ninetieth: 9.0, greatest: 10.0 };
        assert_eq!(found, expected);
        assert!(Quantiles::of(&[]).median.is_nan());
    }
}
