//! Weighted sums of values over every visible pair, a tile of scores at a time.

use std::ops::Range;

use rayon::prelude::*;

use super::dropout::RowDropout;
use super::heads::{Heads, HeadsMut};
use super::matrix::{Into, MatrixMut, product};
use super::turned::Turned;
use super::vector::{
    add_into, add_weighted_rows, exponentials, largest, multiply, products_with_rows, scale,
};
use super::visible::{Visible, intersection};
use super::weight::Weight;
use crate::Dropout;
use crate::cpu::{Matrix, Real};

/// Queries in a tile.
pub(super) const ROWS: usize = 64;
/// Keys in a tile: a tile of scores stays in the second-level cache.
const KEYS: usize = 512;
/// Multiply–adds that are worth a task of their own.
const TASK: usize = 1 << 16;

/// One attention operation: `weight(scale · QKᵀ + B) · V` over visible pairs.
pub(crate) struct Pairs<'a, T> {
    /// `[batch, n, heads, d]`.
    pub(crate) q: Heads<'a, T>,
    /// `[batch, m, groups, d]`, groups dividing heads.
    pub(crate) k: Heads<'a, T>,
    /// `[batch, m, groups, dv]`.
    pub(crate) v: Heads<'a, T>,
    pub(crate) scale: T,
    pub(crate) bias: Option<Bias<'a, T>>,
    pub(crate) weight: Weight<T>,
    pub(crate) dropout: Option<&'a Dropout>,
    pub(crate) visible: &'a Visible<'a>,
}

/// A bias that depends on the distance alone: `B = values[key − position of the query + centre]`.
#[derive(Clone, Copy)]
pub(crate) struct Bias<'a, T> {
    pub(crate) values: &'a [T],
    pub(crate) centre: usize,
}

impl<T: Real> Bias<'_, T> {
    /// The indices of the values that a query meets at `keys`.
    pub(super) fn indices(&self, position: usize, keys: Range<usize>) -> Range<usize> {
        keys.start + self.centre - position..keys.end + self.centre - position
    }
}

impl<T: Real> Pairs<'_, T> {
    /// The key group a head reads.
    pub(super) fn group(&self, head: usize) -> usize {
        head / (self.q.shape[2] / self.k.shape[2])
    }

    /// The keys as products of scores read them.
    pub(super) fn turned_keys(&self) -> Turned<'_, T> {
        Turned::new(self.k, self.q.shape[1])
    }

    /// Scores of a tile without the bias, into rows of `keys.len()`.
    pub(super) fn scores(
        &self,
        turned_keys: &Turned<'_, T>,
        b: usize,
        head: usize,
        rows: Range<usize>,
        keys: Range<usize>,
        into: &mut [T],
    ) {
        let width = keys.len();
        if rows.len() == 1 {
            // A single query, as when text is written token by token: too little for the machinery of a product.
            let (query, group) = (self.q.row(b, head, rows.start), self.group(head));
            products_with_rows(&mut into[..width], self.k.rows(b, group, keys), query, self.scale);
            return;
        }
        let mut scores = MatrixMut::new(into, rows.len(), width, width);
        let k = turned_keys.columns(b, self.group(head), keys);
        product(&mut scores, Into::Replace, self.scale, self.q.rows(b, head, rows), k);
    }

    pub(super) fn row_dropout(&self, b: usize, head: usize, keys: usize) -> Option<RowDropout<T>> {
        self.dropout.map(|dropout| RowDropout::new(dropout, b, head, keys))
    }
}

/// Writes `out` `[batch, n, heads, dv]`, and for a softmax the logarithm of each row's sum of exponentials into
/// `log_sums` `[batch, n, heads]` (zero for a query that sees no key).
pub(crate) fn pair_products<T: Real>(pairs: &Pairs<'_, T>, out: &mut [T], log_sums: &mut [T]) {
    let [batch, n, heads, _] = pairs.q.shape;
    let out = HeadsMut::new(out, [batch, n, heads, pairs.v.shape[3]]);
    let softmax = pairs.weight == Weight::Softmax;
    let log_sums = softmax.then(|| HeadsMut::new(log_sums, [batch, n, heads, 1]));
    let turned_keys = pairs.turned_keys();
    let tiles = n.div_ceil(ROWS);
    let keys = pairs.k.shape[1];
    // Short sequences have small tiles and many: a task takes several, and no more memory than they need.
    let work = ROWS.min(n) * keys * (pairs.q.shape[3] + pairs.v.shape[3]);
    let tasks = TASK.div_ceil(work.max(1));
    (0..batch * heads * tiles).into_par_iter().with_min_len(tasks).with_max_len(tasks).for_each_init(
        || vec![T::ZERO; ROWS.min(n) * KEYS.min(keys)],
        |scores, task| {
            let (b, head, tile) = (task / tiles / heads, task / tiles % heads, task % tiles);
            let rows = tile * ROWS..((tile + 1) * ROWS).min(n);
            // SAFETY: each task has its own (b, head, rows).
            let (out, log_sums) = unsafe {
                let log_sums = log_sums.map(|sums| sums.rows(b, head, rows.clone()));
                (out.rows(b, head, rows.clone()), log_sums)
            };
            RowTile { pairs, turned_keys: &turned_keys, b, head, rows, out }.run(scores, log_sums);
        },
    );
}

struct RowTile<'a, T> {
    pairs: &'a Pairs<'a, T>,
    turned_keys: &'a Turned<'a, T>,
    b: usize,
    head: usize,
    rows: Range<usize>,
    out: MatrixMut<'a, T>,
}

impl<T: Real> RowTile<'_, T> {
    fn run(&mut self, scores: &mut [T], log_sums: Option<MatrixMut<'_, T>>) {
        let pairs = self.pairs;
        let hull = pairs.visible.hull(self.b, self.rows.clone());
        let group = pairs.group(self.head);
        let mut dropout = pairs.row_dropout(self.b, self.head, KEYS);
        let mut softmax = log_sums.as_ref().map(|_| OnlineSoftmax::default());
        let mut mode = Into::Replace;
        for start in hull.clone().step_by(KEYS) {
            let keys = start..(start + KEYS).min(hull.end);
            pairs.scores(self.turned_keys, self.b, self.head, self.rows.clone(), keys.clone(), scores);
            for (local, row) in scores.chunks_exact_mut(keys.len()).take(self.rows.len()).enumerate() {
                self.weigh(local, keys.clone(), row, softmax.as_mut(), dropout.as_mut());
            }
            self.sum_values(scores, mode, group, keys);
            mode = Into::Add;
        }
        if mode == Into::Replace {
            self.out.fill(T::ZERO);
        }
        if let (Some(softmax), Some(log_sums)) = (softmax, log_sums) {
            softmax.finish(&mut self.out, log_sums);
        }
    }

    /// Adds the values of `keys`, by the weights of every row, or sets the output to them.
    fn sum_values(&mut self, weights: &[T], mode: Into, group: usize, keys: Range<usize>) {
        let (pairs, count) = (self.pairs, self.rows.len());
        if count == 1 {
            let out = self.out.row(0);
            if mode == Into::Replace {
                out.fill(T::ZERO);
            }
            add_weighted_rows(out, &weights[..keys.len()], pairs.v.rows(self.b, group, keys));
            return;
        }
        let weights = Matrix::new(&weights[..count * keys.len()], count, keys.len());
        product(&mut self.out, mode, T::ONE, weights, pairs.v.rows(self.b, group, keys));
    }

    /// Turns the scores of one row into weights, zero where a key is not seen.
    fn weigh(
        &mut self,
        local: usize,
        keys: Range<usize>,
        row: &mut [T],
        softmax: Option<&mut OnlineSoftmax<T>>,
        dropout: Option<&mut RowDropout<T>>,
    ) {
        let (pairs, query) = (self.pairs, self.rows.start + local);
        let position = pairs.visible.position(query);
        let seen = intersection(pairs.visible.range(self.b, query), keys.clone());
        if seen.is_empty() {
            return row.fill(T::ZERO);
        }
        row[..seen.start - keys.start].fill(T::ZERO);
        row[seen.end - keys.start..].fill(T::ZERO);
        let row = &mut row[seen.start - keys.start..seen.end - keys.start];
        if let Some(bias) = pairs.bias {
            add_into(row, &bias.values[bias.indices(position, seen.clone())]);
        }
        let holes = pairs.visible.holes(self.b).map(|real| &real[seen.clone()]);
        match softmax {
            Some(softmax) => {
                overwrite(row, holes, T::NEG_INFINITY);
                softmax.weigh(local, row, &mut self.out);
            }
            None => {
                pairs.weight.apply(row);
                overwrite(row, holes, T::ZERO);
            }
        }
        if let Some(dropout) = dropout {
            multiply(row, dropout.factors(position, seen));
        }
    }
}

/// Sets the values of keys that are not real.
pub(super) fn overwrite<T: Real>(row: &mut [T], real: Option<&[bool]>, value: T) {
    for (x, _) in row.iter_mut().zip(real.unwrap_or_default()).filter(|(_, real)| !**real) {
        *x = value;
    }
}

/// The running maximum and sum of each row of a tile (Milakov and Gimelshein, 2018).
struct OnlineSoftmax<T> {
    largest: [T; ROWS],
    sum: [T; ROWS],
}

impl<T: Real> Default for OnlineSoftmax<T> {
    fn default() -> Self {
        OnlineSoftmax { largest: [T::NEG_INFINITY; ROWS], sum: [T::ZERO; ROWS] }
    }
}

impl<T: Real> OnlineSoftmax<T> {
    /// Scores to exponentials against the largest score so far; what was summed before is scaled to it.
    fn weigh(&mut self, local: usize, row: &mut [T], out: &mut MatrixMut<'_, T>) {
        let before = self.largest[local];
        let here = largest(row);
        let now = if here > before { here } else { before };
        if now > before && self.sum[local] > T::ZERO {
            let factor = (before - now).exp();
            scale(out.row(local), factor);
            self.sum[local] = self.sum[local] * factor;
        }
        self.largest[local] = now;
        // A row without a finite score keeps shift 0: −∞ gives weight zero and NaN stays NaN.
        let shift = if now == T::NEG_INFINITY { T::ZERO } else { now };
        self.sum[local] += exponentials(row, shift);
    }

    fn finish(&self, out: &mut MatrixMut<'_, T>, mut log_sums: MatrixMut<'_, T>) {
        for local in 0..out.rows() {
            let (largest, sum) = (self.largest[local], self.sum[local]);
            let empty = sum == T::ZERO;
            scale(out.row(local), if empty { T::ZERO } else { T::ONE / sum });
            log_sums.row(local)[0] = if empty { T::ZERO } else { largest + T::of(sum.wide().ln()) };
        }
    }
}
