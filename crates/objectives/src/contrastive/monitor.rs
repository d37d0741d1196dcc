//! What the anchors of a step tell about it.

use mixlab_kernels::AnchorStatistics;
use serde::{Deserialize, Serialize};

/// A step in numbers that show whether a loss still learns, and from whom.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Monitors {
    /// Mean of log ξ, the soft margin: negative once the positive beats all negatives together.
    pub log_xi: f64,
    /// log K − InfoNCE, a lower bound of the mutual information in nats that cannot pass log K.
    pub information: f64,
    /// Mean effective number of negatives (Kish).
    pub effective: f64,
    /// Its 5 % quantile.
    pub effective_low: f64,
    /// Median of 1 − p of the positive, the weight that InfoNCE gives an anchor.
    pub error: f64,
    /// Its 95 % quantile.
    pub error_high: f64,
    /// Share of anchors whose ξ is below the machine epsilon of single precision: InfoNCE has switched them off.
    pub silent: f64,
    /// Mean score of the positives.
    pub positive: f64,
}

impl Monitors {
    /// Name and value of every number.
    pub fn entries(&self) -> [(&'static str, f64); 8] {
        [
            ("log_xi", self.log_xi),
            ("information", self.information),
            ("effective", self.effective),
            ("effective_low", self.effective_low),
            ("error", self.error),
            ("error_high", self.error_high),
            ("silent", self.silent),
            ("positive", self.positive),
        ]
    }

    /// Of the anchors of a step, each with `candidates` candidates. Anchors whose negatives are all masked tell nothing; none if there
    /// are no others.
    pub fn of(statistics: &[AnchorStatistics], candidates: usize) -> Option<Self> {
        let told = |anchor: &&AnchorStatistics| anchor.negatives > f64::NEG_INFINITY;
        let statistics: Vec<AnchorStatistics> = statistics.iter().filter(told).copied().collect();
        if statistics.is_empty() {
            return None;
        }
        let mean = |of: &dyn Fn(&AnchorStatistics) -> f64| {
            statistics.iter().map(of).sum::<f64>() / statistics.len() as f64
        };
        let sorted = |of: &dyn Fn(&AnchorStatistics) -> f64| {
            let mut all: Vec<f64> = statistics.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let quantile =
            |sorted: &[f64], share: f64| sorted[(share * (sorted.len() - 1) as f64).round() as usize];
        let margin = |anchor: &AnchorStatistics| anchor.negatives - anchor.positive;
        let info_nce = mean(&|anchor| {
            let x = margin(anchor);
            x.max(0.0) + (-x.abs()).exp().ln_1p()
        });
        let (effective, error) = (sorted(&|anchor| anchor.effective), sorted(&|anchor| anchor.error));
        let epsilon = f64::from(f32::EPSILON).ln();
        Some(Monitors {
            log_xi: mean(&margin),
            information: (candidates as f64).ln() - info_nce,
            effective: mean(&|anchor| anchor.effective),
            effective_low: quantile(&effective, 0.05),
            error: quantile(&error, 0.5),
            error_high: quantile(&error, 0.95),
            silent: mean(&|anchor| f64::from(u8::from(margin(anchor) < epsilon))),
            positive: mean(&|anchor| anchor.positive),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_in_numbers() {
        let anchor = |margin: f64, effective: f64| AnchorStatistics {
            positive: 2.0,
            negatives: 2.0 + margin,
            error: 1.0 / (1.0 + (-margin).exp()),
            effective,
        };
        let monitors = Monitors::of(&[anchor(0.0, 3.0), anchor(-20.0, 1.0)], 8).unwrap();
        assert_eq!((monitors.log_xi, monitors.effective, monitors.effective_low), (-10.0, 2.0, 1.0));
        assert!(
            (monitors.information - (8f64.ln() - (2f64.ln() + 20f64.exp().recip().ln_1p()) / 2.0)).abs()
                < 1e-12
        );
        assert_eq!((monitors.silent, monitors.error_high, monitors.positive), (0.5, 0.5, 2.0));
        assert_eq!(Monitors::of(&[], 8), None);
        // An anchor without negatives changes nothing; alone it tells nothing.
        let masked = anchor(f64::NEG_INFINITY, 0.0);
        assert_eq!(Monitors::of(&[anchor(0.0, 3.0), masked, anchor(-20.0, 1.0)], 8), Some(monitors));
        assert_eq!(Monitors::of(&[masked], 8), None);
    }
}
