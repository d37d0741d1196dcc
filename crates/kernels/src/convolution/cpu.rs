//! The convolutions in blocks of positions. Every gradient is a sum over the same steps: that of x by the mirrored
//! filters, that of the filters by the products of the other two.

use std::ops::Range;

use burn_flex::FlexTensor;

use super::ConvolutionOptions;
use super::filters::{Heads, Own, Shared, add_channels, scale_channels};
use super::loops::{Weights, add_weighted, products};
use super::steps::{Reach, Step};
use crate::cpu::{
    Real, Rows, block_rows, for_blocks, for_blocks_with, output, slice, sum_blocks, tensor, with_real,
    with_rows,
};
use crate::profile;

/// Fewest positions of a block: around each, the neighbours that its taps reach are read once more.
const FEWEST: usize = 64;

/// The operands of a convolution.
#[derive(Clone, Debug)]
pub(super) struct Operands {
    x: FlexTensor,
    /// `[h, K]`, or `[batch, n, h, K]`.
    filters: FlexTensor,
    options: ConvolutionOptions,
}

impl Operands {
    pub(super) fn new(x: FlexTensor, filters: FlexTensor, options: ConvolutionOptions) -> Self {
        Operands { x: with_rows(x), filters: filters.to_contiguous(), options }
    }

    pub(super) fn renormalises(&self) -> bool {
        self.options.renormalise
    }

    fn has_own_filters(&self) -> bool {
        self.filters.layout().num_dims() == 4
    }

    fn name(&self) -> &'static str {
        if self.has_own_filters() { "dynamic_convolution" } else { "depthwise_convolution" }
    }
}

pub(super) fn forward(operands: &Operands) -> FlexTensor {
    profile::operation(operands.name(), [&operands.x, &operands.filters], || {
        with_real!(operands.x.dtype(), R => {
            let convolution = Convolution::<R>::new(operands);
            let mut y = convolution.apply(convolution.x, false);
            if operands.renormalises() {
                convolution.divide(&mut y);
            }
            tensor(y, operands.x.layout().shape().clone())
        })
    })
}

/// Gradients of x and the filters, of those that are `needed`, from that of the result `y`.
pub(super) fn backward(
    dy: FlexTensor,
    operands: &Operands,
    y: Option<&FlexTensor>,
    needed: [bool; 2],
) -> [Option<FlexTensor>; 2] {
    let dy = with_rows(dy);
    let read = [&dy, &operands.x, &operands.filters];
    profile::operation(
        operands.name(),
        read.into_iter().chain(y),
        || with_real!(dy.dtype(), R => backward_as::<R>(&dy, operands, y, needed)),
    )
}

fn backward_as<T: Real>(
    dy: &FlexTensor,
    operands: &Operands,
    y: Option<&FlexTensor>,
    [x_needed, filters_needed]: [bool; 2],
) -> [Option<FlexTensor>; 2] {
    let convolution = Convolution::<T>::new(operands);
    let shape = operands.x.layout().shape();
    // Through the division, if there was one: the gradients of its numerators and of its denominators.
    let divided = y.map(|y| {
        let (numerators, sums) = convolution.division_gradients(Rows::new(dy), slice(y));
        (tensor(numerators, shape.clone()), sums)
    });
    let (dy, dsums) = divided.as_ref().map_or((dy, None), |(dy, dsums)| (dy, Some(&dsums[..])));
    let dy = Rows::new(dy);
    let dx = x_needed.then(|| tensor(convolution.apply(dy, true), shape.clone()));
    let dfilters = filters_needed.then(|| {
        let dfilters = if operands.has_own_filters() {
            convolution.own_filter_gradients(dy, dsums)
        } else {
            convolution.shared_filter_gradients(dy, dsums)
        };
        tensor(dfilters, operands.filters.layout().shape().clone())
    });
    [dx, dfilters]
}

/// A convolution's operands as numbers, and its sizes. Positions are counted through the batch.
struct Convolution<'a, T> {
    x: Rows<'a, T>,
    filters: &'a [T],
    has_own_filters: bool,
    reach: Reach<'a>,
    heads: Heads,
    taps: usize,
    positions: usize,
    /// Positions of a block.
    block: usize,
}

impl<'a, T: Real> Convolution<'a, T> {
    fn new(operands: &'a Operands) -> Self {
        let shape = operands.x.layout().shape();
        let (batch, n, width) = (shape[0], shape[1], shape[2]);
        let (&[.., count, taps], options) = (operands.filters.layout().shape().as_slice(), &operands.options)
        else {
            unreachable!("filters have a head and a tap axis");
        };
        Convolution {
            x: Rows::new(&operands.x),
            filters: slice(&operands.filters),
            has_own_filters: operands.has_own_filters(),
            reach: Reach::new(n, taps, options),
            heads: Heads { map: options.channels, count, width },
            taps,
            positions: batch * n,
            block: block_rows(width).max(FEWEST),
        }
    }

    /// Numbers of the filters of a position.
    fn share(&self) -> usize {
        self.heads.count * self.taps
    }

    /// The filters of a position, `[h, K]`.
    fn filter(&self, position: usize) -> &'a [T] {
        let start = if self.has_own_filters { position * self.share() } else { 0 };
        &self.filters[start..start + self.share()]
    }

    /// The convolution of rows like those of x, without the division; or its adjoint.
    fn apply(&self, rows: Rows<'_, T>, adjoint: bool) -> Vec<T> {
        let reach = if adjoint { self.reach.reversed() } else { self.reach };
        let (filters, heads, taps) = (self.filters, self.heads, self.taps);
        if self.has_own_filters {
            let own = Own { filters, heads: heads.count, taps, reversed: adjoint };
            self.apply_weights(rows, &reach, &own, true)
        } else {
            self.apply_weights(rows, &reach, &Shared::new(filters, heads, adjoint), false)
        }
    }

    fn apply_weights<W: Weights<T> + Sync>(
        &self,
        rows: Rows<'_, T>,
        reach: &Reach<'_>,
        weights: &W,
        apart: bool,
    ) -> Vec<T> {
        let (width, chunks) = (self.heads.width, self.heads.chunks(apart));
        let mut out = output::<T>(self.positions * width);
        for_blocks(&mut out, self.block * width, |start, out| {
            out.fill(T::ZERO);
            let first = start / width;
            let mut steps = Vec::new();
            reach.steps(first..first + out.len() / width, &mut steps);
            add_weighted(out, first, rows, weights, reach.dilation, &steps, &chunks);
        });
        out
    }

    /// One over the sum of each filter over the taps that a position reads, `[positions, h]`; 0 for 0.
    fn inverse_sums(&self, positions: Range<usize>) -> Vec<T> {
        let mut steps = Vec::new();
        self.reach.steps(positions.clone(), &mut steps);
        let heads = self.heads.count;
        let mut sums = vec![T::ZERO; positions.len() * heads];
        for step in &steps {
            for position in step.positions() {
                let sums = &mut sums[(position - positions.start) * heads..][..heads];
                for (sum, filter) in sums.iter_mut().zip(self.filter(position).chunks_exact(self.taps)) {
                    *sum = filter[step.taps.clone()].iter().fold(*sum, |sum, &weight| sum + weight);
                }
            }
        }
        for sum in &mut sums {
            *sum = if *sum == T::ZERO { T::ZERO } else { T::ONE / *sum };
        }
        sums
    }

    /// Divides every position of the result by its sums.
    fn divide(&self, y: &mut [T]) {
        let (width, heads) = (self.heads.width, self.heads.count);
        for_blocks(y, self.block * width, |start, y| {
            let first = start / width;
            let inverses = self.inverse_sums(first..first + y.len() / width);
            for (y, inverses) in y.chunks_exact_mut(width).zip(inverses.chunks_exact(heads)) {
                scale_channels(y, inverses, self.heads);
            }
        });
    }

    /// For y = numerator / sum: dy / sum, and −Σ_c dy · y / sum over the channels of each filter, `[positions, h]`.
    fn division_gradients(&self, dy: Rows<'_, T>, y: &[T]) -> (Vec<T>, Vec<T>) {
        let (width, heads) = (self.heads.width, self.heads.count);
        let mut numerators = output::<T>(self.positions * width);
        let mut sums = output::<T>(self.positions * heads);
        let (size, share) = (self.block * width, self.block * heads);
        for_blocks_with(&mut numerators, size, &mut sums, share, |start, numerators, sums| {
            sums.fill(T::ZERO);
            let first = start / width;
            let inverses = self.inverse_sums(first..first + numerators.len() / width);
            let mut products = vec![T::ZERO; width];
            let parts = numerators.chunks_exact_mut(width).zip(sums.chunks_exact_mut(heads));
            for ((i, (row, sums)), inverses) in (first..).zip(parts).zip(inverses.chunks_exact(heads)) {
                row.copy_from_slice(dy.row(i));
                scale_channels(row, inverses, self.heads);
                for ((product, &dy), &y) in products.iter_mut().zip(&*row).zip(&y[i * width..]) {
                    *product = -dy * y;
                }
                add_channels(sums, &mut products, 0, self.heads);
            }
        });
        (numerators, sums)
    }

    /// Gradient of filters that each position has for itself, from that of the result before the division and, if
    /// there is one, that of the sums.
    fn own_filter_gradients(&self, dy: Rows<'_, T>, dsums: Option<&[T]>) -> Vec<T> {
        let (width, share) = (self.heads.width, self.share());
        let chunks = self.heads.chunks(false);
        let mut gradients = output::<T>(self.positions * share);
        for_blocks(&mut gradients, self.block * share, |start, gradients| {
            gradients.fill(T::ZERO);
            let mut table = vec![T::ZERO; self.taps * width];
            let mut steps = Vec::new();
            for (i, gradient) in (start / share..).zip(gradients.chunks_exact_mut(share)) {
                self.reach.steps(i..i + 1, &mut steps);
                products(&mut table, dy, self.x, self.reach.dilation, &steps, &chunks, false);
                for step in &steps {
                    let taps = step.taps.start * width..step.taps.end * width;
                    add_channels(gradient, &mut table[taps], step.taps.start, self.heads);
                }
                self.add_sum_gradients(gradient, dsums, &steps);
            }
        });
        gradients
    }

    /// Gradient of filters that all positions share: the sums of each block, added in the order of the blocks.
    fn shared_filter_gradients(&self, dy: Rows<'_, T>, dsums: Option<&[T]>) -> Vec<T> {
        let (width, share) = (self.heads.width, self.share());
        let chunks = self.heads.chunks(false);
        let mut partial = vec![T::ZERO; self.positions.div_ceil(self.block) * share];
        for_blocks(&mut partial, share, |start, partial| {
            let first = start / share * self.block;
            let mut steps = Vec::new();
            self.reach.steps(first..(first + self.block).min(self.positions), &mut steps);
            let mut table = vec![T::ZERO; self.taps * width];
            products(&mut table, dy, self.x, self.reach.dilation, &steps, &chunks, true);
            add_channels(partial, &mut table, 0, self.heads);
            self.add_sum_gradients(partial, dsums, &steps);
        });
        sum_blocks(&partial, share)
    }

    /// Adds the gradient of the sum over the taps that were read to the gradient of each of them.
    fn add_sum_gradients(&self, gradient: &mut [T], dsums: Option<&[T]>, steps: &[Step]) {
        let Some(dsums) = dsums else { return };
        for step in steps {
            for position in step.positions() {
                let dsums = &dsums[position * self.heads.count..];
                for (gradient, &dsum) in gradient.chunks_exact_mut(self.taps).zip(dsums) {
                    for gradient in &mut gradient[step.taps.clone()] {
                        *gradient += dsum;
                    }
                }
            }
        }
    }
}
