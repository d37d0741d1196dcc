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

use burn::tensor::Tensor;
use mixlab_kernels::cross_entropy;
use mixlab_nn::{Backbone, Context, LanguageModel};

use crate::segmented::{ByPath, Ends, gradients_in_segments};

pub use batch::LanguageBatch;
pub use causal::causal_lm_loss;
pub use masked::masked_lm_loss;

/// The weighted loss of `batch` under the context given; shape `[1]`.
fn token_loss(model: &LanguageModel, batch: &LanguageBatch, context: &Context) -> Tensor<1> {
    hidden_loss(model.output_weight(), model.hidden(batch.inputs(), context), batch)
}

/// The weighted loss of final hidden vectors `[batch, n, width]` under an output projection.
pub(crate) fn hidden_loss(
    (weight, bias): (Tensor<2>, Option<Tensor<1>>),
    hidden: Tensor<3>,
    batch: &LanguageBatch,
) -> Tensor<1> {
    let [rows, length, width] = hidden.dims();
    let hidden = hidden.reshape([rows * length, width]);
    let hidden = match batch.scored() {
        Some(rows) => hidden.select(0, rows),
        None => hidden,
    };
    cross_entropy(hidden, weight, bias, batch.targets(), batch.weights())
}

/// Loss `[1]` and parameter gradients of `batch`, with the activations of `segment` blocks at a time. `model` and `batch`
/// live on a device with gradient tracking, the results do not; `context` says whether the model looks one way only.
///
/// # Panics
/// If `segment` is 0.
pub fn segmented_gradients(
    model: &LanguageModel,
    batch: &LanguageBatch,
    context: &Context,
    segment: usize,
) -> (Tensor<1>, ByPath) {
    gradients_in_segments(model, &LanguageEnds { batch, context }, context, segment)
}

struct LanguageEnds<'a> {
    batch: &'a LanguageBatch,
    context: &'a Context,
}

impl Ends<LanguageModel> for LanguageEnds<'_> {
    fn backbone<'m>(&self, model: &'m LanguageModel) -> &'m Backbone {
        model.backbone()
    }

    fn embed(&self, model: &LanguageModel, tracked: bool) -> Tensor<3> {
        let inputs = self.batch.inputs();
        model.embedding().forward(if tracked { inputs } else { inputs.inner() }, self.context)
    }

    fn loss(&self, model: &LanguageModel, hidden: Tensor<3>) -> Tensor<1> {
        hidden_loss(model.output_weight(), hidden, self.batch)
    }
}
