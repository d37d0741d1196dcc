//! The normalisation in one pass over the rows, forward and backward.
//!
//! Every kind is `x̂ = (x − shift) · inverse`, and its gradient
//! `dx = inverse · (u − [Layer] mean(u) − coupling · x̂ · mean(u ⊙ x̂))` with `u = gain ⊙ dy`. The three
//! numbers of a row are saved; `coupling` is 0 where ScaleClamp's floor cuts the dependence on the norm.

use burn::tensor::Shape;
use burn_flex::FlexTensor;

use super::{NormKind, Rule};
use crate::cpu::{
    Real, block_rows, expand, for_blocks, for_blocks_with, output, slice, sum, sum_blocks, sum2, tensor,
    vectorised, with_real,
};
use crate::profile;

/// Numbers saved for each row.
const STATISTICS: usize = 3;

/// What the backward pass needs.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    /// The sum that was normalised.
    input: FlexTensor,
    /// Shift, inverse and coupling of each row.
    statistics: FlexTensor,
    /// Lengths of gain and bias.
    lengths: [usize; 2],
}

pub(super) fn forward(
    x: &FlexTensor,
    branch: Option<&FlexTensor>,
    gain: Option<&FlexTensor>,
    bias: Option<&FlexTensor>,
    rule: Rule,
    tracked: bool,
) -> (FlexTensor, Saved) {
    profile::operation(
        "norm",
        [Some(x), branch].into_iter().flatten(),
        || with_real!(x.dtype(), R => forward_as::<R>(x, branch, gain, bias, rule, tracked)),
    )
}

fn forward_as<T: Real>(
    x: &FlexTensor,
    branch: Option<&FlexTensor>,
    gain: Option<&FlexTensor>,
    bias: Option<&FlexTensor>,
    rule: Rule,
    tracked: bool,
) -> (FlexTensor, Saved) {
    let lengths = [gain, bias].map(|parameter| parameter.map_or(0, |p| p.layout().num_elements()));
    let x = x.to_contiguous();
    let branch = branch.map(FlexTensor::to_contiguous);
    let shape = x.layout().shape().clone();
    let (rows, width) = rows_and_width(&shape);
    let parameters = Parameters {
        gain: expand(gain, width, T::ONE),
        bias: expand(bias, width, T::ZERO),
        epsilon: T::of(rule.epsilon),
        kind: rule.kind,
    };
    let mut y = output::<T>(rows * width);
    let mut statistics = output::<T>(rows * STATISTICS);
    let size = block_rows(width) * width;
    let share = block_rows(width) * STATISTICS;

    let input = match &branch {
        None => {
            let values = slice::<T>(&x);
            for_blocks_with(&mut y, size, &mut statistics, share, |start, y, statistics| {
                y.copy_from_slice(&values[start..start + y.len()]);
                normalise(y, statistics, &parameters);
            });
            x
        }
        Some(branch) => {
            let (shortcut, branch) = (slice::<T>(&x), slice::<T>(branch));
            let scale = T::of(rule.shortcut_scale);
            if tracked {
                let mut total = output::<T>(rows * width);
                for_blocks(&mut total, size, |start, total| {
                    let range = start..start + total.len();
                    add_scaled(total, &shortcut[range.clone()], &branch[range], scale);
                });
                for_blocks_with(&mut y, size, &mut statistics, share, |start, y, statistics| {
                    y.copy_from_slice(&total[start..start + y.len()]);
                    normalise(y, statistics, &parameters);
                });
                tensor(total, shape.clone())
            } else {
                for_blocks_with(&mut y, size, &mut statistics, share, |start, y, statistics| {
                    let range = start..start + y.len();
                    add_scaled(y, &shortcut[range.clone()], &branch[range], scale);
                    normalise(y, statistics, &parameters);
                });
                x
            }
        }
    };
    let statistics = tensor(statistics, [rows, STATISTICS]);
    (tensor(y, shape), Saved { input, statistics, lengths })
}

/// Gradients of x, branch, gain and bias; those of absent operands are without meaning.
pub(super) fn backward(
    gradient: &FlexTensor,
    saved: &Saved,
    gain: Option<&FlexTensor>,
    rule: Rule,
) -> [FlexTensor; 4] {
    profile::operation(
        "norm",
        [gradient, &saved.input],
        || with_real!(gradient.dtype(), R => backward_as::<R>(gradient, saved, gain, rule)),
    )
}

fn backward_as<T: Real>(
    gradient: &FlexTensor,
    saved: &Saved,
    gain: Option<&FlexTensor>,
    rule: Rule,
) -> [FlexTensor; 4] {
    let shape = saved.input.layout().shape().clone();
    let (rows, width) = rows_and_width(&shape);
    let gradient = gradient.to_contiguous();
    let (dy, input) = (slice::<T>(&gradient), slice::<T>(&saved.input));
    let statistics = slice::<T>(&saved.statistics);
    let gain = expand(gain, width, T::ONE);
    let step = block_rows(width);
    let mut dx = output::<T>(rows * width);
    let mut partial = vec![T::ZERO; rows.div_ceil(step) * 2 * width];
    for_blocks_with(&mut dx, step * width, &mut partial, 2 * width, |start, dx, partial| {
        let range = start..start + dx.len();
        let first = start / width;
        let statistics = &statistics[first * STATISTICS..(first + dx.len() / width) * STATISTICS];
        let rows = Rows { dy: &dy[range.clone()], input: &input[range], statistics, gain: &gain };
        row_gradients(dx, partial, &rows, rule.kind);
    });
    let mut dgain = sum_blocks(&partial, 2 * width);
    let dbias = dgain.split_off(width);

    let dbranch = tensor(dx, shape.clone());
    let dx = if rule.shortcut_scale == 1.0 {
        dbranch.clone()
    } else {
        let (scale, values) = (T::of(rule.shortcut_scale), slice::<T>(&dbranch));
        let mut scaled = output::<T>(values.len());
        for_blocks(&mut scaled, step * width, |start, scaled| {
            multiply(scaled, &values[start..start + scaled.len()], scale);
        });
        tensor(scaled, shape)
    };
    let [dgain, dbias] = [(dgain, saved.lengths[0]), (dbias, saved.lengths[1])].map(|(total, length)| {
        // A scalar stands for every channel: its gradient is their sum.
        let total = if length == 1 { vec![sum(&total, |x| x)] } else { total };
        let length = total.len();
        tensor(total, [length])
    });
    [dx, dbranch, dgain, dbias]
}

fn rows_and_width(shape: &Shape) -> (usize, usize) {
    let width = shape.as_slice().last().copied().unwrap_or(1);
    (shape.num_elements().checked_div(width).unwrap_or(0), width)
}

struct Parameters<T> {
    gain: Vec<T>,
    bias: Vec<T>,
    epsilon: T,
    kind: NormKind,
}

struct Rows<'a, T> {
    dy: &'a [T],
    input: &'a [T],
    statistics: &'a [T],
    gain: &'a [T],
}

vectorised! {
    fn add_scaled<T: Real>(out: &mut [T], x: &[T], branch: &[T], scale: T) {
        for ((out, &x), &branch) in out.iter_mut().zip(x).zip(branch) {
            *out = x.mul_add(scale, branch);
        }
    }
}

vectorised! {
    fn multiply<T: Real>(out: &mut [T], x: &[T], scale: T) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = x * scale;
        }
    }
}

vectorised! {
    /// Normalises every row in place and notes its statistics.
    fn normalise<T: Real>(rows: &mut [T], statistics: &mut [T], parameters: &Parameters<T>) {
        let Parameters { gain, bias, epsilon, kind } = parameters;
        let width = gain.len();
        let count = T::of(width as f64);
        for (row, statistics) in rows.chunks_exact_mut(width).zip(statistics.chunks_exact_mut(STATISTICS)) {
            let shift = match kind {
                NormKind::Layer => sum(row, |x| x) / count,
                NormKind::Rms | NormKind::ScaleClamp | NormKind::ScaleMean => T::ZERO,
            };
            let mean_square = sum(row, |x| (x - shift) * (x - shift)) / count;
            let (inverse, coupling) = match kind {
                NormKind::Layer | NormKind::Rms | NormKind::ScaleMean => {
                    (T::ONE / (mean_square + *epsilon).sqrt(), T::ONE)
                }
                NormKind::ScaleClamp if mean_square < *epsilon * *epsilon => (T::ONE / *epsilon, T::ZERO),
                NormKind::ScaleClamp => (T::ONE / mean_square.sqrt(), T::ONE),
            };
            for ((x, &gain), &bias) in row.iter_mut().zip(gain).zip(bias) {
                *x = ((*x - shift) * inverse).mul_add(gain, bias);
            }
            statistics.copy_from_slice(&[shift, inverse, coupling]);
        }
    }
}

vectorised! {
    /// Gradient of every row of the input, and the sums for gain and bias over the rows.
    fn row_gradients<T: Real>(dx: &mut [T], partial: &mut [T], rows: &Rows<'_, T>, kind: NormKind) {
        let width = rows.gain.len();
        let count = T::of(width as f64);
        let (dgain, dbias) = partial.split_at_mut(width);
        let inputs = rows.dy.chunks_exact(width).zip(rows.input.chunks_exact(width));
        let inputs = inputs.zip(rows.statistics.chunks_exact(STATISTICS));
        for (dx, ((dy, x), statistics)) in dx.chunks_exact_mut(width).zip(inputs) {
            let (shift, inverse, coupling) = (statistics[0], statistics[1], statistics[2]);
            // dx holds u ⊙ x̂ until its mean is known.
            let sums = dgain.iter_mut().zip(dbias.iter_mut());
            let values = dy.iter().zip(x).zip(rows.gain);
            for ((dx, (dgain, dbias)), ((&dy, &x), &gain)) in dx.iter_mut().zip(sums).zip(values) {
                let normalised = (x - shift) * inverse;
                *dgain += dy * normalised;
                *dbias += dy;
                *dx = dy * gain * normalised;
            }
            let slope = coupling * sum(dx, |x| x) / count;
            let mean = match kind {
                NormKind::Layer => sum2(dy, rows.gain, |dy, gain| dy * gain) / count,
                NormKind::Rms | NormKind::ScaleClamp | NormKind::ScaleMean => T::ZERO,
            };
            for (dx, ((&dy, &x), &gain)) in dx.iter_mut().zip(dy.iter().zip(x).zip(rows.gain)) {
                let normalised = (x - shift) * inverse;
                *dx = inverse * (dy * gain - mean - normalised * slope);
            }
        }
    }
}
