//! Filters as the loops over channels see them.

use super::ChannelMap;
use super::loops::{Chunk, HALF, LANES, Weights, chunk};
use crate::cpu::{Real, vectorised};

/// Which channel uses which filter.
#[derive(Clone, Copy)]
pub(super) struct Heads {
    pub map: ChannelMap,
    /// Number of filters.
    pub count: usize,
    /// Number of channels.
    pub width: usize,
}

impl Heads {
    fn of(&self, channel: usize) -> usize {
        match self.map {
            ChannelMap::Contiguous => channel / self.group(),
            ChannelMap::Modular => channel % self.count,
        }
    }

    /// Channels of a filter.
    fn group(&self) -> usize {
        (self.width / self.count).max(1)
    }

    /// The channels in chunks that fill vectors where possible; in chunks of one filter each if `apart`.
    pub(super) fn chunks(&self, apart: bool) -> Vec<Chunk> {
        let unit = match self.map {
            _ if !apart => self.width,
            ChannelMap::Contiguous => self.group(),
            ChannelMap::Modular => 1,
        };
        let mut chunks = Vec::new();
        let mut channel = 0;
        while channel < self.width {
            let rest = unit - channel % unit;
            let lanes = [LANES, HALF].into_iter().find(|&lanes| lanes <= rest).unwrap_or(1);
            chunks.push(Chunk { channel, lanes, head: self.of(channel) });
            channel += lanes;
        }
        chunks
    }
}

/// The same filters for every position, as a number for each tap and channel.
pub(super) struct Shared<T> {
    /// `[K, width]`.
    table: Vec<T>,
    width: usize,
}

impl<T: Real> Shared<T> {
    /// Filters `[h, K]`, their taps in reversed order if asked.
    pub(super) fn new(filters: &[T], heads: Heads, reversed: bool) -> Self {
        let (taps, width) = (filters.len() / heads.count, heads.width);
        let mut table = Vec::with_capacity(taps * width);
        for tap in 0..taps {
            let tap = if reversed { taps - 1 - tap } else { tap };
            table.extend((0..width).map(|channel| filters[heads.of(channel) * taps + tap]));
        }
        Shared { table, width }
    }
}

impl<T: Real> Weights<T> for Shared<T> {
    #[inline(always)]
    fn lanes<const L: usize>(&self, _: usize, _: usize, tap: usize, at: &Chunk) -> [T; L] {
        *chunk(&self.table, tap * self.width + at.channel)
    }
}

/// Filters that each position has for itself, `[positions, h, K]`.
pub(super) struct Own<'a, T> {
    pub filters: &'a [T],
    pub heads: usize,
    pub taps: usize,
    /// Whether the filter is that of the position that is read, its taps in reversed order.
    pub reversed: bool,
}

impl<T: Real> Weights<T> for Own<'_, T> {
    /// The chunk must be of one filter.
    #[inline(always)]
    fn lanes<const L: usize>(&self, own: usize, source: usize, tap: usize, at: &Chunk) -> [T; L] {
        let (position, tap) = if self.reversed { (source, self.taps - 1 - tap) } else { (own, tap) };
        [self.filters[(position * self.heads + at.head) * self.taps + tap]; L]
    }
}

/// Channels that are summed side by side.
const SIDE: usize = 8;

/// Adds the later numbers of a row to its first ones. Summing those in the same loop would make the compiler take the
/// vectors apart.
#[inline(always)]
fn gather<T: Real>(row: &mut [T]) {
    if let Some((first, others)) = row.split_first_chunk_mut::<SIDE>() {
        let mut lanes = *first;
        for other in others.as_chunks::<SIDE>().0 {
            for (lane, &other) in lanes.iter_mut().zip(other) {
                *lane += other;
            }
        }
        *first = lanes;
    }
}

/// The sum of a row that went through [`gather`].
#[inline(always)]
fn gathered<T: Real>(row: &[T]) -> T {
    let rest = row.as_chunks::<SIDE>().1.iter().fold(T::ZERO, |sum, &x| sum + x);
    match row.first_chunk::<SIDE>() {
        Some(&[a, b, c, d, e, f, g, h]) => ((a + e) + (c + g)) + ((b + f) + (d + h)) + rest,
        None => rest,
    }
}

vectorised! {
    /// Adds the channels of each filter: `out[h, tap] += Σ table[tap, c]` over the channels c of h, where `out` is
    /// `[h, K]` and `table` holds the taps from `first` on; it is not the same afterwards.
    pub(super) fn add_channels<T: Real>(out: &mut [T], table: &mut [T], first: usize, heads: Heads) {
        let taps = out.len() / heads.count;
        let width = heads.width.max(1);
        match heads.map {
            ChannelMap::Contiguous => {
                for row in table.chunks_exact_mut(heads.group()) {
                    gather(row);
                }
                for (tap, row) in (first..).zip(table.chunks_exact(width)) {
                    for (head, row) in row.chunks_exact(heads.group()).enumerate() {
                        out[head * taps + tap] += gathered(row);
                    }
                }
            }
            ChannelMap::Modular => {
                for (tap, row) in (first..).zip(table.chunks_exact(width)) {
                    for part in row.chunks_exact(heads.count) {
                        for (head, &x) in part.iter().enumerate() {
                            out[head * taps + tap] += x;
                        }
                    }
                }
            }
        }
    }
}

vectorised! {
    /// `row[c] ← row[c] · factors[head(c)]`.
    pub(super) fn scale_channels<T: Real>(row: &mut [T], factors: &[T], heads: Heads) {
        match heads.map {
            ChannelMap::Contiguous => {
                for (group, &factor) in row.chunks_exact_mut(heads.group()).zip(factors) {
                    for x in group {
                        *x = *x * factor;
                    }
                }
            }
            ChannelMap::Modular => {
                for part in row.chunks_exact_mut(heads.count) {
                    for (x, &factor) in part.iter_mut().zip(factors) {
                        *x = *x * factor;
                    }
                }
            }
        }
    }
}
