//! The constants of scaled residual schemes: α on the shortcut, and the gains of the matrices of a branch.
//!
//! A branch whose matrices all have gain λ gives ∂L/∂λ = O(λ/α) each. How much one update moves the output of P sublayers
//! depends on the optimiser, and asking for a movement that does not grow with P gives λ and α:
//!
//! | optimiser | update | movement | α | λ |
//! |---|---|---|---|---|
//! | SGD | −η∇ | P·(λ/α)² | P^¼ | P^−¼ |
//! | Adam | −η·sign ∇ | P·λ/α | P^½ | P^−½ |
//! | LAMB | −η‖θ‖·sign ∇ | P·λ²/α | 1 | P^−½ |
//!
//! DeepNorm is the first row with (4P)^−¼. Pre-norm has α = 1, and the same conditions give λ = P^−½, P^−1 and P^−½.
//!
//! A gated unit multiplies three matrices, not two. With m of them the derivative by one is λ^(m−1)/α, and LAMB's movement
//! λ^m/α, so that the gain of two becomes λ^(1/(m−1)), and λ^(2/m) under LAMB. The papers leave this open; for LAMB it is what
//! the author of the analysis uses for GAU. With m = 1 there is no other matrix whose gain could bound the derivative; λ
//! stays what it is.
//!
//! Sources: Wang et al., "DeepNet: scaling Transformers to 1,000 layers", 2022, figure 2; kexue.fm 8978 (2022).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The optimiser that the constants are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateKind {
    /// Updates as long as the gradient: SGD.
    Sgd,
    /// Updates of one size whatever the gradient: Adam and its relatives.
    Adam,
    /// Updates as long as the parameter: LAMB.
    Lamb,
}

impl UpdateKind {
    /// Name in a config.
    pub fn name(self) -> &'static str {
        match self {
            UpdateKind::Sgd => "sgd",
            UpdateKind::Adam => "adam",
            UpdateKind::Lamb => "lamb",
        }
    }
}

/// As it is written in a sentence.
impl fmt::Display for UpdateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            UpdateKind::Sgd => "SGD",
            UpdateKind::Adam => "Adam",
            UpdateKind::Lamb => "LAMB",
        })
    }
}

/// Where a sublayer stands, with the residual sublayers of the stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// In the only stack of a model, encoder or decoder.
    Only {
        /// Residual sublayers of the model, 2 a block of token mixer and channel mixer.
        sublayers: usize,
    },
    /// In the encoder of a model with two stacks.
    Encoder {
        /// Residual sublayers of the encoder.
        sublayers: usize,
        /// Residual sublayers of the decoder.
        decoder: usize,
    },
    /// In the decoder of a model with two stacks, which has cross-attention: 3 a block.
    Decoder {
        /// Residual sublayers of the decoder.
        sublayers: usize,
    },
}

impl Stack {
    /// Residual sublayers of the stack itself.
    pub fn sublayers(self) -> usize {
        match self {
            Stack::Only { sublayers } | Stack::Encoder { sublayers, .. } | Stack::Decoder { sublayers } => {
                sublayers
            }
        }
    }
}

/// α and the gain of each of two matrices.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Constants {
    /// Factor of the shortcut.
    pub alpha: f64,
    /// Gain λ (β in the paper) of the matrices of a branch that has two.
    pub beta: f64,
}

impl Constants {
    /// DeepNorm: α = P^¼ and β = (4P)^−¼ with P residual sublayers, and 0.81·(N⁴M)^(1/16), 0.87·(N⁴M)^(−1/16) in the encoder of
    /// an encoder–decoder of N and M blocks.
    pub fn deep_norm(stack: Stack) -> Self {
        match stack {
            Stack::Only { sublayers } | Stack::Decoder { sublayers } => {
                let p = sublayers as f64;
                Constants { alpha: p.powf(0.25), beta: (4.0 * p).powf(-0.25) }
            }
            Stack::Encoder { sublayers, decoder } => {
                let (n, m) = (sublayers as f64 / 2.0, decoder as f64 / 3.0);
                let size = (n.powi(4) * m).powf(1.0 / 16.0);
                Constants { alpha: 0.81 * size, beta: 0.87 / size }
            }
        }
    }

    /// Post-norm under one optimiser.
    pub fn post_norm(update: UpdateKind, sublayers: usize) -> Self {
        let p = sublayers as f64;
        let (alpha, beta) = match update {
            UpdateKind::Sgd => (0.25, -0.25),
            UpdateKind::Adam => (0.5, -0.5),
            UpdateKind::Lamb => (0.0, -0.5),
        };
        Constants { alpha: p.powf(alpha), beta: p.powf(beta) }
    }

    /// Pre-norm under one optimiser: α = 1.
    pub fn pre_norm(update: UpdateKind, sublayers: usize) -> Self {
        let beta = match update {
            UpdateKind::Sgd | UpdateKind::Lamb => -0.5,
            UpdateKind::Adam => -1.0,
        };
        Constants { alpha: 1.0, beta: (sublayers as f64).powf(beta) }
    }
}

/// The gain of each of `factors` matrices, where two would have `beta`.
pub fn gain_of(beta: f64, factors: usize, update: UpdateKind) -> f64 {
    let exponent = match (update, factors) {
        (_, 0 | 1) => 1.0,
        (UpdateKind::Sgd | UpdateKind::Adam, m) => 1.0 / (m - 1) as f64,
        (UpdateKind::Lamb, m) => 2.0 / m as f64,
    };
    beta.powf(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
    }

    #[test]
    fn golden_constants_of_one_stack() {
        for (blocks, alpha, beta) in [
            (6, 1.861_210, 0.379_918),
            (12, 2.213_364, 0.319_472),
            (18, 2.449_490, 0.288_675),
            (100, 3.760_603, 0.188_030),
            (200, 4.472_136, 0.158_114),
            (1000, 6.687_403, 0.105_737),
        ] {
            let constants = Constants::deep_norm(Stack::Only { sublayers: 2 * blocks });
            close(constants.alpha, alpha);
            close(constants.beta, beta);
        }
    }

    #[test]
    fn golden_constants_of_two_stacks() {
        for (n, m, encoder, decoder) in [
            (6, 6, [1.417_938, 0.496_989], [2.059_767, 0.343_295]),
            (12, 6, [1.686_222, 0.417_916], [2.059_767, 0.343_295]),
            (18, 18, [1.998_746, 0.352_571], [2.710_806, 0.260_847]),
            (100, 100, [3.415_742, 0.206_310], [4.161_791, 0.169_904]),
            (500, 500, [5.648_240, 0.124_765], [6.223_330, 0.113_622]),
        ] {
            let found = Constants::deep_norm(Stack::Encoder { sublayers: 2 * n, decoder: 3 * m });
            close(found.alpha, encoder[0]);
            close(found.beta, encoder[1]);
            let found = Constants::deep_norm(Stack::Decoder { sublayers: 3 * m });
            close(found.alpha, decoder[0]);
            close(found.beta, decoder[1]);
        }
    }

    /// The movement that the table asks for is 1 at every depth, with two matrices and with three.
    #[test]
    fn every_row_keeps_the_movement_of_an_update() {
        for sublayers in [2, 48, 2000] {
            let p = sublayers as f64;
            for factors in [2, 3] {
                for update in [UpdateKind::Sgd, UpdateKind::Adam, UpdateKind::Lamb] {
                    for constants in
                        [Constants::post_norm(update, sublayers), Constants::pre_norm(update, sublayers)]
                    {
                        let gain = gain_of(constants.beta, factors, update);
                        let derivative = gain.powi(factors as i32 - 1) / constants.alpha;
                        let movement = match update {
                            UpdateKind::Sgd => p * derivative * derivative,
                            UpdateKind::Adam => p * derivative,
                            UpdateKind::Lamb => p * derivative * gain,
                        };
                        close(movement, 1.0);
                    }
                }
            }
        }
    }
}
