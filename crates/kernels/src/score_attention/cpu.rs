//! Score attention on the CPU: the tiled engine; nothing but the operands is saved for the backward pass.

use burn_flex::FlexTensor;

use super::{ScoreOptions, ScoreWeight};
use crate::cpu::{Real, output, slice, tensor, with_real};
use crate::mask::Geometry;
use crate::profile;
use crate::tiled::{Bias, Heads, Pairs, Visible, Weight, Window, pair_gradients, pair_products};

/// Queries, keys and values, and the bias.
#[derive(Clone, Debug)]
pub(crate) struct Operands {
    pub(crate) tensors: [FlexTensor; 3],
    /// Without gaps.
    pub(crate) bias: Option<FlexTensor>,
}

pub(crate) fn forward(operands: &Operands, options: &ScoreOptions) -> FlexTensor {
    profile::operation(
        "score_attention",
        &operands.tensors,
        || with_real!(operands.tensors[0].dtype(), R => forward_as::<R>(operands, options)),
    )
}

/// Gradients of queries, keys, values and the bias.
pub(crate) fn backward(
    upstream: &FlexTensor,
    operands: &Operands,
    options: &ScoreOptions,
) -> [Option<FlexTensor>; 4] {
    profile::operation(
        "score_attention",
        operands.tensors.iter().chain([upstream]),
        || with_real!(upstream.dtype(), R => backward_as::<R>(upstream, operands, options)),
    )
}

fn forward_as<T: Real>(operands: &Operands, options: &ScoreOptions) -> FlexTensor {
    let visible = visible(operands, options);
    let pairs = pairs::<T>(operands, options, &visible);
    let ([batch, n, ..], width) = (pairs.q.shape, pairs.v.shape[3]);
    let mut out = output(batch * n * width);
    pair_products(&pairs, &mut out, &mut []);
    tensor(out, [batch, n, width])
}

fn backward_as<T: Real>(
    upstream: &FlexTensor,
    operands: &Operands,
    options: &ScoreOptions,
) -> [Option<FlexTensor>; 4] {
    let visible = visible(operands, options);
    let pairs = pairs::<T>(operands, options, &visible);
    let gradients = pair_gradients(&pairs, Heads::of(upstream), None);
    let [q, k, v] = operands.tensors.each_ref().map(|operand| operand.layout().shape().clone());
    let bias = gradients.bias.map(|bias| {
        let length = bias.len();
        tensor(bias, [length])
    });
    [Some(tensor(gradients.q, q)), Some(tensor(gradients.k, k)), Some(tensor(gradients.v, v)), bias]
}

fn visible<'a>(operands: &Operands, options: &'a ScoreOptions) -> Visible<'a> {
    let [q, k, _] = operands.tensors.each_ref().map(|operand| operand.layout().shape());
    let geometry = Geometry { batch: q[0], queries: q[1], keys: k[1], causal: options.causal };
    Visible::new(geometry, Window::All, &options.mask)
}

fn pairs<'a, T: Real>(
    Operands { tensors: [q, k, v], bias }: &'a Operands,
    options: &'a ScoreOptions,
    visible: &'a Visible<'a>,
) -> Pairs<'a, T> {
    // The bias of a query at key position p = m − n + i is `bias[j − i + n − 1] = bias[j − p + m − 1]`.
    let centre = visible.geometry.keys.saturating_sub(1);
    Pairs {
        q: Heads::of(q),
        k: Heads::of(k),
        v: Heads::of(v),
        scale: T::of(options.scale),
        bias: bias.as_ref().map(|bias| Bias { values: slice::<T>(bias), centre }),
        weight: match options.weight {
            ScoreWeight::SquaredRelu => Weight::SquaredRelu,
            ScoreWeight::Laplace { mean, deviation } => {
                Weight::Laplace { mean: T::of(mean), deviation: T::of(deviation) }
            }
        },
        dropout: options.dropout.as_ref(),
        visible,
    }
}
