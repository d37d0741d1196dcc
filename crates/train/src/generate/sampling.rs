//! Drawing a token from the distribution of a model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// How a token is drawn from the distribution of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SamplingConfig {
    /// Logits are divided by it; 0 always takes the most probable token.
    pub temperature: f64,
    /// Only the k most probable tokens can be drawn; 0 allows all.
    pub top_k: usize,
    /// Only the most probable tokens that together reach this probability can be drawn.
    pub top_p: f64,
}

impl Default for SamplingConfig {
    fn default() -> Self {
        SamplingConfig { temperature: 0.8, top_k: 0, top_p: 0.95 }
    }
}

impl SamplingConfig {
    /// Checks every number against its range; the keys are what an error calls them.
    ///
    /// # Errors
    /// [`TrainError::OutOfRange`].
    pub fn validate(&self, temperature: &'static str, top_p: &'static str) -> Result<(), TrainError> {
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            return Err(TrainError::out_of_range(temperature, self.temperature, "0 or more"));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(TrainError::out_of_range(top_p, self.top_p, "more than 0, at most 1"));
        }
        Ok(())
    }

    /// Draws one token. `uniform` lies in [0, 1). Equal logits are taken in the order of their ids.
    pub fn draw(&self, logits: &[f64], uniform: f64) -> u32 {
        let by_probability =
            |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
        if self.temperature == 0.0 {
            return (0..logits.len() as u32).min_by(by_probability).unwrap_or(0);
        }
        let mut order: Vec<u32> = (0..logits.len() as u32).collect();
        order.sort_unstable_by(by_probability);
        if self.top_k > 0 {
            order.truncate(self.top_k);
        }
        let largest = order.first().map_or(0.0, |&id| logits[id as usize]);
        let weight = |&id: &u32| ((logits[id as usize] - largest) / self.temperature).exp();
        let mut weights: Vec<f64> = order.iter().map(weight).collect();
        let nucleus = self.top_p * weights.iter().sum::<f64>();
        let mut sum = 0.0;
        let kept = weights.iter().take_while(|&&weight| {
            let before = sum;
            sum += weight;
            before < nucleus
        });
        let kept = kept.count();
        weights.truncate(kept.max(1));
        let mut rest = uniform * weights.iter().sum::<f64>();
        let drawn = weights.iter().position(|&weight| {
            rest -= weight;
            rest < 0.0
        });
        order.get(drawn.unwrap_or(weights.len() - 1)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(temperature: f64, top_k: usize, top_p: f64) -> SamplingConfig {
        SamplingConfig { temperature, top_k, top_p }
    }

    /// Logits of the probabilities 0.1, 0.4, 0.2, 0.3.
    fn logits() -> [f64; 4] {
        [0.1f64, 0.4, 0.2, 0.3].map(f64::ln)
    }

    fn reachable(sampling: &SamplingConfig) -> Vec<(u32, usize)> {
        let mut counts = std::collections::BTreeMap::new();
        for i in 0..1000 {
            *counts.entry(sampling.draw(&logits(), i as f64 / 1000.0)).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    #[test]
    fn temperature_zero_is_greedy_and_ties_go_to_the_first() {
        assert_eq!(reachable(&sampling(0.0, 0, 1.0)), [(1, 1000)]);
        assert_eq!(sampling(0.0, 0, 1.0).draw(&[2.0, 5.0, 5.0], 0.9), 1);
    }

    #[test]
    fn probabilities_are_those_of_the_model() {
        assert_eq!(reachable(&sampling(1.0, 0, 1.0)), [(0, 100), (1, 400), (2, 200), (3, 300)]);
        let squared: Vec<f64> = [0.01, 0.16, 0.04, 0.09].map(|p: f64| p / 0.30).into();
        for (id, count) in reachable(&sampling(0.5, 0, 1.0)) {
            assert!((count as f64 / 1000.0 - squared[id as usize]).abs() < 2e-3);
        }
    }

    #[test]
    fn top_k_and_top_p_cut_the_tail() {
        assert_eq!(reachable(&sampling(1.0, 2, 1.0)).iter().map(|x| x.0).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(reachable(&sampling(1.0, 0, 0.75)).iter().map(|x| x.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(reachable(&sampling(1.0, 0, 1e-9)), [(1, 1000)]);
    }
}
