//! What a mixer computes, counted.

use std::ops::{Add, Mul};

use serde::Serialize;

/// Multiply–adds of one mixing layer over one sequence, forward.
///
/// Counted are the products that contract an axis: every implementation has to make them. Norms, activations,
/// softmax, biases, rotations and element-wise gates are not counted. A causal mixer is counted for the pairs it may
/// look at, not for the square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MixerCost {
    /// Of each token by itself with weight matrices.
    pub projections: u64,
    /// Of tokens with tokens, with sums over tokens, or with weights that belong to positions.
    pub mixing: u64,
    /// Numbers that a plain implementation stores for the pairs of tokens: heads · n² scores, or 0.
    pub scores: u64,
}

impl MixerCost {
    /// All multiply–adds.
    pub fn multiply_adds(&self) -> u64 {
        self.projections + self.mixing
    }
}

impl Add for MixerCost {
    type Output = MixerCost;

    fn add(self, other: MixerCost) -> MixerCost {
        MixerCost {
            projections: self.projections + other.projections,
            mixing: self.mixing + other.mixing,
            scores: self.scores + other.scores,
        }
    }
}

impl Mul<u64> for MixerCost {
    type Output = MixerCost;

    fn mul(self, times: u64) -> MixerCost {
        MixerCost {
            projections: self.projections * times,
            mixing: self.mixing * times,
            scores: self.scores * times,
        }
    }
}

/// Pairs of a query and a key it may look at, in a sequence of `length`.
pub(super) fn pairs(length: usize, causal: bool) -> u64 {
    let n = length as u64;
    if causal { n * (n + 1) / 2 } else { n * n }
}
