//! The temperature of a contrastive loss.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What cosines are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TemperatureConfig {
    /// One number.
    Fixed {
        /// τ, above 0.
        #[serde(default = "default_value")]
        value: f64,
    },
    /// Learned, as the logarithm of its inverse, and kept between two bounds.
    Clamped {
        /// τ at the beginning.
        #[serde(default = "default_value")]
        initial: f64,
        /// Least τ.
        #[serde(default = "default_minimum")]
        minimum: f64,
        /// Greatest τ.
        #[serde(default = "default_maximum")]
        maximum: f64,
    },
    /// Learned without bounds. FlatNCE, whose loss falls without end as τ does, refuses it.
    Learned {
        /// τ at the beginning.
        #[serde(default = "default_value")]
        initial: f64,
    },
}

fn default_value() -> f64 {
    0.05
}

fn default_minimum() -> f64 {
    0.01
}

fn default_maximum() -> f64 {
    1.0
}

impl Default for TemperatureConfig {
    fn default() -> Self {
        TemperatureConfig::Fixed { value: default_value() }
    }
}

impl TemperatureConfig {
    /// τ at the beginning.
    pub fn initial(&self) -> f64 {
        match *self {
            TemperatureConfig::Fixed { value } => value,
            TemperatureConfig::Clamped { initial, .. } | TemperatureConfig::Learned { initial } => initial,
        }
    }

    /// Whether it moves.
    pub fn is_learned(&self) -> bool {
        !matches!(self, TemperatureConfig::Fixed { .. })
    }

    /// log 1/τ within the bounds.
    pub fn clamp(&self, log_scale: f64) -> f64 {
        match *self {
            TemperatureConfig::Clamped { minimum, maximum, .. } => {
                log_scale.clamp(-maximum.ln(), -minimum.ln())
            }
            TemperatureConfig::Fixed { .. } | TemperatureConfig::Learned { .. } => log_scale,
        }
    }

    /// The first of its numbers that is out of range, by key below `objective.temperature`, and what was expected.
    pub fn check(&self) -> Result<(), (&'static str, f64, &'static str)> {
        let positive = |key, value: f64| match value > 0.0 && value.is_finite() {
            true => Ok(()),
            false => Err((key, value, "above 0")),
        };
        match *self {
            TemperatureConfig::Fixed { value } => positive("value", value),
            TemperatureConfig::Learned { initial } => positive("initial", initial),
            TemperatureConfig::Clamped { initial, minimum, maximum } => {
                positive("minimum", minimum)?;
                if !(maximum >= minimum && maximum.is_finite()) {
                    return Err(("maximum", maximum, "at least `minimum`"));
                }
                if !(minimum..=maximum).contains(&initial) {
                    return Err(("initial", initial, "between `minimum` and `maximum`"));
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_temperature() {
        let config = TemperatureConfig::Clamped { initial: 0.1, minimum: 0.01, maximum: 0.5 };
        assert!((config.clamp(9.0) - 100f64.ln()).abs() < 1e-12);
        assert!((config.clamp(0.0) - 2f64.ln()).abs() < 1e-12);
        assert_eq!(config.clamp(2.0), 2.0);
        assert_eq!(TemperatureConfig::Learned { initial: 0.1 }.clamp(9.0), 9.0);
    }

    #[test]
    fn what_is_no_temperature_is_named() {
        let clamped = |initial, minimum, maximum| TemperatureConfig::Clamped { initial, minimum, maximum };
        for (config, key) in [
            (TemperatureConfig::Fixed { value: 0.0 }, "value"),
            (TemperatureConfig::Learned { initial: -1.0 }, "initial"),
            (clamped(0.1, 0.0, 1.0), "minimum"),
            (clamped(0.1, 0.2, 0.1), "maximum"),
            (clamped(0.1, 0.2, 0.5), "initial"),
            (TemperatureConfig::Fixed { value: f64::NAN }, "value"),
        ] {
            assert_eq!(config.check().expect_err("out of range").0, key);
        }
        assert!(TemperatureConfig::default().check().is_ok());
    }
}
