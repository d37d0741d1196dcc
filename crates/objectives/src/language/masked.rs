//! Masked language modelling: hidden tokens are predicted from both sides.
//!
//! Source: Devlin et al., "BERT", 2019, section 3.1. Which tokens are hidden, and what stands in
//! their place, is decided where the batch is made.

use burn::tensor::Tensor;
use mixlab_nn::{Context, LanguageModel};

use super::{LanguageBatch, token_loss};

/// The loss of [the module's formula](super) with every position seeing the whole sequence, whatever
/// `context.causal` says. Weights are zero except at the tokens to be predicted.
pub fn masked_lm_loss(model: &LanguageModel, batch: &LanguageBatch, context: &Context) -> Tensor<1> {
    let context = Context { causal: false, ..context.clone() };
    token_loss(model, batch, &context)
}
