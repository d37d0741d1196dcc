//! The affine map in blocks of rows: the product of a block, then bias and activation while the block is
//! in the cache. Backward: the slope of the activation, the sums for the bias and the gradient of
//! the input block by block, then one product for the weight.

use burn::tensor::Shape;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::Activation;
use crate::activation::functions::{apply, apply_slope};
use crate::cpu::{
    ByRows, Matrix, Real, Rows, output, product, slice, sum_blocks, tensor, vectorised, viewable, with_real,
    with_rows,
};
use crate::profile;

/// What the backward pass needs.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    x: FlexTensor,
    weight: FlexTensor,
    /// x·W + b, if the activation is not the identity.
    before: Option<FlexTensor>,
    activation: Activation,
}

/// Sizes of a map over rows.
#[derive(Clone, Copy)]
struct Sizes {
    rows: usize,
    width: usize,
    out: usize,
}

impl Sizes {
    fn new(x: &FlexTensor, weight: &FlexTensor) -> Self {
        let (width, out) = (weight.layout().shape()[0], weight.layout().shape()[1]);
        let rows: usize =
            x.layout().shape().as_slice().split_last().map_or(1, |(_, rows)| rows.iter().product());
        Sizes { rows, width, out }
    }

    /// Rows of a block: an eighth of all, so that threads share the work evenly, but enough for a product to
    /// run at full speed and few enough for the block to stay in the cache.
    fn block(&self) -> usize {
        const FEWEST: usize = 64;
        const NUMBERS: usize = 1 << 18;
        let largest = (NUMBERS / self.out.max(self.width).max(1)).max(FEWEST);
        self.rows.div_ceil(8).clamp(FEWEST, largest)
    }
}

pub(super) fn forward(
    x: FlexTensor,
    weight: FlexTensor,
    bias: Option<&FlexTensor>,
    activation: Activation,
    tracked: bool,
) -> (FlexTensor, Saved) {
    let (x, weight) = (with_rows(x), viewable(weight));
    let (y, before) = profile::operation(
        "linear",
        [&x, &weight],
        || with_real!(x.dtype(), R => forward_as::<R>(&x, &weight, bias, activation, tracked)),
    );
    (y, Saved { x, weight, before, activation })
}

fn forward_as<T: Real>(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: Option<&FlexTensor>,
    activation: Activation,
    tracked: bool,
) -> (FlexTensor, Option<FlexTensor>) {
    let sizes @ Sizes { rows, out, .. } = Sizes::new(x, weight);
    let bias = bias.map(FlexTensor::to_contiguous);
    let bias = bias.as_ref().map(slice::<T>);
    let (x_rows, weight) = (Rows::<T>::new(x), Matrix::<T>::of(weight));
    let mut y = output::<T>(rows * out);
    let save = tracked && activation != Activation::Identity;
    let mut before = output::<T>(if save { rows * out } else { 0 });
    let block = sizes.block();
    let tasks = blocks(&mut y, block * out, rows.div_ceil(block));
    let befores = blocks(&mut before, block * out, tasks.len());
    let alone = tasks.len() == 1;
    let mut tasks: Vec<_> = tasks.into_iter().zip(befores).enumerate().collect();
    let run = |(i, (y, before)): &mut (usize, (&mut [T], &mut [T]))| {
        let count = y.len() / out.max(1);
        product(y, x_rows.matrix(*i * block, count), weight, T::ONE, false, alone);
        if let Some(bias) = bias {
            add_to_rows(y, bias);
        }
        if save {
            before.copy_from_slice(y);
        }
        apply(activation, y);
    };
    if alone {
        tasks.iter_mut().for_each(run)
    } else {
        tasks.par_iter_mut().for_each(run)
    }

    let mut shape = x.layout().shape().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = out;
    }
    let before = save.then(|| tensor(before, shape.clone()));
    (tensor(y, shape), before)
}

/// Gradients of x, weight and bias, of those that are `needed`.
pub(super) fn backward(dy: FlexTensor, saved: &Saved, needed: [bool; 3]) -> [Option<FlexTensor>; 3] {
    profile::operation(
        "linear",
        [&dy, &saved.x, &saved.weight],
        || with_real!(dy.dtype(), R => backward_as::<R>(&dy, saved, needed)),
    )
}

fn backward_as<T: Real>(dy: &FlexTensor, saved: &Saved, needed: [bool; 3]) -> [Option<FlexTensor>; 3] {
    let sizes @ Sizes { rows, width, out } = Sizes::new(&saved.x, &saved.weight);
    let dy = dy.to_contiguous();
    let dy = slice::<T>(&dy);
    let (x_rows, weight) = (Rows::<T>::new(&saved.x), Matrix::<T>::of(&saved.weight));
    let before = saved.before.as_ref().map(slice::<T>);
    let [x_needed, weight_needed, bias_needed] = needed;

    let turned = x_needed.then(|| ByRows::new(weight.t()));

    let block = sizes.block();
    let count = rows.div_ceil(block);
    let mut dz = output::<T>(if before.is_some() { rows * out } else { 0 });
    let mut dx = output::<T>(if x_needed { rows * width } else { 0 });
    let mut partial = vec![T::ZERO; if bias_needed { count * out } else { 0 }];
    let dxs = blocks(&mut dx, block * width, count);
    let partials = blocks(&mut partial, out, count);
    let tasks = blocks(&mut dz, block * out, count).into_iter().zip(dxs).zip(partials);
    let mut tasks: Vec<_> = tasks.enumerate().collect();
    let alone = count == 1;
    type Task<'a, T> = (usize, ((&'a mut [T], &'a mut [T]), &'a mut [T]));
    let run = |(i, ((dz, dx), partial)): &mut Task<'_, T>| {
        let range = *i * block * out..((*i + 1) * block).min(rows) * out;
        let dz: &[T] = match before {
            None => &dy[range],
            Some(before) => {
                dz.copy_from_slice(&dy[range.clone()]);
                apply_slope(saved.activation, dz, &before[range]);
                dz
            }
        };
        if bias_needed {
            add_rows(partial, dz);
        }
        if let Some(turned) = &turned {
            let dz = Matrix::new(dz, dz.len() / out.max(1), out);
            product(dx, dz, turned.matrix(), T::ONE, false, alone);
        }
    };
    if alone {
        tasks.iter_mut().for_each(run)
    } else {
        tasks.par_iter_mut().for_each(run)
    }

    let dz = if before.is_some() { &dz } else { dy };
    let dweight = weight_needed.then(|| {
        let mut dweight = output::<T>(width * out);
        let x = x_rows.matrix(0, rows);
        product(&mut dweight, x.t(), Matrix::new(dz, rows, out), T::ONE, false, true);
        tensor(dweight, [width, out])
    });
    let dx = x_needed.then(|| tensor(dx, saved.x.layout().shape().clone()));
    let dbias = bias_needed.then(|| tensor(sum_blocks(&partial, out), Shape::from([out])));
    [dx, dweight, dbias]
}

/// `count` blocks of `size` numbers, the last one perhaps shorter; empty ones if there is nothing to cut.
fn blocks<T>(values: &mut [T], size: usize, count: usize) -> Vec<&mut [T]> {
    let mut blocks: Vec<&mut [T]> = if size == 0 { Vec::new() } else { values.chunks_mut(size).collect() };
    blocks.resize_with(count, Default::default);
    blocks
}

vectorised! {
    /// Adds the bias to every row.
    fn add_to_rows<T: Real>(rows: &mut [T], bias: &[T]) {
        for row in rows.chunks_exact_mut(bias.len().max(1)) {
            for (x, &bias) in row.iter_mut().zip(bias) {
                *x += bias;
            }
        }
    }
}

vectorised! {
    /// Adds every row to the total.
    fn add_rows<T: Real>(total: &mut [T], rows: &[T]) {
        for row in rows.chunks_exact(total.len().max(1)) {
            for (total, &x) in total.iter_mut().zip(row) {
                *total += x;
            }
        }
    }
}
