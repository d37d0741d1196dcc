//! Which keys each query sees, as one range a query plus holes.

use std::ops::Range;

use crate::mask::{Geometry, Mask};

/// A restriction beside the causal flag and the mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// None.
    All,
    /// Query and key lie in the same chunk of this many positions.
    Chunk(usize),
}

/// The visible pairs of a batch. The tokens of a document are contiguous, so a query sees a range of
/// keys less the padded ones inside it.
pub(crate) struct Visible<'a> {
    pub(crate) geometry: Geometry,
    pub(crate) window: Window,
    rows: Vec<Row<'a>>,
}

/// The keys of one row of the batch.
struct Row<'a> {
    /// From the first to the last real key.
    real: Range<usize>,
    /// True for real keys; none if `real` has no holes.
    holes: Option<&'a [bool]>,
    /// The document of each position; none if there is one document.
    documents: Option<Vec<Range<usize>>>,
}

impl<'a> Visible<'a> {
    pub(crate) fn new(geometry: Geometry, window: Window, mask: &'a Mask) -> Self {
        let keys = geometry.keys;
        let row = |b: usize| {
            let of_row = b * keys..(b + 1) * keys;
            let padding = mask.padding.as_ref().map(|padding| &padding[of_row.clone()]);
            let real = padding.map_or(0..keys, real_range);
            let holes = padding.filter(|padding| padding[real.clone()].contains(&false));
            let documents = mask.segments.as_ref().map(|ids| documents(&ids[of_row]));
            Row { real, holes, documents }
        };
        Visible { geometry, window, rows: (0..geometry.batch).map(row).collect() }
    }

    /// The key position a query stands at.
    pub(crate) fn position(&self, query: usize) -> usize {
        self.geometry.position(query)
    }

    /// The keys that a query sees, before holes are taken out; may be empty.
    pub(crate) fn range(&self, b: usize, query: usize) -> Range<usize> {
        let (row, position) = (&self.rows[b], self.position(query));
        let mut range = row.real.clone();
        if let Some(documents) = &row.documents {
            range = intersection(range, documents[position].clone());
        }
        if let Window::Chunk(chunk) = self.window {
            let start = position / chunk * chunk;
            range = intersection(range, start..start + chunk);
        }
        if self.geometry.causal {
            range.end = range.end.min(position + 1);
        }
        range.start..range.end.max(range.start)
    }

    /// The smallest range that holds every key seen by some query of a tile.
    pub(crate) fn hull(&self, b: usize, queries: Range<usize>) -> Range<usize> {
        // Both ends of the range grow with the query: the ends of the tile decide.
        let (first, last) = (self.range(b, queries.start), self.range(b, queries.end - 1));
        if queries.len() == 1 || self.rows[b].documents.is_none() && self.window == Window::All {
            return if first.is_empty() { last } else { first.start..last.end.max(first.end) };
        }
        queries.map(|query| self.range(b, query)).filter(|range| !range.is_empty()).fold(
            0..0,
            |hull, range| {
                if hull.is_empty() { range } else { hull.start.min(range.start)..hull.end.max(range.end) }
            },
        )
    }

    /// True for the real keys of a row, if some inside its ranges are not.
    pub(crate) fn holes(&self, b: usize) -> Option<&'a [bool]> {
        self.rows[b].holes
    }

    /// The document of each position of a row, if there are several.
    pub(crate) fn documents(&self, b: usize) -> Option<&[Range<usize>]> {
        self.rows[b].documents.as_deref()
    }

    /// The real keys of a row, before holes are taken out.
    pub(crate) fn real(&self, b: usize) -> Range<usize> {
        self.rows[b].real.clone()
    }
}

fn real_range(padding: &[bool]) -> Range<usize> {
    let first = padding.iter().position(|&real| real);
    let last = padding.iter().rposition(|&real| real);
    first.zip(last).map_or(0..0, |(first, last)| first..last + 1)
}

/// The run of equal ids around each position.
fn documents(ids: &[u32]) -> Vec<Range<usize>> {
    let mut result = Vec::with_capacity(ids.len());
    for run in ids.chunk_by(|a, b| a == b) {
        let start = result.len();
        result.extend(std::iter::repeat_n(start..start + run.len(), run.len()));
    }
    result
}

pub(crate) fn intersection(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    let start = a.start.max(b.start);
    start..a.end.min(b.end).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Ranges and holes say what the mask says, pair by pair, and hulls hold all of it.
        #[test]
        fn agrees_with_the_mask(
            queries in 1usize..12, extra in 0usize..5, causal: bool, padded: bool, packed: bool,
            window in prop_oneof![Just(Window::All), (1usize..6).prop_map(Window::Chunk)], bits: u64,
        ) {
            let keys = queries + extra;
            let padding = padded.then(|| (0..keys).map(|j| bits >> j & 1 == 1).collect());
            let segments = packed.then(|| {
                (0..keys).scan(0, |id, j| { *id += (bits >> (j + 20) & 1) as u32; Some(*id) }).collect()
            });
            let mask = Mask { padding, segments };
            let geometry = Geometry { batch: 1, queries, keys, causal };
            let visible = Visible::new(geometry, window, &mask);
            let seen = |i: usize, j: usize| {
                visible.range(0, i).contains(&j) && visible.holes(0).is_none_or(|real| real[j])
            };
            for i in 0..queries {
                for j in 0..keys {
                    let near = match window {
                        Window::All => true,
                        Window::Chunk(c) => visible.position(i) / c == j / c,
                    };
                    prop_assert_eq!(seen(i, j), near && mask.visible(&geometry, 0, i, j), "{} {}", i, j);
                }
                for end in i + 1..=queries {
                    let hull = visible.hull(0, i..end);
                    let inside = (i..end).all(|i| (0..keys).all(|j| !seen(i, j) || hull.contains(&j)));
                    prop_assert!(inside);
                }
            }
        }
    }
}
