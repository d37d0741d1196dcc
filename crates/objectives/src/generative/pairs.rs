//! Means over pairs of rows, of which unbiased measures are made.
//!
//! ```text
//! between = 1/(n·m) · Σᵢ Σⱼ f(xᵢ, yⱼ)          within = 1/(n·(n − 1)) · Σᵢ Σ_{j ≠ i} f(xᵢ, xⱼ)
//! ```
//!
//! A row is never its own partner: that is what makes the mean within a sample unbiased. Source: Gretton et al., "A kernel two-sample test", 2012,
//! equation 3.

use super::Rows;

/// Mean of `f` over all pairs of a row of one and a row of the other.
pub fn mean_between(x: &Rows, y: &Rows, f: impl Fn(&[f64], &[f64]) -> f64) -> f64 {
    let sum: f64 = x.iter().map(|a| y.iter().map(|b| f(a, b)).sum::<f64>()).sum();
    sum / (x.len() * y.len()) as f64
}

/// Mean of a symmetric `f` over all pairs of two different rows.
pub fn mean_within(x: &Rows, f: impl Fn(&[f64], &[f64]) -> f64) -> f64 {
    let earlier = |(i, a)| x.iter().take(i).map(|b| f(a, b)).sum::<f64>();
    let sum: f64 = x.iter().enumerate().map(earlier).sum();
    sum / (x.len() * (x.len() - 1) / 2) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_by_hand() {
        let (x, y) = (Rows::new(vec![1.0, 2.0, 4.0], 1), Rows::new(vec![3.0, 5.0], 1));
        let apart = |a: &[f64], b: &[f64]| (a[0] - b[0]).abs();
        // 2, 4; 1, 3; 1, 1.
        assert_eq!(mean_between(&x, &y, apart), 2.0);
        // 1, 3, 2.
        assert_eq!(mean_within(&x, apart), 2.0);
        assert_eq!(mean_within(&y, apart), 2.0);
    }
}
