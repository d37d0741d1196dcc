//! Gain, bias and sum in one pass over the rows, forward and backward.

use burn_flex::FlexTensor;

use crate::cpu::{
    Real, block_rows, expand, for_blocks, for_blocks_with, output, slice, sum, sum_blocks, tensor,
    vectorised, with_real,
};
use crate::profile;

/// `gain ⊙ x + bias + shortcut`. `x` is contiguous.
pub(super) fn forward(
    x: &FlexTensor,
    gain: Option<&FlexTensor>,
    bias: Option<&FlexTensor>,
    shortcut: Option<&FlexTensor>,
) -> FlexTensor {
    profile::operation(
        "affine",
        [Some(x), shortcut].into_iter().flatten(),
        || with_real!(x.dtype(), R => forward_as::<R>(x, gain, bias, shortcut)),
    )
}

fn forward_as<T: Real>(
    x: &FlexTensor,
    gain: Option<&FlexTensor>,
    bias: Option<&FlexTensor>,
    shortcut: Option<&FlexTensor>,
) -> FlexTensor {
    let shape = x.layout().shape().clone();
    let width = shape.as_slice().last().copied().unwrap_or(1);
    let (gain, bias) = (expand(gain, width, T::ONE), expand(bias, width, T::ZERO));
    let shortcut = shortcut.map(FlexTensor::to_contiguous);
    let (values, shortcut) = (slice::<T>(x), shortcut.as_ref().map(slice::<T>));
    let mut y = output::<T>(values.len());
    for_blocks(&mut y, block_rows(width) * width, |start, y| {
        let range = start..start + y.len();
        match shortcut {
            Some(shortcut) => scale_onto(y, &values[range.clone()], &shortcut[range], &gain),
            None => scale(y, &values[range], &gain, &bias),
        }
    });
    tensor(y, shape)
}

/// Gradients of x, gain, bias and shortcut; those of absent operands are without meaning.
pub(super) fn backward(
    gradient: &FlexTensor,
    x: &FlexTensor,
    gain: Option<&FlexTensor>,
    lengths: [Option<usize>; 2],
) -> [FlexTensor; 4] {
    profile::operation(
        "affine",
        [gradient, x],
        || with_real!(gradient.dtype(), R => backward_as::<R>(gradient, x, gain, lengths)),
    )
}

fn backward_as<T: Real>(
    gradient: &FlexTensor,
    x: &FlexTensor,
    gain: Option<&FlexTensor>,
    lengths: [Option<usize>; 2],
) -> [FlexTensor; 4] {
    let shape = x.layout().shape().clone();
    let width = shape.as_slice().last().copied().unwrap_or(1);
    let gradient = gradient.to_contiguous();
    let (dy, values) = (slice::<T>(&gradient), slice::<T>(x));
    let gain = expand(gain, width, T::ONE);
    let size = block_rows(width) * width;
    let mut dx = output::<T>(values.len());
    let mut partial = vec![T::ZERO; values.len().div_ceil(size) * 2 * width];
    for_blocks_with(&mut dx, size, &mut partial, 2 * width, |start, dx, partial| {
        let range = start..start + dx.len();
        row_gradients(dx, partial, &dy[range.clone()], &values[range], &gain);
    });
    let mut dgain = sum_blocks(&partial, 2 * width);
    let dbias = dgain.split_off(width);
    let [dgain, dbias] = [(dgain, lengths[0]), (dbias, lengths[1])].map(|(total, length)| {
        // A scalar stands for every channel: its gradient is their sum.
        let total = if length == Some(1) { vec![sum(&total, |x| x)] } else { total };
        let length = total.len();
        tensor(total, [length])
    });
    [tensor(dx, shape), dgain, dbias, gradient]
}

vectorised! {
    fn scale<T: Real>(out: &mut [T], x: &[T], gain: &[T], bias: &[T]) {
        let width = gain.len();
        for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            for ((out, &x), (&gain, &bias)) in out.iter_mut().zip(x).zip(gain.iter().zip(bias)) {
                *out = x.mul_add(gain, bias);
            }
        }
    }
}

vectorised! {
    fn scale_onto<T: Real>(out: &mut [T], x: &[T], shortcut: &[T], gain: &[T]) {
        let width = gain.len();
        let inputs = x.chunks_exact(width).zip(shortcut.chunks_exact(width));
        for (out, (x, shortcut)) in out.chunks_exact_mut(width).zip(inputs) {
            for ((out, &x), (&shortcut, &gain)) in out.iter_mut().zip(x).zip(shortcut.iter().zip(gain)) {
                *out = x.mul_add(gain, shortcut);
            }
        }
    }
}

vectorised! {
    /// Gradient of every row of x, and the sums for gain and bias over the rows.
    fn row_gradients<T: Real>(dx: &mut [T], partial: &mut [T], dy: &[T], x: &[T], gain: &[T]) {
        let width = gain.len();
        let (dgain, dbias) = partial.split_at_mut(width);
        let inputs = dy.chunks_exact(width).zip(x.chunks_exact(width));
        for (dx, (dy, x)) in dx.chunks_exact_mut(width).zip(inputs) {
            let sums = dgain.iter_mut().zip(dbias.iter_mut());
            let values = dy.iter().zip(x).zip(gain);
            for ((dx, (dgain, dbias)), ((&dy, &x), &gain)) in dx.iter_mut().zip(sums).zip(values) {
                *dgain = dy.mul_add(x, *dgain);
                *dbias += dy;
                *dx = dy * gain;
            }
        }
    }
}
