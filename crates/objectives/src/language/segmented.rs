//! The gradient of a deep model with the activations of a few of its blocks at a time.
//!
//! The forward pass keeps the input of every segment and no graph. Then, from the last segment to the first, the segment
//! is run again with a graph and the gradient of its output is sent through it. Dropout is a function of the step, so
//! that both passes see the same; the gradient is that of the whole graph bit for bit.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Gradients, Tensor};
use mixlab_nn::{Backbone, Context, LanguageModel, backward_from, parameter_gradients};

use super::{LanguageBatch, hidden_loss};

/// Gradients by the path of their parameter.
type ByPath = BTreeMap<String, Tensor<1>>;

/// Loss `[1]` and parameter gradients of `batch`, in segments of `segment` blocks. `model` and `batch` live on a device
/// with gradient tracking, the results do not; `context` says whether the model looks one way only.
///
/// # Panics
/// If `segment` is 0.
pub fn segmented_gradients(
    model: &LanguageModel,
    batch: &LanguageBatch,
    context: &Context,
    segment: usize,
) -> (Tensor<1>, ByPath) {
    let (segments, inputs, last) = forward(&model.valid(), batch, context, segment);
    let mut sums = ByPath::new();

    let top = Tensor::from_inner(last).require_grad();
    let loss = hidden_loss(model, model.backbone().finish(top.clone()), batch);
    let mut gradients = loss.backward();
    let mut upstream = input_gradient(&top, &mut gradients);
    add(&mut sums, "", parameter_gradients(model, &mut gradients));

    for (segment, input) in segments.into_iter().zip(inputs).rev() {
        let input = Tensor::from_inner(input).require_grad();
        let output = run(model.backbone(), segment.clone(), input.clone(), context);
        let mut gradients = backward_from(output, upstream);
        upstream = input_gradient(&input, &mut gradients);
        for index in segment {
            let block = parameter_gradients(&model.backbone().blocks()[index], &mut gradients);
            add(&mut sums, &format!("backbone.blocks.{index}."), block);
        }
    }

    let embedded = model.embedding().forward(batch.inputs(), context);
    let mut gradients = backward_from(embedded, upstream);
    add(&mut sums, "embedding.", parameter_gradients(model.embedding(), &mut gradients));
    (loss.inner(), sums)
}

/// The segments, the input of each, and the output of the last, without a graph.
fn forward(
    model: &LanguageModel,
    batch: &LanguageBatch,
    context: &Context,
    segment: usize,
) -> (Vec<Range<usize>>, Vec<Tensor<3>>, Tensor<3>) {
    let blocks = model.backbone().blocks().len();
    let segments: Vec<Range<usize>> =
        (0..blocks).step_by(segment).map(|start| start..(start + segment).min(blocks)).collect();
    let mut x = model.embedding().forward(batch.inputs().inner(), context);
    let mut inputs = Vec::with_capacity(segments.len());
    for segment in &segments {
        inputs.push(x.clone());
        x = run(model.backbone(), segment.clone(), x, context);
    }
    (segments, inputs, x)
}

fn run(backbone: &Backbone, segment: Range<usize>, x: Tensor<3>, context: &Context) -> Tensor<3> {
    backbone.blocks()[segment].iter().fold(x, |x, block| block.forward(x, context))
}

/// The gradient of what a segment starts from; zero if nothing depends on it.
fn input_gradient(input: &Tensor<3>, gradients: &mut Gradients) -> Tensor<3> {
    input.grad_remove(gradients).unwrap_or_else(|| input.clone().inner().zeros_like())
}

/// Adds gradients whose paths start at `prefix`.
fn add(sums: &mut ByPath, prefix: &str, gradients: ByPath) {
    for (path, gradient) in gradients {
        let path = format!("{prefix}{path}");
        let sum = match sums.remove(&path) {
            Some(sum) => gradient + sum,
            None => gradient,
        };
        sums.insert(path, sum);
    }
}
