//! Softmax attention on the CPU: the tiled engine with an online softmax.

use burn_flex::FlexTensor;

use super::SoftmaxOptions;
use crate::attention::{AttentionKernel, Operands};
use crate::cpu::{Real, output, slice, tensor, with_real};
use crate::mask::Geometry;
use crate::tiled::{Heads, Pairs, Visible, Weight, Window, pair_gradients, pair_products};

/// What the backward pass needs beside the operands: the output and the logarithm of each row's sum.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    output: FlexTensor,
    log_sums: FlexTensor,
}

impl AttentionKernel for SoftmaxOptions {
    const NAME: &'static str = "softmax_attention";

    type Saved = Saved;

    fn forward(&self, operands: &Operands) -> (FlexTensor, Saved) {
        let (output, log_sums) = with_real!(operands[0].dtype(), R => forward_as::<R>(operands, self));
        (output.clone(), Saved { output, log_sums })
    }

    fn backward(&self, upstream: &FlexTensor, operands: &Operands, saved: &Saved) -> Operands {
        with_real!(upstream.dtype(), R => backward_as::<R>(upstream, operands, saved, self))
    }
}

fn forward_as<T: Real>(operands: &Operands, options: &SoftmaxOptions) -> (FlexTensor, FlexTensor) {
    let visible = visible(operands, options);
    let pairs = pairs::<T>(operands, options, &visible);
    let ([batch, n, heads, _], width) = (pairs.q.shape, pairs.v.shape[3]);
    let mut out = output(batch * n * heads * width);
    let mut log_sums = output(batch * n * heads);
    pair_products(&pairs, &mut out, &mut log_sums);
    (tensor(out, [batch, n, heads, width]), tensor(log_sums, [batch, n, heads]))
}

fn backward_as<T: Real>(
    upstream: &FlexTensor,
    operands: &Operands,
    saved: &Saved,
    options: &SoftmaxOptions,
) -> Operands {
    let visible = visible(operands, options);
    let pairs = pairs::<T>(operands, options, &visible);
    let softmax = (Heads::of(&saved.output), slice::<T>(&saved.log_sums));
    let gradients = pair_gradients(&pairs, Heads::of(upstream), Some(softmax));
    [
        tensor(gradients.q, pairs.q.shape),
        tensor(gradients.k, pairs.k.shape),
        tensor(gradients.v, pairs.v.shape),
    ]
}

fn visible<'a>([q, k, _]: &Operands, options: &'a SoftmaxOptions) -> Visible<'a> {
    let (q, k) = (q.layout().shape(), k.layout().shape());
    let geometry = Geometry { batch: q[0], queries: q[1], keys: k[1], causal: options.causal };
    Visible::new(geometry, Window::All, &options.mask)
}

fn pairs<'a, T: Real>(
    [q, k, v]: &'a Operands,
    options: &'a SoftmaxOptions,
    visible: &'a Visible<'a>,
) -> Pairs<'a, T> {
    Pairs {
        q: Heads::of(q),
        k: Heads::of(k),
        v: Heads::of(v),
        scale: T::of(options.scale),
        bias: None,
        weight: Weight::Softmax,
        dropout: options.dropout.as_ref(),
        visible,
    }
}
