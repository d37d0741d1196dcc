//! Which keys exist and which document each belongs to.

use std::sync::Arc;

use burn::tensor::{Bool, Device, Tensor, TensorData};

/// Key padding and document segments of a batch of sequences. The causal flag is a separate option
/// of each operation: the three are never merged into one mask.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    /// `[batch · keys]`, true where the key is a real token.
    pub padding: Option<Arc<[bool]>>,
    /// `[batch · keys]`, an id per document; the tokens of a document are contiguous. Tokens of
    /// different documents never see each other.
    pub segments: Option<Arc<[u32]>>,
}

/// The rectangle of (query, key) pairs of an attention operation.
///
/// Queries are the last `queries` positions of the `keys` positions: query i stands at key position
/// `keys − queries + i`. Queries may outnumber keys where nothing depends on where they stand: not causal, without
/// segments, as in attention to another sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Rows of the batch.
    pub batch: usize,
    /// Number of query positions.
    pub queries: usize,
    /// Number of key positions.
    pub keys: usize,
    /// Whether a query sees keys at its own and earlier positions only.
    pub causal: bool,
}

impl Geometry {
    /// The key position that query `i` stands at.
    pub(crate) fn position(&self, i: usize) -> usize {
        self.keys.saturating_sub(self.queries) + i
    }
}

impl Mask {
    /// Whether query `i` of row `b` sees key `j`.
    pub fn visible(&self, geometry: &Geometry, b: usize, i: usize, j: usize) -> bool {
        let position = geometry.position(i);
        let row = b * geometry.keys;
        (!geometry.causal || j <= position)
            && self.padding.as_ref().is_none_or(|real| real[row + j])
            && self.segments.as_ref().is_none_or(|ids| ids[row + j] == ids[row + position])
    }

    /// # Panics
    /// If padding or segments are not one value a key.
    pub(crate) fn assert_fits(&self, batch: usize, keys: usize) {
        let lengths = [self.padding.as_ref().map(|x| x.len()), self.segments.as_ref().map(|x| x.len())];
        for length in lengths.into_iter().flatten() {
            assert_eq!(length, batch * keys, "a mask has one value for each of {batch}×{keys} keys");
        }
    }

    /// Whether every pair of the rectangle is visible, so that no mask is needed.
    pub fn is_trivial(&self, geometry: &Geometry) -> bool {
        !geometry.causal && self.padding.is_none() && self.segments.is_none()
    }

    /// True where a pair is *hidden*, `[batch, queries, keys]`.
    pub fn hidden(&self, geometry: &Geometry, device: &Device) -> Tensor<3, Bool> {
        let Geometry { batch, queries, keys, .. } = *geometry;
        let mut hidden = Vec::with_capacity(batch * queries * keys);
        for b in 0..batch {
            for i in 0..queries {
                hidden.extend((0..keys).map(|j| !self.visible(geometry, b, i, j)));
            }
        }
        Tensor::from_data(TensorData::new(hidden, [batch, queries, keys]), device)
    }

    /// Number of keys each query sees, `[batch · queries]`.
    pub fn visible_counts(&self, geometry: &Geometry) -> Vec<usize> {
        let Geometry { batch, queries, keys, .. } = *geometry;
        let mut counts = Vec::with_capacity(batch * queries);
        for b in 0..batch {
            if self.padding.is_none() && self.segments.is_none() {
                let count = |i| if geometry.causal { geometry.position(i) + 1 } else { keys };
                counts.extend((0..queries).map(count));
                continue;
            }
            for i in 0..queries {
                counts.push((0..keys).filter(|&j| self.visible(geometry, b, i, j)).count());
            }
        }
        counts
    }
}
