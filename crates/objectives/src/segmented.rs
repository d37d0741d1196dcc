//! The gradient of a deep model with the activations of a few of its blocks at a time.
//!
//! The forward pass keeps the input of every segment and no graph. Then, from the last segment to the first, the segment
//! is run again with a graph and the gradient of its output is sent through it. Dropout is a function of the step, so
//! that both passes see the same; the gradient is that of the whole graph bit for bit.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Gradients, Tensor};
use mixlab_nn::{Backbone, Context, add_gradients, backward_from, parameter_gradients};

/// Gradients by the path of their parameter.
pub type ByPath = BTreeMap<String, Tensor<1>>;

/// What stands before and behind the blocks of a model whose gradient is computed in segments.
pub(crate) trait Ends<M> {
    /// The blocks, whose parameters live under `backbone.blocks.` and their index.
    fn backbone<'m>(&self, model: &'m M) -> &'m Backbone;

    /// What the first block starts from; `model` has a graph if `tracked`.
    fn embed(&self, model: &M, tracked: bool) -> Tensor<3>;

    /// The loss `[1]` of final hidden vectors, which a norm has ended.
    fn loss(&self, model: &M, hidden: Tensor<3>) -> Tensor<1>;
}

/// Loss `[1]` and parameter gradients, in segments of `segment` blocks. `model` lives on a device with gradient
/// tracking, the results do not; `context` says whether the model looks one way only.
///
/// # Panics
/// If `segment` is 0.
pub(crate) fn gradients_in_segments<M: Module>(
    model: &M,
    ends: &impl Ends<M>,
    context: &Context,
    segment: usize,
) -> (Tensor<1>, ByPath) {
    let (segments, last) = forward(&model.valid(), ends, context, segment);
    let mut sums = ByPath::new();
    let backbone = ends.backbone(model);

    let top = Tensor::from_inner(last).require_grad();
    let loss = ends.loss(model, backbone.finish(top.clone()));
    let mut gradients = loss.backward();
    let mut upstream = input_gradient(&top, &mut gradients);
    add_gradients(&mut sums, parameter_gradients(model, &mut gradients));

    for (segment, input) in segments.into_iter().rev() {
        let input = Tensor::from_inner(input).require_grad();
        let output = backbone.run(segment.clone(), input.clone(), context);
        let mut gradients = backward_from(output, upstream);
        upstream = input_gradient(&input, &mut gradients);
        for index in segment {
            let block = parameter_gradients(&backbone.blocks()[index], &mut gradients);
            add_gradients(&mut sums, beneath(&format!("backbone.blocks.{index}"), block));
        }
    }

    let mut gradients = backward_from(ends.embed(model, true), upstream);
    add_gradients(&mut sums, parameter_gradients(model, &mut gradients));
    (loss.inner(), sums)
}

/// The segments with the input of each, and the output of the last, without a graph.
fn forward<M: Module>(
    model: &M,
    ends: &impl Ends<M>,
    context: &Context,
    segment: usize,
) -> (Vec<(Range<usize>, Tensor<3>)>, Tensor<3>) {
    let backbone = ends.backbone(model);
    let blocks = backbone.blocks().len();
    let mut x = ends.embed(model, false);
    let mut segments = Vec::new();
    for start in (0..blocks).step_by(segment) {
        let range = start..(start + segment).min(blocks);
        segments.push((range.clone(), x.clone()));
        x = backbone.run(range, x, context);
    }
    (segments, x)
}

/// The gradient of what a segment starts from; zero if nothing depends on it.
fn input_gradient(input: &Tensor<3>, gradients: &mut Gradients) -> Tensor<3> {
    input.grad_remove(gradients).unwrap_or_else(|| input.clone().inner().zeros_like())
}

/// The gradients of a part by their paths in the whole model.
fn beneath(part: &str, gradients: ByPath) -> impl Iterator<Item = (String, Tensor<1>)> {
    gradients.into_iter().map(move |(path, gradient)| (format!("{part}.{path}"), gradient))
}
