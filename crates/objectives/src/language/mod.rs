//! Language modelling: the negative log-likelihood of target tokens.
//!
//! For rows i with target y_i, weight w_i and hidden vector h_i,
//!
//! ```text
//! loss = (1 / W) · Σ_i w_i · ( logsumexp(h_i·Eᵀ + b) − (h_i·Eᵀ + b)[y_i] )        in nats per token
//! ```
//!
//! where E is the output projection and W the total weight of the *whole* batch of an optimiser step,
//! also when it is computed in several pieces: gradients of pieces then add up to the gradient of the
//! whole, whatever the pieces' sizes. Dividing each piece by its own weight would not.

mod batch;
mod causal;
mod masked;
mod segmented;

use burn::tensor::Tensor;
use mixlab_kernels::cross_entropy;
use mixlab_nn::{Context, LanguageModel};

pub use batch::LanguageBatch;
pub use causal::causal_lm_loss;
pub use masked::masked_lm_loss;
pub use segmented::segmented_gradients;

/// The weighted loss of `batch` under the context given; shape `[1]`.
fn token_loss(model: &LanguageModel, batch: &LanguageBatch, context: &Context) -> Tensor<1> {
    hidden_loss(model, model.hidden(batch.inputs(), context), batch)
}

/// The weighted loss of final hidden vectors `[batch, n, width]`.
fn hidden_loss(model: &LanguageModel, hidden: Tensor<3>, batch: &LanguageBatch) -> Tensor<1> {
    let [rows, length, width] = hidden.dims();
    let hidden = hidden.reshape([rows * length, width]);
    let hidden = match batch.scored() {
        Some(rows) => hidden.select(0, rows),
        None => hidden,
    };
    let (weight, bias) = model.output_weight();
    cross_entropy(hidden, weight, bias, batch.targets(), batch.weights())
}
