//! Causal language modelling: every position predicts the next token.

use burn::tensor::Tensor;
use mixlab_nn::{Context, LanguageModel};

use super::{LanguageBatch, token_loss};

/// The loss of [the module's formula](super) with each position seeing itself and earlier ones only,
/// whatever `context.causal` says. Targets are the inputs shifted by one.
pub fn causal_lm_loss(model: &LanguageModel, batch: &LanguageBatch, context: &Context) -> Tensor<1> {
    let context = Context { causal: true, ..context.clone() };
    token_loss(model, batch, &context)
}
