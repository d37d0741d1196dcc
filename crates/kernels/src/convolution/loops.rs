//! Loops over channels, which are contiguous: a chunk of them stays in registers over the taps of a step.

use super::steps::{Step, WIDE};
use crate::cpu::{Real, Rows, vectorised};

/// Channels of a full chunk.
pub(super) const LANES: usize = 16;

/// Channels of a chunk where fewer than [`LANES`] are left.
pub(super) const HALF: usize = LANES / 2;

/// Chunks that go through all steps before the next ones do: their filters stay in the first-level cache.
const PANEL: usize = 8;

/// Consecutive channels.
pub(super) struct Chunk {
    /// The first.
    pub channel: usize,
    /// How many: [`LANES`], [`HALF`] or one.
    pub lanes: usize,
    /// The filter of the first.
    pub head: usize,
}

/// What the numbers that are read are multiplied by.
pub(super) trait Weights<T> {
    /// The weights of the L channels of a chunk, where a tap of position `own` reads position `source`.
    fn lanes<const L: usize>(&self, own: usize, source: usize, tap: usize, at: &Chunk) -> [T; L];
}

const OUTSIDE: &str = "a chunk of channels reaches outside its row";

/// L numbers from `start` on.
#[inline(always)]
pub(super) fn chunk<T, const L: usize>(values: &[T], start: usize) -> &[T; L] {
    match values[start..].first_chunk() {
        Some(chunk) => chunk,
        None => panic!("{OUTSIDE}"),
    }
}

#[inline(always)]
fn chunk_mut<T, const L: usize>(values: &mut [T], start: usize) -> &mut [T; L] {
    match values[start..].first_chunk_mut() {
        Some(chunk) => chunk,
        None => panic!("{OUTSIDE}"),
    }
}

/// `sum ← sum + a ⊙ b`.
#[inline(always)]
fn add_product<T: Real, const L: usize>(sum: &mut [T; L], a: &[T; L], b: &[T; L]) {
    for lane in 0..L {
        sum[lane] = a[lane].mul_add(b[lane], sum[lane]);
    }
}

/// What is done at a chunk of channels of a step, the numbers of positions and of channels being constants.
trait Visit {
    fn visit<const P: usize, const L: usize>(&mut self, step: &Step, at: &Chunk);
}

#[inline(always)]
fn visit_all(visitor: &mut impl Visit, steps: &[Step], chunks: &[Chunk]) {
    for panel in chunks.chunks(PANEL) {
        for step in steps {
            for at in panel {
                if step.wide {
                    visit_chunk::<WIDE>(visitor, step, at);
                } else {
                    visit_chunk::<1>(visitor, step, at);
                }
            }
        }
    }
}

#[inline(always)]
fn visit_chunk<const P: usize>(visitor: &mut impl Visit, step: &Step, at: &Chunk) {
    match at.lanes {
        LANES => visitor.visit::<P, LANES>(step, at),
        HALF => visitor.visit::<P, HALF>(step, at),
        _ => visitor.visit::<P, 1>(step, at),
    }
}

struct Weighted<'a, T, W> {
    out: &'a mut [T],
    /// The position of the first row of `out`.
    first: usize,
    x: Rows<'a, T>,
    weights: &'a W,
    dilation: usize,
    width: usize,
}

impl<T: Real, W: Weights<T>> Visit for Weighted<'_, T, W> {
    #[inline(always)]
    fn visit<const P: usize, const L: usize>(&mut self, step: &Step, at: &Chunk) {
        let start = (step.own - self.first) * self.width + at.channel;
        let mut sums = [[T::ZERO; L]; P];
        for (p, sum) in sums.iter_mut().enumerate() {
            *sum = *chunk(self.out, start + p * self.width);
        }
        let mut source = step.source;
        let last = source + (step.taps.len() - 1) * self.dilation + P - 1;
        assert!(at.channel + L <= self.x.row(last).len(), "{OUTSIDE}");
        for tap in step.taps.clone() {
            for (p, sum) in sums.iter_mut().enumerate() {
                let weights = self.weights.lanes::<L>(step.own + p, source + p, tap, at);
                // SAFETY: `last` is the last row that is read, and is there; the assertion bounds the columns.
                add_product(sum, &weights, unsafe { self.x.part(source + p, at.channel) });
            }
            source += self.dilation;
        }
        for (p, sum) in sums.iter().enumerate() {
            *chunk_mut(self.out, start + p * self.width) = *sum;
        }
    }
}

vectorised! {
    /// `out[i, c] ← out[i, c] + Σ_t weight · x[source, c]` over the taps of every step. Taps are added one after the
    /// other, so that the bits of a position do not depend on its place in a block. `out` begins at position `first`.
    pub(super) fn add_weighted<T: Real, W: Weights<T>>(
        out: &mut [T],
        first: usize,
        x: Rows<'_, T>,
        weights: &W,
        dilation: usize,
        steps: &[Step],
        chunks: &[Chunk],
    ) {
        let width = chunks.last().map_or(0, |last| last.channel + last.lanes);
        let mut visitor = Weighted { out, first, x, weights, dilation, width };
        visit_all(&mut visitor, steps, chunks);
    }
}

struct Products<'a, T> {
    table: &'a mut [T],
    dy: Rows<'a, T>,
    x: Rows<'a, T>,
    dilation: usize,
    width: usize,
    add: bool,
}

impl<T: Real> Visit for Products<'_, T> {
    #[inline(always)]
    fn visit<const P: usize, const L: usize>(&mut self, step: &Step, at: &Chunk) {
        let mut dys = [[T::ZERO; L]; P];
        for (p, dy) in dys.iter_mut().enumerate() {
            *dy = *chunk(self.dy.row(step.own + p), at.channel);
        }
        let mut source = step.source;
        let last = source + (step.taps.len() - 1) * self.dilation + P - 1;
        assert!(at.channel + L <= self.x.row(last).len(), "{OUTSIDE}");
        for tap in step.taps.clone() {
            let sums = chunk_mut::<T, L>(self.table, tap * self.width + at.channel);
            let mut sum = if self.add { *sums } else { [T::ZERO; L] };
            for (p, dy) in dys.iter().enumerate() {
                // SAFETY: `last` is the last row that is read, and is there; the assertion bounds the columns.
                add_product(&mut sum, dy, unsafe { self.x.part(source + p, at.channel) });
            }
            *sums = sum;
            source += self.dilation;
        }
    }
}

vectorised! {
    /// `table[t, c] ← table[t, c] + dy[i, c] · x[source, c]` for the positions i and taps t of every step; without the
    /// first summand if not `add`.
    pub(super) fn products<T: Real>(
        table: &mut [T],
        dy: Rows<'_, T>,
        x: Rows<'_, T>,
        dilation: usize,
        steps: &[Step],
        chunks: &[Chunk],
        add: bool,
    ) {
        let width = chunks.last().map_or(0, |last| last.channel + last.lanes);
        visit_all(&mut Products { table, dy, x, dilation, width, add }, steps, chunks);
    }
}
