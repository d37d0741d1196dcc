//! The gradient of a deep model with the activations of a few of its blocks at a time.
//!
//! The forward pass keeps the input of every segment and no graph. Then, from the last segment to the first, the segment
//! is run again with a graph and the gradient of its output is sent through it. Dropout is a function of the step, so
//! that both passes see the same; the gradient is that of the whole graph bit for bit.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Gradients, Tensor};
use mixlab_nn::seq2seq::Memory;
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
    let valid = model.valid();
    let (segments, last) =
        Segments::forward(ends.backbone(&valid), ends.embed(&valid, false), context, segment);
    let mut sums = ByPath::new();
    let backbone = ends.backbone(model);

    let top = tracked(last);
    let loss = ends.loss(model, backbone.finish(top.clone()));
    let mut gradients = loss.backward();
    let upstream = input_gradient(&top, &mut gradients);
    add_gradients(&mut sums, parameter_gradients(model, &mut gradients));

    let (upstream, _) = segments.backward(backbone, "backbone", upstream, context, &mut sums);
    let mut gradients = backward_from(ends.embed(model, true), upstream);
    add_gradients(&mut sums, parameter_gradients(model, &mut gradients));
    (loss.inner(), sums)
}

/// The segments of a stack with the input of each, without a graph.
pub(crate) struct Segments(Vec<(Range<usize>, Tensor<3>)>);

impl Segments {
    /// Runs `x` through the blocks, which have no graph; what `context` remembers of another sequence has none either. Gives
    /// the output of the last block too.
    pub fn forward(
        backbone: &Backbone,
        x: Tensor<3>,
        context: &Context,
        segment: usize,
    ) -> (Self, Tensor<3>) {
        let blocks = backbone.blocks().len();
        let (mut x, mut inputs) = (x, Vec::new());
        for start in (0..blocks).step_by(segment) {
            let range = start..(start + segment).min(blocks);
            inputs.push((range.clone(), x.clone()));
            x = backbone.run(range, x, context);
        }
        (Segments(inputs), x)
    }

    /// Sends the gradient of the output back through the blocks and adds those of their parameters to `sums`, beneath
    /// `path`. Gives the gradients of the input and of what `context` remembers of another sequence.
    pub fn backward(
        self,
        backbone: &Backbone,
        path: &str,
        upstream: Tensor<3>,
        context: &Context,
        sums: &mut ByPath,
    ) -> (Tensor<3>, Option<Tensor<3>>) {
        let (mut upstream, mut of_memory) = (upstream, None);
        for (segment, input) in self.0.into_iter().rev() {
            let input = tracked(input);
            let memory = context.memory.as_ref().map(|memory| tracked(memory.states.clone()));
            let context = Context {
                memory: memory
                    .clone()
                    .zip(context.memory.as_ref())
                    .map(|(states, memory)| Memory::new(states, memory.padding.clone())),
                ..context.clone()
            };
            let output = backbone.run(segment.clone(), input.clone(), &context);
            let mut gradients = backward_from(output, upstream);
            upstream = input_gradient(&input, &mut gradients);
            if let Some(memory) = &memory {
                let gradient = input_gradient(memory, &mut gradients);
                of_memory = Some(of_memory.map_or(gradient.clone(), |sum: Tensor<3>| sum + gradient));
            }
            for index in segment {
                let block = parameter_gradients(&backbone.blocks()[index], &mut gradients);
                add_gradients(sums, beneath(&format!("{path}.blocks.{index}"), block));
            }
        }
        (upstream, of_memory)
    }
}

/// A leaf of a new graph.
pub(crate) fn tracked(x: Tensor<3>) -> Tensor<3> {
    Tensor::from_inner(x).require_grad()
}

/// The gradient of what a segment starts from; zero if nothing depends on it.
pub(crate) fn input_gradient(input: &Tensor<3>, gradients: &mut Gradients) -> Tensor<3> {
    input.grad_remove(gradients).unwrap_or_else(|| input.clone().inner().zeros_like())
}

/// The gradients of a part by their paths in the whole model.
fn beneath(part: &str, gradients: ByPath) -> impl Iterator<Item = (String, Tensor<1>)> {
    gradients.into_iter().map(move |(path, gradient)| (format!("{part}.{path}"), gradient))
}
