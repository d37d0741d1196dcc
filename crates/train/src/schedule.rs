//! Learning-rate schedules: the share of the peak rate that an update gets, a pure function of its index.
//!
//! With t the index of the update (the first is 0), T the number of updates and w the warm-up, every
//! schedule but `piecewise_linear` starts with the ramp `(t + 1) / w` for t < w. After it, with
//! `p = (t − w) / (T − w)` and r the final ratio:
//!
//! | kind | share |
//! |---|---|
//! | `constant` | 1 |
//! | `linear` | 1 − (1 − r) · p |
//! | `cosine` | r + (1 − r) · (1 + cos πp) / 2 |
//! | `inverse_square_root` | √(max(w, 1) / (t + 1)) |
//! | `warmup_stable_decay` | 1, and over the last D updates linearly to r |
//! | `piecewise_linear` | interpolated between points (t, share), constant outside them |

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// How the learning rate moves over the run. The peak rate is the optimiser's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ScheduleConfig {
    /// The peak rate after the warm-up.
    Constant {
        /// Updates of linear warm-up.
        #[serde(default)]
        warmup: u64,
    },
    /// Falls linearly to the final ratio at the end of the run.
    Linear {
        /// Updates of linear warm-up.
        #[serde(default)]
        warmup: u64,
        /// Rate at the end of the run as a share of the peak.
        #[serde(default)]
        final_ratio: f64,
    },
    /// Falls along half a cosine to the final ratio at the end of the run.
    Cosine {
        /// Updates of linear warm-up.
        #[serde(default)]
        warmup: u64,
        /// Rate at the end of the run as a share of the peak.
        #[serde(default)]
        final_ratio: f64,
    },
    /// Falls with the square root of the update's index.
    InverseSquareRoot {
        /// Updates of linear warm-up; also the scale of the fall.
        #[serde(default)]
        warmup: u64,
    },
    /// Warm-up, a plateau, and a linear fall over the last updates.
    WarmupStableDecay {
        /// Updates of linear warm-up.
        #[serde(default)]
        warmup: u64,
        /// Updates of the fall at the end.
        decay: u64,
        /// Rate at the end of the run as a share of the peak.
        #[serde(default)]
        final_ratio: f64,
    },
    /// Straight lines between given points.
    PiecewiseLinear {
        /// Points [update, share of the peak], updates rising: `[[0, 0.0], [1000, 1.0], [9000, 0.1]]`.
        points: Vec<[f64; 2]>,
    },
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        ScheduleConfig::Cosine { warmup: 100, final_ratio: 0.1 }
    }
}

impl ScheduleConfig {
    /// The share of the peak rate that update `index` of `total` gets.
    pub fn share(&self, index: u64, total: u64) -> f64 {
        if let ScheduleConfig::PiecewiseLinear { points } = self {
            return interpolate(points, index as f64);
        }
        let warmup = self.warmup();
        if index < warmup {
            return (index + 1) as f64 / warmup as f64;
        }
        let progress = ((index - warmup) as f64 / total.saturating_sub(warmup).max(1) as f64).min(1.0);
        match self {
            ScheduleConfig::Constant { .. } | ScheduleConfig::PiecewiseLinear { .. } => 1.0,
            ScheduleConfig::Linear { final_ratio, .. } => 1.0 - (1.0 - final_ratio) * progress,
            ScheduleConfig::Cosine { final_ratio, .. } => {
                final_ratio + (1.0 - final_ratio) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
            }
            ScheduleConfig::InverseSquareRoot { .. } => (warmup.max(1) as f64 / (index + 1) as f64).sqrt(),
            ScheduleConfig::WarmupStableDecay { decay, final_ratio, .. } => {
                let into = (index + decay).saturating_sub(total) as f64 / (*decay).max(1) as f64;
                1.0 - (1.0 - final_ratio) * into.min(1.0)
            }
        }
    }

    fn warmup(&self) -> u64 {
        match self {
            ScheduleConfig::Constant { warmup }
            | ScheduleConfig::Linear { warmup, .. }
            | ScheduleConfig::Cosine { warmup, .. }
            | ScheduleConfig::InverseSquareRoot { warmup }
            | ScheduleConfig::WarmupStableDecay { warmup, .. } => *warmup,
            ScheduleConfig::PiecewiseLinear { .. } => 0,
        }
    }

    /// Checks every number against its range.
    ///
    /// # Errors
    /// [`TrainError::OutOfRange`] with the key.
    pub fn validate(&self) -> Result<(), TrainError> {
        match self {
            ScheduleConfig::Linear { final_ratio, .. }
            | ScheduleConfig::Cosine { final_ratio, .. }
            | ScheduleConfig::WarmupStableDecay { final_ratio, .. }
                if !(0.0..=1.0).contains(final_ratio) =>
            {
                Err(TrainError::out_of_range("schedule.final_ratio", final_ratio, "0 to 1"))
            }
            ScheduleConfig::WarmupStableDecay { decay: 0, .. } => {
                Err(TrainError::out_of_range("schedule.decay", 0, "at least 1"))
            }
            ScheduleConfig::PiecewiseLinear { points } => check_points(points),
            _ => Ok(()),
        }
    }
}

fn check_points(points: &[[f64; 2]]) -> Result<(), TrainError> {
    let error = |found: String| {
        let expected = "at least one point [update, share], updates rising from 0, shares not negative";
        Err(TrainError::out_of_range("schedule.points", found, expected))
    };
    if points.is_empty() {
        return error("empty".into());
    }
    for (index, [at, share]) in points.iter().enumerate() {
        let rising = index == 0 || points[index - 1][0] < *at;
        if !(at.is_finite() && *at >= 0.0 && rising && share.is_finite() && *share >= 0.0) {
            return error(format!("[{at}, {share}] at place {}", index + 1));
        }
    }
    Ok(())
}

fn interpolate(points: &[[f64; 2]], at: f64) -> f64 {
    let after = points.partition_point(|point| point[0] <= at);
    match (after.checked_sub(1).map(|before| points[before]), points.get(after)) {
        (Some([x0, y0]), Some([x1, y1])) => y0 + (y1 - y0) * (at - x0) / (x1 - x0),
        (Some([_, y]), None) | (None, Some(&[_, y])) => y,
        (None, None) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(schedule: &ScheduleConfig, indices: &[u64], total: u64) -> Vec<f64> {
        indices.iter().map(|&index| (schedule.share(index, total) * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn golden_values() {
        let constant = ScheduleConfig::Constant { warmup: 4 };
        assert_eq!(shares(&constant, &[0, 1, 3, 4, 99], 100), [0.25, 0.5, 1.0, 1.0, 1.0]);
        let linear = ScheduleConfig::Linear { warmup: 0, final_ratio: 0.2 };
        assert_eq!(shares(&linear, &[0, 5, 10, 50], 10), [1.0, 0.6, 0.2, 0.2]);
        let cosine = ScheduleConfig::Cosine { warmup: 10, final_ratio: 0.1 };
        assert_eq!(
            shares(&cosine, &[4, 9, 10, 35, 60, 85, 110], 110),
            [0.5, 1.0, 1.0, 0.868198, 0.55, 0.231802, 0.1]
        );
        let root = ScheduleConfig::InverseSquareRoot { warmup: 4 };
        assert_eq!(shares(&root, &[0, 3, 15, 63], 100), [0.25, 1.0, 0.5, 0.25]);
        let stable = ScheduleConfig::WarmupStableDecay { warmup: 2, decay: 4, final_ratio: 0.0 };
        assert_eq!(shares(&stable, &[0, 1, 2, 6, 7, 9, 10], 10), [0.5, 1.0, 1.0, 1.0, 0.75, 0.25, 0.0]);
        let points = ScheduleConfig::PiecewiseLinear { points: vec![[0.0, 0.0], [10.0, 1.0], [30.0, 0.5]] };
        assert_eq!(shares(&points, &[0, 5, 10, 20, 30, 99], 100), [0.0, 0.5, 1.0, 0.75, 0.5, 0.5]);
    }

    #[test]
    fn a_warm_up_longer_than_the_run_only_ramps() {
        let cosine = ScheduleConfig::Cosine { warmup: 100, final_ratio: 0.0 };
        assert_eq!(shares(&cosine, &[0, 9], 10), [0.01, 0.1]);
    }

    #[test]
    fn ranges_are_checked() {
        let bad = [
            ScheduleConfig::Cosine { warmup: 0, final_ratio: 1.5 },
            ScheduleConfig::Linear { warmup: 0, final_ratio: f64::NAN },
            ScheduleConfig::WarmupStableDecay { warmup: 0, decay: 0, final_ratio: 0.0 },
            ScheduleConfig::PiecewiseLinear { points: vec![] },
            ScheduleConfig::PiecewiseLinear { points: vec![[5.0, 1.0], [5.0, 0.0]] },
            ScheduleConfig::PiecewiseLinear { points: vec![[0.0, -1.0]] },
        ];
        for schedule in bad {
            assert!(schedule.validate().is_err(), "{schedule:?}");
        }
        assert!(ScheduleConfig::default().validate().is_ok());
    }
}
