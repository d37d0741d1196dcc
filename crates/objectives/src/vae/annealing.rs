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

/// How a concentration falls from a high one to that of the posterior: by the same factor in every update, up to some part of the run.
///
/// A divergence that is a constant needs no weight that grows, but a fixed noise from the beginning on makes what is learned first crowd out the
/// rest: a layer gives all of a direction's room to it. Little noise at first leaves room for everything.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ConcentrationAnnealingConfig {
    /// κ in the first update, above 0.
    pub from: f64,
    /// The part of the run after which κ is that of the posterior, above 0 and at most 1.
    pub until: f64,
}

impl Default for ConcentrationAnnealingConfig {
    fn default() -> Self {
        ConcentrationAnnealingConfig { from: 500.0, until: 0.5 }
    }
}

impl ConcentrationAnnealingConfig {
    /// What is out of its range, if anything is: its key, what it is and what it should be.
    ///
    /// # Errors
    /// A concentration that is not above 0, or no part of the run.
    pub fn check(&self) -> Result<(), (&'static str, f64, &'static str)> {
        if !(self.from > 0.0 && self.from <= 1e8) {
            return Err(("objective.concentration_annealing.from", self.from, "above 0 and at most 1e8"));
        }
        if !(self.until > 0.0 && self.until <= 1.0) {
            return Err(("objective.concentration_annealing.until", self.until, "above 0 and at most 1"));
        }
        Ok(())
    }

    /// κ in update `step` (from 0) of `steps`, on the way to `to`.
    pub fn concentration(&self, to: f64, step: u64, steps: u64) -> f64 {
        let way = step as f64 / (steps as f64 * self.until).max(1.0);
        if way >= 1.0 { to } else { self.from * (to / self.from).powf(way) }
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
    fn a_concentration_falls_by_one_factor_and_stays() {
        let annealing = ConcentrationAnnealingConfig { from: 800.0, until: 0.5 };
        let found: Vec<f64> = (0..6).map(|step| annealing.concentration(50.0, step, 8)).collect();
        for (found, expected) in found.iter().zip([800.0, 400.0, 200.0, 100.0, 50.0, 50.0]) {
            assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
        }
        assert!(ConcentrationAnnealingConfig { from: 0.0, until: 0.5 }.check().is_err());
        assert!(ConcentrationAnnealingConfig { from: 9.0, until: 0.0 }.check().is_err());
    }

    #[test]
    fn parts_of_a_cycle_are_checked() {
        for (cycles, zero, rise) in [(0, 0.0, 0.0), (1, -0.1, 0.0), (1, 0.6, 0.6), (1, f64::NAN, 0.0)] {
            assert!(AnnealingConfig { cycles, zero, rise }.check().is_err(), "{cycles} {zero} {rise}");
        }
        assert!(AnnealingConfig { cycles: 4, zero: 0.5, rise: 0.5 }.check().is_ok());
    }
}
