//! An exponential moving average of the parameters.
//!
//! After update t (from 1): `a ← δa + (1 − δ)p` with `δ = min(decay, (1 + t) / (10 + t))`, so that the
//! first values, which are far from the average, are forgotten quickly.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Whether and how parameters are averaged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EmaConfig {
    /// Share of the average that an update keeps, for example 0.999; 0 turns averaging off. The average
    /// is then what is evaluated, sampled from and saved as the final model.
    pub decay: f64,
}

impl EmaConfig {
    /// # Errors
    /// [`TrainError::OutOfRange`] with the key.
    pub(crate) fn validate(&self) -> Result<(), TrainError> {
        let fits = (0.0..1.0).contains(&self.decay);
        if fits {
            Ok(())
        } else {
            Err(TrainError::out_of_range("train.ema.decay", self.decay, "at least 0 and below 1"))
        }
    }
}

/// The averages, as vectors by path.
pub struct Ema {
    decay: f64,
    values: BTreeMap<String, Tensor<1>>,
}

impl Ema {
    /// Averages that start at `values`, or none if averaging is off.
    pub fn new(config: &EmaConfig, values: impl FnOnce() -> BTreeMap<String, Tensor<1>>) -> Option<Self> {
        (config.decay > 0.0).then(|| Ema { decay: config.decay, values: values() })
    }

    /// Moves the averages towards what update number `update` (from 1) produced.
    pub fn update(&mut self, values: &BTreeMap<String, Tensor<1>>, update: u64) {
        let decay = self.decay.min((1.0 + update as f64) / (10.0 + update as f64));
        for (path, average) in &mut self.values {
            if let Some(value) = values.get(path) {
                *average = average.clone() * decay + value.clone() * (1.0 - decay);
            }
        }
    }

    /// Sets values that are not averaged.
    pub fn put(&mut self, values: &BTreeMap<String, Tensor<1>>) {
        self.values.extend(values.iter().map(|(path, value)| (path.clone(), value.clone())));
    }

    /// The averages.
    pub fn values(&self) -> &BTreeMap<String, Tensor<1>> {
        &self.values
    }

    /// Goes on from a checkpoint.
    pub fn restore(&mut self, values: BTreeMap<String, Tensor<1>>) {
        self.values = values;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device};

    #[test]
    fn follows_the_formula() {
        let constant = |x: f64| Tensor::<1>::full([2], x, (&Device::flex(), DType::F64));
        let map = |x: f64| BTreeMap::from([("w".to_owned(), constant(x))]);
        assert!(Ema::new(&EmaConfig { decay: 0.0 }, || map(1.0)).is_none());
        let mut ema = Ema::new(&EmaConfig { decay: 0.5 }, || map(1.0)).unwrap();
        let mut expected = 1.0;
        for (update, value) in [(1, 3.0), (20, 5.0), (30, -1.0)] {
            let decay = 0.5f64.min((1.0 + update as f64) / (10.0 + update as f64));
            expected = decay * expected + (1.0 - decay) * value;
            ema.update(&map(value), update);
            let found: f64 = ema.values()["w"].to_data().try_to_vec::<f64>().unwrap()[0];
            assert!((found - expected).abs() < 1e-14);
        }
    }
}
