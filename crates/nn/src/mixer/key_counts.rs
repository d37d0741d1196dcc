//! How many keys a query sees, for normalisers that divide by it.

use mixlab_kernels::Mask;

/// Counts of every query, `[rows, queries]`. Without masks all rows of a batch agree and one is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyCounts {
    /// 1 or the batch size.
    pub rows: usize,
    /// Real keys the query sees: of its document and, when causal, not after it.
    pub visible: Vec<usize>,
    /// Real tokens of the query's document, before and after it.
    pub document: Vec<usize>,
}

impl KeyCounts {
    /// Counts for the last `queries` of `keys` positions, in one pass over the mask.
    pub fn new(mask: &Mask, batch: usize, queries: usize, keys: usize, causal: bool) -> Self {
        let masked = mask.padding.is_some() || mask.segments.is_some();
        let mut counts =
            KeyCounts { rows: if masked { batch } else { 1 }, visible: vec![], document: vec![] };
        for row in 0..counts.rows {
            let mut start = 0;
            while start < keys {
                let end = document_end(mask, row * keys, start, keys);
                counts.push_document(mask, row * keys, start..end, keys - queries, causal);
                start = end;
            }
        }
        counts
    }

    fn push_document(
        &mut self,
        mask: &Mask,
        base: usize,
        positions: std::ops::Range<usize>,
        first_query: usize,
        causal: bool,
    ) {
        let real = |j: usize| mask.padding.as_ref().is_none_or(|real| real[base + j]);
        let total = positions.clone().filter(|&j| real(j)).count();
        let mut before = 0;
        for j in positions {
            before += usize::from(real(j));
            if j >= first_query {
                self.visible.push(if causal { before } else { total });
                self.document.push(total);
            }
        }
    }
}

/// Where the document that begins at `start` ends. Documents are contiguous.
fn document_end(mask: &Mask, base: usize, start: usize, keys: usize) -> usize {
    let Some(ids) = &mask.segments else { return keys };
    let ids = &ids[base..base + keys];
    start + ids[start..].iter().take_while(|&&id| id == ids[start]).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mixlab_kernels::Geometry;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The definition, pair by pair.
        #[test]
        fn counts_equal_the_visible_pairs(
            rows in prop::collection::vec((any::<bool>(), 0u32..2), 18),
            padded: bool, segmented: bool, causal: bool, queries in 1usize..=6,
        ) {
            // Running sums of random steps are contiguous document ids.
            let ids = |row: &[(bool, u32)]| row.iter().scan(0, |id, r| { *id += r.1; Some(*id) }).collect::<Vec<_>>();
            let mask = Mask {
                padding: padded.then(|| rows.iter().map(|r| r.0).collect()),
                segments: segmented.then(|| rows.chunks(6).flat_map(ids).collect()),
            };
            let found = KeyCounts::new(&mask, 3, queries, 6, causal);
            let geometry = |causal| Geometry { batch: 3, queries, keys: 6, causal };
            let expected = |causal| mask.visible_counts(&geometry(causal))[..found.rows * queries].to_vec();
            prop_assert_eq!(&found.visible, &expected(causal));
            prop_assert_eq!(&found.document, &expected(false));
        }
    }
}
