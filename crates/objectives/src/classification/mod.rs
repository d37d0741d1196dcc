//! Classification: the negative log-likelihood of the class of a sequence.
//!
//! For rows i with class probabilities t_i (one class, or the mixture that mixup makes), weight w_i and logits z_i,
//!
//! ```text
//! loss = (1 / W) · Σ_i w_i · Σ_k t'_ik · ( logsumexp(z_i) − z_ik )        in nats per example
//! t' = (1 − s) · t + s / K
//! ```
//!
//! where s is the label smoothing (Szegedy et al., "Rethinking the Inception architecture", 2016, section 7), K the number
//! of classes, and W the total weight of the *whole* batch of an optimiser step, also when it is computed in several
//! pieces: gradients of pieces then add up to the gradient of the whole.

mod batch;

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use mixlab_nn::{Backbone, Classifier, Context};

pub use batch::{ClassificationBatch, ClassifierInputs};

use crate::segmented::{ByPath, Ends, gradients_in_segments};

/// Logits `[batch, classes]` of a batch.
pub fn logits(model: &Classifier, batch: &ClassificationBatch, context: &Context) -> Tensor<2> {
    model.logits(embedded(model, batch, context), context)
}

/// What the first block starts from, `[batch, positions, width]`.
pub fn embedded(model: &Classifier, batch: &ClassificationBatch, context: &Context) -> Tensor<3> {
    embed(model, &batch.inputs, context)
}

/// [The module's formula](self); shape `[1]`.
pub fn classification_loss(
    model: &Classifier,
    batch: &ClassificationBatch,
    context: &Context,
    label_smoothing: f64,
) -> Tensor<1> {
    soft_cross_entropy(logits(model, batch, context), batch, label_smoothing)
}

/// Loss `[1]` and parameter gradients of `batch`, with the activations of `segment` blocks at a time.
///
/// # Panics
/// If `segment` is 0.
pub fn segmented_gradients(
    model: &Classifier,
    batch: &ClassificationBatch,
    context: &Context,
    label_smoothing: f64,
    segment: usize,
) -> (Tensor<1>, ByPath) {
    let ends = ClassifierEnds { batch, context, label_smoothing };
    gradients_in_segments(model, &ends, context, segment)
}

/// The loss of logits `[batch, classes]`; shape `[1]`.
pub fn soft_cross_entropy(logits: Tensor<2>, batch: &ClassificationBatch, label_smoothing: f64) -> Tensor<1> {
    let classes = logits.dims()[1] as f64;
    let targets = match label_smoothing {
        0.0 => batch.targets.clone(),
        s => batch.targets.clone().mul_scalar(1.0 - s).add_scalar(s / classes),
    };
    let surprise = (log_softmax(logits, 1) * targets).sum_dim(1).neg();
    (surprise * batch.weights.clone()).sum()
}

fn embed(model: &Classifier, inputs: &ClassifierInputs, context: &Context) -> Tensor<3> {
    match inputs {
        ClassifierInputs::Images(images) => model.embed_images(images.clone(), context),
        ClassifierInputs::Tokens(tokens) => model.embed_tokens(tokens.clone(), context),
    }
}

struct ClassifierEnds<'a> {
    batch: &'a ClassificationBatch,
    context: &'a Context,
    label_smoothing: f64,
}

impl Ends<Classifier> for ClassifierEnds<'_> {
    fn backbone<'m>(&self, model: &'m Classifier) -> &'m Backbone {
        model.backbone()
    }

    fn embed(&self, model: &Classifier, tracked: bool) -> Tensor<3> {
        let inputs = self.batch.inputs.clone();
        embed(model, &if tracked { inputs } else { inputs.inner() }, self.context)
    }

    fn loss(&self, model: &Classifier, hidden: Tensor<3>) -> Tensor<1> {
        let readout = model.readout();
        let pooled = readout.pooled(hidden, self.context.mask.padding.as_ref());
        soft_cross_entropy(readout.logits(pooled), self.batch, self.label_smoothing)
    }
}
