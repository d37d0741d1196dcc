//! The affine map in blocks of rows: the product of a block, then bias and activation while the block is
//! in the cache. Backward: the slope of the activation, the sums for the bias and the gradient of
//! the input block by block, then one product for the weight.

use burn::tensor::Shape;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::Activation;
use crate::activation::functions::{apply, apply_slope};
use crate::cpu::{
    ByRows, Matrix, Real, Rows, add_rows, contiguous, output, product, slice, sum_blocks, tensor, viewable,
    with_real, with_rows,
};
use crate::epilogue::FlexEpilogue;
use crate::profile;

/// What the backward pass needs.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    x: FlexTensor,
    weight: FlexTensor,
    /// x·W + b, or what has the same slopes, if the activation is not the identity.
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

    /// Whether the gradient of the weight is summed over parts of the rows, while they are in the cache, and not made as one
    /// product: where the weight is small against the rows, one product has too few tiles to share and packs its operands for
    /// every one of them.
    fn sums_weight_by_rows(&self) -> bool {
        const LARGEST: usize = 1 << 15;
        self.rows > self.block() && self.width * self.out <= LARGEST
    }

    /// Rows of a part with a sum of its own: whole blocks, as few as make no more than so many parts, which does not depend on the
    /// number of threads.
    fn task(&self) -> usize {
        const PARTS: usize = 16;
        let block = self.block();
        block * self.rows.div_ceil(block).div_ceil(PARTS)
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
    let epilogue = FlexEpilogue::bias(bias.cloned());
    let out = weight.layout().shape()[1];
    let finish = epilogue.finish::<T>(out, out);
    let save = tracked && !matches!(activation, Activation::Identity | Activation::Relu);
    let (y, before) = in_blocks::<T>(x, weight, save, |start, y, before| {
        finish.run(start, y);
        if save {
            before.copy_from_slice(y);
        }
        apply(activation, y);
    });
    // A rectified number is positive where it was so before.
    let before = if tracked && activation == Activation::Relu { Some(y.clone()) } else { before };
    (y, before)
}

/// x·W, finished by an epilogue, every row a sample.
pub(super) fn finished(x: FlexTensor, weight: FlexTensor, epilogue: &FlexEpilogue) -> FlexTensor {
    let (x, weight) = (with_rows(x), viewable(weight));
    let out = weight.layout().shape()[1];
    profile::operation("linear", [&x, &weight], || {
        with_real!(x.dtype(), R => {
            let finish = epilogue.finish::<R>(out, out);
            in_blocks::<R>(&x, &weight, false, |start, y, _| finish.run(start, y)).0
        })
    })
}

/// xᵀ·dy.
pub(super) fn weights(x: FlexTensor, dy: FlexTensor) -> FlexTensor {
    let (x, dy) = (with_rows(x), with_rows(dy));
    profile::operation("linear", [&x, &dy], || {
        with_real!(x.dtype(), R => {
            weights_of(Matrix::<R>::of(&x), Matrix::<R>::of(&dy))
        })
    })
}

fn weights_of<T: Real>(x: Matrix<'_, T>, dy: Matrix<'_, T>) -> FlexTensor {
    let shape = [x.size().1, dy.size().1];
    let mut weights = output::<T>(shape[0] * shape[1]);
    product(&mut weights, x.t(), dy, T::ONE, false, true);
    tensor(weights, shape)
}

/// x·W in blocks of rows. `finish` is called with each while it is in the cache, after the place of its first number, and with its part of a
/// second result of the same size, which is empty unless one is `wanted`.
fn in_blocks<T: Real>(
    x: &FlexTensor,
    weight: &FlexTensor,
    wanted: bool,
    finish: impl Fn(usize, &mut [T], &mut [T]) + Sync,
) -> (FlexTensor, Option<FlexTensor>) {
    let sizes @ Sizes { rows, out, .. } = Sizes::new(x, weight);
    let (x_rows, weight) = (Rows::<T>::new(x), Matrix::<T>::of(weight));
    let block = sizes.block();
    // Many blocks share the weight: it is turned once.
    let turned = (rows > block).then(|| ByRows::new(weight));
    let weight = turned.as_ref().map_or(weight, ByRows::matrix);
    let mut y = output::<T>(rows * out);
    let mut second = output::<T>(if wanted { rows * out } else { 0 });
    let tasks = blocks(&mut y, block * out, rows.div_ceil(block));
    let seconds = blocks(&mut second, block * out, tasks.len());
    let alone = tasks.len() == 1;
    let mut tasks: Vec<_> = tasks.into_iter().zip(seconds).enumerate().collect();
    let run = |(i, (y, second)): &mut (usize, (&mut [T], &mut [T]))| {
        let count = y.len() / out.max(1);
        product(y, x_rows.matrix(*i * block, count), weight, T::ONE, false, alone);
        finish(*i * block * out, y, second);
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
    let second = wanted.then(|| tensor(second, shape.clone()));
    (tensor(y, shape), second)
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
    let dy = contiguous(dy);
    let dy = slice::<T>(&dy);
    let [x_needed, weight_needed, bias_needed] = needed;
    let weight = Matrix::<T>::of(&saved.weight);
    let pass = BackwardPass {
        sizes,
        block: sizes.block(),
        dy,
        x: Rows::<T>::new(&saved.x),
        before: saved.before.as_ref().map(slice::<T>),
        activation: saved.activation,
        turned: x_needed.then(|| ByRows::new(weight.t())),
        alone: rows <= sizes.block(),
    };

    let by_rows = weight_needed && sizes.sums_weight_by_rows();
    let task = if by_rows { sizes.task() } else { pass.block };
    let count = rows.div_ceil(task);
    let mut dz = output::<T>(if pass.before.is_some() { rows * out } else { 0 });
    let mut dx = output::<T>(if x_needed { rows * width } else { 0 });
    let mut dbias = vec![T::ZERO; if bias_needed { count * out } else { 0 }];
    let mut dweight = vec![T::ZERO; if by_rows { count * width * out } else { 0 }];
    let parts = blocks(&mut dz, task * out, count).into_iter().zip(blocks(&mut dx, task * width, count));
    let sums = blocks(&mut dbias, out, count).into_iter().zip(blocks(&mut dweight, width * out, count));
    let parts = parts.zip(sums).enumerate();
    let mut tasks: Vec<_> = parts
        .map(|(i, ((dz, dx), (dbias, dweight)))| Task { start: i * task, dz, dx, dbias, dweight })
        .collect();
    let run = |part: &mut Task<'_, T>| pass.run(part, (part.start + task).min(rows));
    if pass.alone {
        tasks.iter_mut().for_each(run)
    } else {
        tasks.par_iter_mut().for_each(run)
    }

    let dweight = weight_needed.then(|| {
        if by_rows {
            return tensor(sum_blocks(&dweight, width * out), [width, out]);
        }
        let dz = if pass.before.is_some() { &dz } else { dy };
        weights_of(pass.x.matrix(0, rows), Matrix::new(dz, rows, out))
    });
    let dx = x_needed.then(|| tensor(dx, saved.x.layout().shape().clone()));
    let dbias = bias_needed.then(|| tensor(sum_blocks(&dbias, out), Shape::from([out])));
    [dx, dweight, dbias]
}

/// What all tasks of a backward pass read.
struct BackwardPass<'a, T> {
    sizes: Sizes,
    /// Rows that stay in the cache.
    block: usize,
    dy: &'a [T],
    x: Rows<'a, T>,
    before: Option<&'a [T]>,
    activation: Activation,
    /// The transposed weight, if the gradient of x is needed.
    turned: Option<ByRows<'a, T>>,
    /// One task has all rows, so that its products may use all threads.
    alone: bool,
}

/// What a task of a backward pass writes; what is not needed is empty.
struct Task<'a, T> {
    /// The first row.
    start: usize,
    /// Gradient of the map before its activation, if it has one.
    dz: &'a mut [T],
    dx: &'a mut [T],
    /// Sums over the rows of the task.
    dbias: &'a mut [T],
    dweight: &'a mut [T],
}

impl<T: Real> BackwardPass<'_, T> {
    /// The rows of a task up to `end`, block after block.
    fn run(&self, task: &mut Task<'_, T>, end: usize) {
        let Sizes { width, out, .. } = self.sizes;
        let mut dzs = task.dz.chunks_mut((self.block * out).max(1));
        let mut dxs = task.dx.chunks_mut((self.block * width).max(1));
        for start in (task.start..end).step_by(self.block) {
            let rows = self.block.min(end - start);
            let range = start * out..(start + rows) * out;
            let dz: &[T] = match (self.before, dzs.next()) {
                (Some(before), Some(dz)) => {
                    dz.copy_from_slice(&self.dy[range.clone()]);
                    apply_slope(self.activation, dz, &before[range]);
                    dz
                }
                _ => &self.dy[range],
            };
            if !task.dbias.is_empty() {
                add_rows(task.dbias, dz);
            }
            let dz = Matrix::new(dz, rows, out);
            if let (Some(turned), Some(dx)) = (&self.turned, dxs.next()) {
                product(dx, dz, turned.matrix(), T::ONE, false, self.alone);
            }
            if !task.dweight.is_empty() {
                product(task.dweight, self.x.matrix(start, rows).t(), dz, T::ONE, true, self.alone);
            }
        }
    }
}

/// `count` blocks of `size` numbers, the last one perhaps shorter; empty ones if there is nothing to cut.
fn blocks<T>(values: &mut [T], size: usize, count: usize) -> Vec<&mut [T]> {
    let mut blocks: Vec<&mut [T]> = if size == 0 { Vec::new() } else { values.chunks_mut(size).collect() };
    blocks.resize_with(count, Default::default);
    blocks
}
