//! The map in pieces of rows of one sample: the product of a piece, then bias and activation while the piece is in
//! the cache. Backward: the slope of the activation, then the gradient of the input piece by piece like the forward
//! pass, and that of the weight in stripes of rows, each summed over the samples in their order.

use burn::tensor::Shape;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::TokenOptions;
use super::masked::{Block, Masked, Piece, TILE, blocks, pieces};
use crate::Activation;
use crate::activation::functions::{apply, apply_slope};
use crate::cpu::{
    BLOCK, Matrix, Real, Rows, add_product, block_rows, for_blocks, output, slice, sum, sum_blocks, tensor,
    transpose, vectorised, viewable, with_real, with_rows,
};
use crate::profile;

/// What the backward pass needs.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    x: FlexTensor,
    weight: FlexTensor,
    /// W·x + b, if the activation is not the identity.
    before: Option<FlexTensor>,
    options: TokenOptions,
}

/// Sizes of a map from n to m tokens.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    n: usize,
    m: usize,
    channels: usize,
}

impl Sizes {
    fn new(x: &FlexTensor, weight: &FlexTensor) -> Self {
        let (x, weight) = (x.layout().shape(), weight.layout().shape());
        Sizes { batch: x[0], n: x[1], m: weight[0], channels: x[2] }
    }

    /// Rows of a piece of a result with `tokens` rows a sample: about an eighth of all, so that threads share the
    /// work evenly, but few enough for the piece to stay in the cache.
    fn piece(&self, tokens: usize, causal: bool) -> usize {
        const NUMBERS: usize = 1 << 18;
        if causal {
            return TILE;
        }
        let largest = (NUMBERS / self.channels.max(1)).max(FEWEST);
        even(tokens, (self.batch * tokens).div_ceil(8).clamp(FEWEST, largest))
    }
}

/// Fewest rows of a product that run at full speed.
const FEWEST: usize = 64;

/// The size of pieces of one size that are not larger than wanted.
fn even(whole: usize, wanted: usize) -> usize {
    whole.div_ceil(whole.div_ceil(wanted).max(1)).max(1)
}

pub(super) fn forward(
    x: FlexTensor,
    weight: FlexTensor,
    bias: Option<&FlexTensor>,
    options: TokenOptions,
    tracked: bool,
) -> (FlexTensor, Saved) {
    let (x, weight) = (with_rows(x), viewable(weight));
    let (y, before) = profile::operation(
        "token_linear",
        [&x, &weight],
        || with_real!(x.dtype(), R => forward_as::<R>(&x, &weight, bias, &options, tracked)),
    );
    (y, Saved { x, weight, before, options })
}

fn forward_as<T: Real>(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: Option<&FlexTensor>,
    options: &TokenOptions,
    tracked: bool,
) -> (FlexTensor, Option<FlexTensor>) {
    let sizes @ Sizes { batch, n, m, channels } = Sizes::new(x, weight);
    let bias = bias.map(FlexTensor::to_contiguous);
    let bias = bias.as_ref().map(slice::<T>);
    let x_rows = Rows::<T>::new(x);
    let masked = Masked::new(Matrix::<T>::of(weight), options.causal);
    let pieces = pieces(&blocks(batch, [m, n], options.segments.as_deref()), sizes.piece(m, options.causal));
    let save = tracked && options.activation != Activation::Identity;

    let mut y = output::<T>(batch * m * channels);
    let mut before = output::<T>(if save { y.len() } else { 0 });
    let befores = split(&mut before, &pieces, if save { channels } else { 0 });
    let tasks = pieces.iter().zip(split(&mut y, &pieces, channels)).zip(befores).collect();
    for_tasks(tasks, |((Piece { sample, block }, y), before), alone| {
        masked.product(y, block, x_rows.matrix(sample * n, n), alone);
        if let Some(bias) = bias {
            add_to_rows(y, &bias[block.rows.clone()]);
        }
        if save {
            before.copy_from_slice(y);
        }
        apply(options.activation, y);
    });

    let shape = [batch, m, channels];
    let before = save.then(|| tensor(before, shape));
    (tensor(y, shape), before)
}

/// Gradients of x, weight and bias, of those that are `needed`.
pub(super) fn backward(dy: FlexTensor, saved: &Saved, needed: [bool; 3]) -> [Option<FlexTensor>; 3] {
    profile::operation(
        "token_linear",
        [&dy, &saved.x, &saved.weight],
        || with_real!(dy.dtype(), R => backward_as::<R>(&dy, saved, needed)),
    )
}

fn backward_as<T: Real>(dy: &FlexTensor, saved: &Saved, needed: [bool; 3]) -> [Option<FlexTensor>; 3] {
    let sizes @ Sizes { batch, n, m, channels } = Sizes::new(&saved.x, &saved.weight);
    let TokenOptions { activation, causal, segments } = &saved.options;
    let blocks = blocks(batch, [m, n], segments.as_deref());
    let dy = dy.to_contiguous();
    let dz = saved.before.as_ref().map(|before| times_slope::<T>(slice(&dy), slice(before), *activation));
    let dz = dz.as_deref().unwrap_or_else(|| slice(&dy));
    let [x_needed, weight_needed, bias_needed] = needed;

    let dx = x_needed.then(|| {
        let masked = Masked::new(Matrix::<T>::of(&saved.weight), *causal);
        let turned: Vec<Vec<_>> = blocks.iter().map(|sample| sample.iter().map(Block::t).collect()).collect();
        let pieces = pieces(&turned, sizes.piece(n, *causal));
        let mut dx = output::<T>(batch * n * channels);
        let tasks = pieces.iter().zip(split(&mut dx, &pieces, channels)).collect();
        for_tasks(tasks, |(Piece { sample, block }, dx), alone| {
            let dz = Matrix::new(&dz[sample * m * channels..][..m * channels], m, channels);
            masked.transposed_product(dx, block, dz, alone);
        });
        tensor(dx, [batch, n, channels])
    });
    let dweight = weight_needed.then(|| {
        let dweight = weight_gradient(dz, Rows::new(&saved.x), sizes, &blocks, *causal);
        tensor(dweight, [m, n])
    });
    let dbias = bias_needed.then(|| {
        let mut sums = vec![T::ZERO; batch * m];
        for_blocks(&mut sums, block_rows(channels), |start, sums| {
            add_sums(sums, &dz[start * channels..(start + sums.len()) * channels]);
        });
        tensor(sum_blocks(&sums, m), Shape::from([m]))
    });
    [dx, dweight, dbias]
}

/// `dy ⊙ f'(before)`.
fn times_slope<T: Real>(dy: &[T], before: &[T], activation: Activation) -> Vec<T> {
    let mut dz = output(dy.len());
    for_blocks(&mut dz, BLOCK, |start, dz| {
        let range = start..start + dz.len();
        dz.copy_from_slice(&dy[range.clone()]);
        apply_slope(activation, dz, &before[range]);
    });
    dz
}

/// `Σ_b dz_b·x_bᵀ` inside the blocks of each sample.
fn weight_gradient<T: Real>(
    dz: &[T],
    x: Rows<'_, T>,
    sizes: Sizes,
    blocks: &[Vec<Block>],
    causal: bool,
) -> Vec<T> {
    let Sizes { n, m, channels, .. } = sizes;
    let turned = turned(x, sizes);
    let rows = if causal { TILE } else { even(m, m.div_ceil(8).clamp(FEWEST, 512)) };
    let mut dweight = vec![T::ZERO; m * n];
    let stripes = dweight.chunks_mut((rows * n).max(1)).enumerate().collect();
    for_tasks(if causal { from_both_ends(stripes) } else { stripes }, |(i, stripe), alone| {
        let rows = *i * rows..((*i + 1) * rows).min(m);
        for (sample, blocks) in blocks.iter().enumerate() {
            let dz = Matrix::new(&dz[sample * m * channels..][..m * channels], m, channels);
            let x = Matrix::new(&turned[sample * n * channels..][..n * channels], channels, n);
            for Block { rows: here, mut columns } in blocks.iter().map(|block| block.within(&rows)) {
                if here.is_empty() {
                    continue;
                }
                if causal {
                    columns.end = here.end;
                }
                let out = &mut stripe[(here.start - rows.start) * n + columns.start..];
                add_product(out, n, dz.part(here, 0..channels), x.part(0..channels, columns), alone);
            }
        }
        if causal {
            for (row, out) in rows.clone().zip(stripe.chunks_exact_mut(n)) {
                out[row + 1..rows.end].fill(T::ZERO);
            }
        }
    });
    dweight
}

/// The transpose of every sample, whose rows are then read by every stripe of the weight's gradient.
fn turned<T: Real>(x: Rows<'_, T>, Sizes { batch, n, channels, .. }: Sizes) -> Vec<T> {
    /// Channels of a task.
    const CHANNELS: usize = 64;
    let mut turned = output(batch * n * channels);
    let mut tasks = Vec::new();
    for (sample, out) in turned.chunks_mut((n * channels).max(1)).enumerate() {
        tasks.extend(out.chunks_mut(CHANNELS * n).enumerate().map(|(i, out)| (sample, i * CHANNELS, out)));
    }
    for_tasks(tasks, |(sample, first, out), _| {
        let channels = *first..*first + out.len() / n;
        transpose(x.matrix(*sample * n, n).part(0..n, channels), out, n);
    });
    turned
}

/// The memory of each piece of a result.
fn split<'a, T>(mut values: &'a mut [T], pieces: &[Piece], channels: usize) -> Vec<&'a mut [T]> {
    let cut = |piece: &Piece| {
        let (head, tail) = std::mem::take(&mut values).split_at_mut(piece.block.rows.len() * channels);
        values = tail;
        head
    };
    pieces.iter().map(cut).collect()
}

/// Runs every task, in parallel unless there is one, which is told that it is alone.
fn for_tasks<K: Send>(mut tasks: Vec<K>, run: impl Fn(&mut K, bool) + Sync + Send) {
    match tasks.as_mut_slice() {
        [task] => run(task, true),
        tasks => tasks.par_iter_mut().for_each(|task| run(task, false)),
    }
}

/// First, last, second, last but one. The rows of a triangle grow: so ordered, halves of the list cost the same.
fn from_both_ends<K>(tasks: Vec<K>) -> Vec<K> {
    let mut ordered = Vec::with_capacity(tasks.len());
    let mut tasks = tasks.into_iter();
    while let Some(first) = tasks.next() {
        ordered.push(first);
        ordered.extend(tasks.next_back());
    }
    ordered
}

vectorised! {
    /// Adds one number a row.
    fn add_to_rows<T: Real>(rows: &mut [T], bias: &[T]) {
        let width = rows.len() / bias.len().max(1);
        for (row, &bias) in rows.chunks_exact_mut(width.max(1)).zip(bias) {
            for x in row.iter_mut() {
                *x += bias;
            }
        }
    }
}

vectorised! {
    /// Adds to each sum its row.
    fn add_sums<T: Real>(sums: &mut [T], rows: &[T]) {
        let width = rows.len() / sums.len().max(1);
        for (total, row) in sums.iter_mut().zip(rows.chunks_exact(width.max(1))) {
            *total += sum(row, |x| x);
        }
    }
}
