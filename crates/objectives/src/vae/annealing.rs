//! How the weight of divergences grows while a model learns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The share of β that is in force: in every cycle nothing first, then a straight rise, then all of it. As it is, all of it from the
/// beginning; with one cycle β-annealing, with several cyclical annealing.
///
/// Source: Bowman et al., "Generating sentences from a continuous space", 2016, section 3.1; Fu et al., "Cyclical annealing schedule",
/// NAACL 2019, equation 6, whose ratio R is `rise`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AnnealingConfig {
    /// How often it begins anew over the run.
    pub cycles: u64,
    /// The part of a cycle without any weight, 0 to 1.
    pub zero: f64,
    /// The part of a cycle in which the weight rises, 0 to 1; with `zero` at most 1.
    pub rise: f64,
}

impl Default for AnnealingConfig {
    fn default() -> Self {
        AnnealingConfig { cycles: 1, zero: 0.0, rise: 0.0 }
    }
}

impl AnnealingConfig {
    /// What is out of its range, if anything is: its key, what it is and what it should be.
    ///
    /// # Errors
    /// No cycle, or parts of a cycle that are no parts of it.
    pub fn check(&self) -> Result<(), (&'static str, f64, &'static str)> {
        let AnnealingConfig { cycles, zero, rise } = *self;
        if cycles == 0 {
            return Err(("objective.annealing.cycles", 0.0, "at least 1"));
        }
        if !(0.0..=1.0).contains(&zero) {
            return Err(("objective.annealing.zero", zero, "0 to 1"));
        }
        if !(0.0..=1.0).contains(&rise) || zero + rise > 1.0 {
            return Err(("objective.annealing.rise", rise, "0 to 1, and with `zero` at most 1"));
        }
        Ok(())
    }

    /// The share in update `step` (from 0) of `steps`.
    pub fn share(&self, step: u64, steps: u64) -> f64 {
        let cycle = (steps as f64 / self.cycles as f64).max(1.0);
        let at = (step as f64 % cycle) / cycle;
        match at - self.zero {
            before if before < 0.0 => 0.0,
            within if within < self.rise => within / self.rise,
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_waits_rises_and_stays_in_every_cycle() {
        assert!((0..10).all(|step| AnnealingConfig::default().share(step, 10) == 1.0));
        let once = AnnealingConfig { zero: 0.5, rise: 0.25, ..AnnealingConfig::default() };
        let shares: Vec<f64> = (0..8).map(|step| once.share(step, 8)).collect();
        assert_eq!(shares, [0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 1.0]);
        let cyclical = AnnealingConfig { cycles: 2, zero: 0.0, rise: 0.5 };
        let shares: Vec<f64> = (0..8).map(|step| cyclical.share(step, 8)).collect();
        assert_eq!(shares, [0.0, 0.5, 1.0, 1.0, 0.0, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn parts_of_a_cycle_are_checked() {
        for (cycles, zero, rise) in [(0, 0.0, 0.0), (1, -0.1, 0.0), (1, 0.6, 0.6), (1, f64::NAN, 0.0)] {
            assert!(AnnealingConfig { cycles, zero, rise }.check().is_err(), "{cycles} {zero} {rise}");
        }
        assert!(AnnealingConfig { cycles: 4, zero: 0.5, rise: 0.5 }.check().is_ok());
    }
}
