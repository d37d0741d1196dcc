//! The guard between gradient and update: an update that would do harm is not made.
//!
//! An update is skipped if its loss or gradient norm is not finite, or if the norm exceeds `spike`
//! times a running average of the accepted norms. A skipped update changes nothing but the guard's
//! own count; too many in a row end the run.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::exact;

/// Weight of the newest norm in the running average.
const NEWEST: f64 = 0.02;

/// When an update is skipped and when the run is given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GuardConfig {
    /// Skip an update whose gradient norm exceeds this multiple of the running average; 0 turns it off.
    pub spike: f64,
    /// Updates before spikes are looked for.
    pub spike_after: u64,
    /// Stop the run after this many skipped updates in a row.
    pub patience: u32,
}

impl Default for GuardConfig {
    fn default() -> Self {
        GuardConfig { spike: 25.0, spike_after: 50, patience: 10 }
    }
}

impl GuardConfig {
    /// # Errors
    /// [`TrainError::OutOfRange`] with the key.
    pub(crate) fn validate(&self) -> Result<(), TrainError> {
        if !(self.spike == 0.0 || self.spike > 1.0 && self.spike.is_finite()) {
            return Err(TrainError::out_of_range("train.guard.spike", self.spike, "0, or more than 1"));
        }
        if self.patience == 0 {
            return Err(TrainError::out_of_range("train.guard.patience", 0, "at least 1"));
        }
        Ok(())
    }
}

/// Why an update was skipped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The loss is infinite or not a number.
    Loss(f64),
    /// The gradient norm is infinite or not a number.
    Gradient(f64),
    /// The gradient norm jumped.
    Spike {
        /// The norm.
        norm: f64,
        /// The largest norm that would have been accepted.
        limit: f64,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Loss(loss) => write!(f, "the loss is {loss}"),
            Fault::Gradient(norm) => write!(f, "the gradient norm is {norm}"),
            Fault::Spike { norm, limit } => write!(f, "the gradient norm {norm:.4} exceeds {limit:.4}"),
        }
    }
}

/// The running average and the counts. Part of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GuardState {
    /// Running average of accepted norms.
    #[serde(with = "exact")]
    pub average: f64,
    /// Accepted updates.
    pub accepted: u64,
    /// Skipped updates since the last accepted one.
    pub in_a_row: u32,
    /// Skipped updates in all.
    pub skipped: u64,
}

/// Decides about every update.
#[derive(Clone, Debug)]
pub struct Guard {
    config: GuardConfig,
    state: GuardState,
}

impl Guard {
    /// A guard that has seen nothing.
    pub fn new(config: GuardConfig) -> Self {
        Guard { config, state: GuardState::default() }
    }

    /// What a checkpoint keeps.
    pub fn state(&self) -> &GuardState {
        &self.state
    }

    /// Goes on from a checkpoint.
    pub fn restore(&mut self, state: GuardState) {
        self.state = state;
    }

    /// Whether update `step` with this loss and gradient norm must be skipped, and why.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] when patience runs out.
    pub fn judge(&mut self, step: u64, loss: f64, norm: f64) -> Result<Option<Fault>, TrainError> {
        let Some(fault) = self.fault(loss, norm) else {
            let first = self.state.accepted == 0;
            let newest = if first { 1.0 } else { NEWEST };
            self.state.average += newest * (norm - self.state.average);
            self.state.accepted += 1;
            self.state.in_a_row = 0;
            return Ok(None);
        };
        self.state.in_a_row += 1;
        self.state.skipped += 1;
        if self.state.in_a_row >= self.config.patience {
            return Err(TrainError::Diverged { step, count: self.state.in_a_row, fault });
        }
        Ok(Some(fault))
    }

    fn fault(&self, loss: f64, norm: f64) -> Option<Fault> {
        if !loss.is_finite() {
            return Some(Fault::Loss(loss));
        }
        if !norm.is_finite() {
            return Some(Fault::Gradient(norm));
        }
        let limit = self.config.spike * self.state.average;
        let watching = self.config.spike > 0.0 && self.state.accepted >= self.config.spike_after.max(1);
        (watching && norm > limit).then_some(Fault::Spike { norm, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new(GuardConfig { spike: 4.0, spike_after: 3, patience: 3 })
    }

    #[test]
    fn not_a_number_is_skipped_and_leaves_the_average_alone() {
        let mut guard = guard();
        assert_eq!(guard.judge(0, 2.0, 1.0).unwrap(), None);
        let before = guard.state().clone();
        assert!(matches!(guard.judge(1, f64::NAN, 1.0).unwrap(), Some(Fault::Loss(_))));
        assert!(matches!(guard.judge(2, 2.0, f64::INFINITY).unwrap(), Some(Fault::Gradient(_))));
        assert_eq!(guard.state().average, before.average);
        assert_eq!(guard.state().accepted, before.accepted);
        assert_eq!((guard.state().in_a_row, guard.state().skipped), (2, 2));
    }

    #[test]
    fn a_spike_is_skipped_only_after_its_warm_up() {
        let mut guard = guard();
        for norm in [1.0, 100.0, 1.0] {
            assert_eq!(guard.judge(0, 1.0, norm).unwrap(), None);
        }
        let limit = 4.0 * guard.state().average;
        assert_eq!(guard.judge(3, 1.0, limit * 0.99).unwrap(), None);
        assert!(matches!(guard.judge(4, 1.0, limit * 2.0).unwrap(), Some(Fault::Spike { .. })));
        assert_eq!(guard.judge(5, 1.0, 1.0).unwrap(), None);
        assert_eq!(guard.state().in_a_row, 0);
    }

    #[test]
    fn patience_runs_out_only_in_a_row() {
        let mut guard = guard();
        for step in 0..10 {
            assert!(guard.judge(step, f64::NAN, 1.0).is_ok());
            assert!(guard.judge(step, f64::NAN, 1.0).is_ok());
            assert!(guard.judge(step, 1.0, 1.0).is_ok());
        }
        assert!(guard.judge(30, f64::NAN, 1.0).is_ok());
        assert!(guard.judge(31, f64::NAN, 1.0).is_ok());
        let error = guard.judge(32, f64::NAN, 1.0).unwrap_err();
        assert!(matches!(error, TrainError::Diverged { step: 32, count: 3, .. }));
    }
}
