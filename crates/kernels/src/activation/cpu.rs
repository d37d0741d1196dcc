//! The activations over blocks.

use burn_flex::FlexTensor;

use super::{Activation, functions};
use crate::cpu::{BLOCK, Real, for_blocks, output, slice, tensor, with_real};
use crate::profile;

pub(super) fn forward(x: &FlexTensor, kind: Activation) -> FlexTensor {
    profile::operation("activation", [x], || {
        with_real!(x.dtype(), R => {
            let x = x.to_contiguous();
            map::<R>(&x, &x, |y, _| functions::apply(kind, y))
        })
    })
}

pub(super) fn backward(gradient: &FlexTensor, x: &FlexTensor, kind: Activation) -> FlexTensor {
    profile::operation("activation", [gradient, x], || {
        with_real!(x.dtype(), R => {
            let (gradient, x) = (gradient.to_contiguous(), x.to_contiguous());
            map::<R>(&gradient, &x, |dy, x| functions::apply_slope(kind, dy, x))
        })
    })
}

/// A copy of `start` that `change` turns into the result, block by block, beside the same blocks of `other`.
fn map<T: Real>(
    start: &FlexTensor,
    other: &FlexTensor,
    change: impl Fn(&mut [T], &[T]) + Sync + Send,
) -> FlexTensor {
    let (values, others) = (slice::<T>(start), slice::<T>(other));
    let mut out = output::<T>(values.len());
    for_blocks(&mut out, BLOCK, |start, block| {
        let range = start..start + block.len();
        block.copy_from_slice(&values[range.clone()]);
        change(block, &others[range]);
    });
    tensor(out, start.layout().shape().clone())
}
