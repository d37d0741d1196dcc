//! Gradients of [`pair_products`](super::pair_products): scores are made again, tile by tile.

use std::ops::Range;

use rayon::prelude::*;

use super::forward::{Pairs, ROWS, overwrite};
use super::heads::{Heads, HeadsMut};
use super::matrix::{Into, MatrixMut, product};
use super::turned::Turned;
use super::vector::{add_into, dot, multiply};
use super::visible::{Window, intersection};
use super::weight::{SoftmaxRow, Weight};
use crate::cpu::{BLOCK, Matrix, Real};

/// Keys in a tile: two tiles of scores stay in the second-level cache.
const KEYS: usize = 256;
/// Tasks to aim at when batch and heads alone give fewer.
const TASKS: usize = 8;

/// Gradients in the shapes of the inputs, without gaps.
pub(crate) struct PairGradients<T> {
    pub(crate) q: Vec<T>,
    pub(crate) k: Vec<T>,
    pub(crate) v: Vec<T>,
    pub(crate) bias: Option<Vec<T>>,
}

/// Gradients for an upstream gradient `[batch, n, heads, dv]`.
///
/// A softmax needs its output and the `log_sums` of the forward pass. Each task owns the keys of one
/// stripe in one group, so that the gradients of keys and values have one writer; where stripes share
/// queries each has its own copy of the queries' gradient, and the copies are added in order.
pub(crate) fn pair_gradients<T: Real>(
    pairs: &Pairs<'_, T>,
    upstream: Heads<'_, T>,
    softmax: Option<(Heads<'_, T>, &[T])>,
) -> PairGradients<T> {
    let ([batch, _, _, _], groups) = (pairs.q.shape, pairs.k.shape[2]);
    let softmax = softmax.map(|(out, log_sums)| SoftmaxRows { log_sums, means: row_means(upstream, out) });
    let (turned_keys, turned_values) = (pairs.turned_keys(), Turned::new(pairs.v, pairs.q.shape[1]));
    let stripes = Stripes::new(pairs);
    let copies = if stripes.share_queries() { stripes.count } else { 1 };
    let [bq, n, heads, d] = pairs.q.shape;
    let mut q = vec![T::ZERO; copies * bq * n * heads * d];
    let mut k = vec![T::ZERO; pairs.k.shape.iter().product()];
    let mut v = vec![T::ZERO; pairs.v.shape.iter().product()];
    let targets = Targets {
        q: HeadsMut::new(&mut q, [copies * bq, n, heads, d]),
        k: HeadsMut::new(&mut k, pairs.k.shape),
        v: HeadsMut::new(&mut v, pairs.v.shape),
    };
    let biases: Vec<Vec<T>> = (0..batch * groups * stripes.count)
        .into_par_iter()
        .with_max_len(1)
        .map(|task| {
            let (b, group) = (task / stripes.count / groups, task / stripes.count % groups);
            let stripe = task % stripes.count;
            let copy = if copies > 1 { stripe * batch + b } else { b };
            let mut task = Task {
                pairs,
                turned_keys: &turned_keys,
                turned_values: &turned_values,
                upstream,
                softmax: softmax.as_ref(),
                targets: &targets,
                b,
                group,
                copy,
                bias: vec![T::ZERO; pairs.bias.map_or(0, |bias| bias.values.len())],
            };
            task.run(stripes.keys(stripe), stripes.queries(stripe, n));
            task.bias
        })
        .collect();
    let bias = pairs.bias.map(|bias| {
        let mut sum = vec![T::ZERO; bias.values.len()];
        biases.iter().for_each(|part| add_into(&mut sum, part));
        sum
    });
    PairGradients { q: sum_copies(q, copies), k, v, bias }
}

/// How the keys are cut among tasks; a function of shapes alone.
struct Stripes {
    keys: usize,
    width: usize,
    count: usize,
    window: Window,
}

impl Stripes {
    fn new<T: Real>(pairs: &Pairs<'_, T>) -> Self {
        let [batch, keys, groups, _] = pairs.k.shape;
        let wanted = TASKS.div_ceil(batch * groups).max(1);
        let window = pairs.visible.window;
        // With chunks a stripe holds whole chunks: then no two stripes share a query.
        let unit = match window {
            Window::All => KEYS,
            Window::Chunk(chunk) => chunk * (KEYS / chunk).max(1),
        };
        let width = keys.div_ceil(unit).div_ceil(wanted).max(1) * unit;
        Stripes { keys, width, count: keys.div_ceil(width).max(1), window }
    }

    fn share_queries(&self) -> bool {
        self.count > 1 && self.window == Window::All
    }

    fn keys(&self, stripe: usize) -> Range<usize> {
        stripe * self.width..((stripe + 1) * self.width).min(self.keys)
    }

    /// The queries, of n, whose gradient a stripe adds to. With chunks these are its own chunks' alone: a tile that
    /// reached into the next stripe would add zeros to rows that another task is writing.
    fn queries(&self, stripe: usize, n: usize) -> Range<usize> {
        match self.window {
            Window::All => 0..n,
            Window::Chunk(_) => intersection(self.keys(stripe), 0..n),
        }
    }
}

/// What the softmax's backward pass knows of each row, `[batch, n, heads]`.
struct SoftmaxRows<'a, T> {
    log_sums: &'a [T],
    means: Vec<T>,
}

/// Σ output · gradient of each row, which is the weighted mean of the weights' gradients, `[batch, n, heads]`.
fn row_means<T: Real>(upstream: Heads<'_, T>, out: Heads<'_, T>) -> Vec<T> {
    let [batch, n, heads, _] = upstream.shape;
    let mut means = vec![T::ZERO; batch * n * heads];
    means.par_chunks_mut(heads * ROWS).enumerate().for_each(|(block, means)| {
        for (offset, mean) in means.iter_mut().enumerate() {
            let (row, head) = (block * ROWS + offset / heads, offset % heads);
            *mean = dot(upstream.row(row / n, head, row % n), out.row(row / n, head, row % n));
        }
    });
    means
}

struct Targets<'a, T> {
    q: HeadsMut<'a, T>,
    k: HeadsMut<'a, T>,
    v: HeadsMut<'a, T>,
}

/// The keys of one stripe in one group.
struct Task<'a, T> {
    pairs: &'a Pairs<'a, T>,
    turned_keys: &'a Turned<'a, T>,
    turned_values: &'a Turned<'a, T>,
    upstream: Heads<'a, T>,
    softmax: Option<&'a SoftmaxRows<'a, T>>,
    targets: &'a Targets<'a, T>,
    b: usize,
    group: usize,
    /// Which copy of the queries' gradient this task adds to.
    copy: usize,
    bias: Vec<T>,
}

impl<T: Real> Task<'_, T> {
    fn run(&mut self, stripe: Range<usize>, queries: Range<usize>) {
        let heads = self.pairs.q.shape[2] / self.pairs.k.shape[2];
        let size = ROWS.min(queries.len()) * KEYS.min(stripe.len());
        let (mut scores, mut gradients) = (vec![T::ZERO; size], vec![T::ZERO; size]);
        for start in stripe.clone().step_by(KEYS) {
            let keys = start..(start + KEYS).min(stripe.end);
            for head in self.group * heads..(self.group + 1) * heads {
                for first in queries.clone().step_by(ROWS) {
                    let rows = first..(first + ROWS).min(queries.end);
                    let keys = intersection(self.pairs.visible.hull(self.b, rows.clone()), keys.clone());
                    if !keys.is_empty() {
                        self.tile(head, rows, keys, &mut scores, &mut gradients);
                    }
                }
            }
        }
    }

    fn tile(
        &mut self,
        head: usize,
        rows: Range<usize>,
        keys: Range<usize>,
        scores: &mut [T],
        gradients: &mut [T],
    ) {
        let (pairs, b, group, width) = (self.pairs, self.b, self.group, keys.len());
        let size = rows.len() * width;
        let (scores, gradients) = (&mut scores[..size], &mut gradients[..size]);
        let upstream = self.upstream.rows(b, head, rows.clone());
        let v = self.turned_values.columns(b, group, keys.clone());
        pairs.scores(self.turned_keys, b, head, rows.clone(), keys.clone(), scores);
        product(&mut MatrixMut::new(gradients, rows.len(), width, width), Into::Replace, T::ONE, upstream, v);
        self.weigh(head, rows.clone(), keys.clone(), scores, gradients);

        let weights = Matrix::new(scores, rows.len(), width);
        let gradients = Matrix::new(gradients, rows.len(), width);
        let q = pairs.q.rows(b, head, rows.clone());
        let k = pairs.k.rows(b, group, keys.clone());
        // SAFETY: keys and values of (b, stripe, group) belong to this task, and so do the queries of
        // (copy, head): another task has another copy, group or, with chunks, other rows.
        let (mut dq, mut dk, mut dv) = unsafe {
            let targets = self.targets;
            (
                targets.q.rows(self.copy, head, rows),
                targets.k.rows(b, group, keys.clone()),
                targets.v.rows(b, group, keys),
            )
        };
        product(&mut dv, Into::Add, T::ONE, weights.t(), upstream);
        product(&mut dq, Into::Add, pairs.scale, gradients, k);
        product(&mut dk, Into::Add, pairs.scale, gradients.t(), q);
    }

    /// Scores to weights and gradients of weights to gradients of scores; both zero where a key is not seen.
    fn weigh(
        &mut self,
        head: usize,
        rows: Range<usize>,
        keys: Range<usize>,
        scores: &mut [T],
        gradients: &mut [T],
    ) {
        let (pairs, width) = (self.pairs, keys.len());
        let mut dropout = pairs.row_dropout(self.b, head, width);
        let tile = scores.chunks_exact_mut(width).zip(gradients.chunks_exact_mut(width));
        for (query, (scores, gradients)) in rows.zip(tile) {
            let position = pairs.visible.position(query);
            let seen = intersection(pairs.visible.range(self.b, query), keys.clone());
            if seen.is_empty() {
                scores.fill(T::ZERO);
                gradients.fill(T::ZERO);
                continue;
            }
            let local = seen.start - keys.start..seen.end - keys.start;
            for row in [&mut *scores, &mut *gradients] {
                row[..local.start].fill(T::ZERO);
                row[local.end..].fill(T::ZERO);
            }
            let (scores, gradients) = (&mut scores[local.clone()], &mut gradients[local]);
            let bias = pairs.bias.map(|bias| (bias.values, bias.indices(position, seen.clone())));
            if let Some((values, indices)) = &bias {
                add_into(scores, &values[indices.clone()]);
            }
            let factors = dropout.as_mut().map(|dropout| dropout.factors(position, seen.clone()));
            if let Some(factors) = factors {
                multiply(gradients, factors);
            }
            pairs.weight.backward(scores, gradients, self.softmax_row(head, query));
            if let Some(factors) = factors {
                multiply(scores, factors);
            }
            let holes = pairs.visible.holes(self.b).map(|real| &real[seen]);
            overwrite(scores, holes, T::ZERO);
            overwrite(gradients, holes, T::ZERO);
            if let Some((_, indices)) = bias {
                add_into(&mut self.bias[indices], gradients);
            }
        }
    }

    fn softmax_row(&self, head: usize, query: usize) -> SoftmaxRow<T> {
        debug_assert_eq!(self.softmax.is_some(), self.pairs.weight == Weight::Softmax);
        let [_, n, heads, _] = self.pairs.q.shape;
        let index = (self.b * n + query) * heads + head;
        self.softmax.map_or(SoftmaxRow { log_sum: T::ZERO, mean: T::ZERO }, |rows| SoftmaxRow {
            log_sum: rows.log_sums[index],
            mean: rows.means[index],
        })
    }
}

/// The sum of copies of a gradient, laid one after the other.
fn sum_copies<T: Real>(mut copies: Vec<T>, count: usize) -> Vec<T> {
    let size = copies.len() / count;
    let (sum, others) = copies.split_at_mut(size);
    add_copies(sum, others);
    copies.truncate(size);
    copies
}

/// Adds copies of a gradient, laid one after the other, in order.
pub(super) fn add_copies<T: Real>(sum: &mut [T], copies: &[T]) {
    let size = sum.len();
    sum.par_chunks_mut(BLOCK).enumerate().for_each(|(block, sum)| {
        for copy in copies.chunks_exact(size.max(1)) {
            add_into(sum, &copy[block * BLOCK..block * BLOCK + sum.len()]);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{Geometry, Mask};
    use crate::tiled::Visible;

    /// Chunks that tiles of queries do not divide: every query must have one writer all the same.
    #[test]
    fn stripes_of_chunks_share_no_query() {
        for (chunk, n) in [(100, 700), (64, 1000), (7, 300), (300, 700), (1000, 700)] {
            let mask = Mask::default();
            let geometry = Geometry { batch: 1, queries: n, keys: n, causal: true };
            let visible = Visible::new(geometry, Window::Chunk(chunk), &mask);
            let values = vec![0.0f32; n];
            let x = Heads::contiguous(&values, [1, n, 1, 1]);
            let weight = Weight::Identity;
            let pairs =
                Pairs { q: x, k: x, v: x, scale: 1.0, bias: None, weight, dropout: None, visible: &visible };
            let stripes = Stripes::new(&pairs);
            let mut next = 0;
            for stripe in 0..stripes.count {
                let (keys, queries) = (stripes.keys(stripe), stripes.queries(stripe, n));
                assert_eq!(queries.start, next, "chunk {chunk}, stripe {stripe}");
                next = queries.end;
                let seen = visible.hull(0, queries);
                assert!(keys.start <= seen.start && seen.end <= keys.end, "{seen:?} of {keys:?}");
            }
            assert_eq!(next, n);
        }
    }
}
