//! Which positions are transformed together.

use std::sync::Arc;

use crate::Mask;

/// Positions of a batch that are transformed together, each group a sequence of its own length.
///
/// A position is a flat index `sample · n + position` into `[batch · n]` and belongs to at most one group. Those in
/// none are left out of every transform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FourierGroups(Arc<[Vec<u32>]>);

impl FourierGroups {
    /// Groups of positions, each in the order of its sequence.
    pub fn new(groups: Vec<Vec<u32>>) -> Self {
        FourierGroups(groups.into())
    }

    /// The real tokens of each document of each row of `n` positions, so that holes are closed up; none if the mask
    /// hides nothing, as every row is then transformed whole.
    ///
    /// # Panics
    /// If the mask is not one value for each of `batch · n` positions.
    pub fn of_mask(mask: &Mask, batch: usize, n: usize) -> Option<Self> {
        mask.assert_fits(batch, n);
        if mask.padding.is_none() && mask.segments.is_none() {
            return None;
        }
        let real = |&at: &usize| mask.padding.as_ref().is_none_or(|real| real[at]);
        let mut groups = Vec::new();
        for b in 0..batch {
            let tokens: Vec<usize> = (b * n..(b + 1) * n).filter(real).collect();
            let together = |&x: &usize, &y: &usize| mask.segments.as_ref().is_none_or(|ids| ids[x] == ids[y]);
            let document = |tokens: &[usize]| tokens.iter().map(|&at| at as u32).collect();
            groups.extend(tokens.chunk_by(together).map(document));
        }
        Some(FourierGroups::new(groups))
    }

    /// The positions of each group.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// # Panics
    /// If a position is not below `positions` or occurs twice.
    pub(super) fn assert_fits(&self, positions: usize) {
        let mut seen = vec![false; positions];
        for &at in self.iter().flatten() {
            let Some(seen) = seen.get_mut(at as usize) else {
                panic!("position {at} of a group is not below the {positions} of the batch");
            };
            assert!(!std::mem::replace(seen, true), "position {at} occurs twice in the groups");
        }
    }
}
