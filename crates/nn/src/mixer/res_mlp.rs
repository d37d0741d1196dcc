//! The token mixing of ResMLP: one linear map over tokens, `A·X + a`, with neither hidden layer nor activation.
//!
//! ResMLP's blocks use affine maps for norms and LayerScale for residuals: `model.norm.kind = "affine"` and
//! `model.residual.kind = "layer_scale"`. A lower triangular A makes it causal, which the paper does not do. Source:
//! Touvron et al., "ResMLP", 2021, equations 2 and 3.

use burn::module::Module;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::token_matrix::{TokenMatrix, TokenWeights};
use super::{LengthPolicy, Lengths, MixerCost, Place, RowCache};
use crate::{Builder, Context, Initialiser, ModelError, Promises, Role};

/// Options of ResMLP's token mixing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ResMlpConfig {
    /// What becomes of sequences of another length than `model.max_length`.
    pub length: LengthPolicy,
}

impl ResMlpConfig {
    /// # Errors
    /// A length policy that moves weights between positions, in a causal model.
    pub fn check_direction(&self, causal: bool) -> Result<(), ModelError> {
        self.length.check_direction("res_mlp", causal)
    }

    pub(super) fn init(&self, place: Place, builder: &Builder) -> ResMlp {
        let n = place.max_length;
        let weight = builder.token_initialiser([n, n], Role::Output { factors: 1 });
        let tokens = builder.child("tokens");
        ResMlp {
            tokens: TokenMatrix::new(
                TokenWeights::Dense,
                n,
                self.length,
                [weight, Initialiser::Zeros],
                &tokens,
            ),
            config: self.clone(),
        }
    }

    /// What the mixing promises in one direction.
    pub fn promises(&self, causal: bool) -> Promises {
        let causal = causal && self.length.keeps_weights();
        Promises {
            causal,
            any_length: self.length.lengths(1, causal) == Lengths::Any,
            padding_safe: self.length.keeps_weights(),
            streaming: causal,
            prefix_consistent: causal,
            permutation_equivariant: false,
        }
    }

    /// One product a channel for each pair of tokens.
    pub fn cost(&self, place: Place, length: usize, causal: bool) -> MixerCost {
        MixerCost { mixing: place.width as u64 * super::cost::pairs(length, causal), ..MixerCost::default() }
    }
}

/// `A·X + a` over tokens (Touvron et al. 2021, equation 2). Shapes: `[b, n, d]` to the same.
#[derive(Module, Debug)]
pub struct ResMlp {
    /// A and a.
    tokens: TokenMatrix,
    #[module(skip)]
    config: ResMlpConfig,
}

impl ResMlp {
    /// Mixes `x` `[b, n, d]`.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        self.tokens.forward(x, context)
    }

    /// Mixes the next positions `x` `[b, k, d]` with all that `cache` holds.
    pub fn step(&self, x: Tensor<3>, cache: &mut RowCache<3>) -> Tensor<3> {
        self.tokens.step(x, cache)
    }

    /// The options the mixer was made from.
    pub fn config(&self) -> &ResMlpConfig {
        &self.config
    }
}
