//! Which taps of which positions are read, as a list of steps for the loops over channels.

use std::ops::Range;

use super::ConvolutionOptions;
use crate::Mask;

/// Positions of a wide step.
pub(super) const WIDE: usize = 4;

/// Consecutive taps of one position, or of [`WIDE`] consecutive ones, that are all read. Positions are counted through
/// the batch.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    /// The first position.
    pub own: usize,
    /// What the first tap reads there.
    pub source: usize,
    pub taps: Range<usize>,
    pub wide: bool,
}

impl Step {
    /// The positions whose taps these are.
    pub(super) fn positions(&self) -> Range<usize> {
        self.own..self.own + if self.wide { WIDE } else { 1 }
    }
}

/// What the taps of each position reach.
#[derive(Clone, Copy)]
pub(super) struct Reach<'a> {
    /// Tokens of a row of the batch.
    n: usize,
    taps: usize,
    /// Taps before the present token.
    left: usize,
    pub(super) dilation: usize,
    mask: &'a Mask,
}

impl<'a> Reach<'a> {
    pub(super) fn new(n: usize, taps: usize, options: &'a ConvolutionOptions) -> Self {
        Reach { n, taps, left: options.left(taps), dilation: options.dilation, mask: &options.mask }
    }

    /// Who reads each position: tap t of i reads j as tap K−1−t of j reads i here. Whether the mask lets i read j does
    /// not depend on which is which.
    pub(super) fn reversed(self) -> Self {
        Reach { left: self.taps - 1 - self.left, ..self }
    }

    /// Sets `steps` to what the positions read; the taps of a position stand in order.
    pub(super) fn steps(&self, positions: Range<usize>, steps: &mut Vec<Step>) {
        steps.clear();
        let mut own = positions.start;
        while own < positions.end {
            if own + WIDE <= positions.end && self.wide_steps(own, steps) {
                own += WIDE;
            } else {
                steps.extend(self.runs(own).map(|taps| self.step(own, taps, false)));
                own += 1;
            }
        }
    }

    /// The steps of [`WIDE`] positions around the taps that all of them read; false if there are none.
    fn wide_steps(&self, own: usize, steps: &mut Vec<Step>) -> bool {
        let mut runs = [const { 0..0 }; WIDE];
        for (i, run) in runs.iter_mut().enumerate() {
            let mut all = self.runs(own + i);
            let (Some(only), None) = (all.next(), all.next()) else { return false };
            *run = only;
        }
        let shared = runs
            .iter()
            .fold(0..self.taps, |shared, run| shared.start.max(run.start)..shared.end.min(run.end));
        if shared.is_empty() {
            return false;
        }
        let narrow =
            |(i, taps): (usize, Range<usize>)| (!taps.is_empty()).then(|| self.step(own + i, taps, false));
        let before = runs.iter().map(|run| run.start..shared.start).enumerate();
        let after = runs.iter().map(|run| shared.end..run.end).enumerate();
        steps.extend(before.filter_map(narrow));
        steps.push(self.step(own, shared.clone(), true));
        steps.extend(after.filter_map(narrow));
        true
    }

    fn step(&self, own: usize, taps: Range<usize>, wide: bool) -> Step {
        Step { own, source: self.source(own, taps.start), taps, wide }
    }

    /// What a tap that lies inside the sequence reads.
    fn source(&self, own: usize, tap: usize) -> usize {
        if tap < self.left {
            own - (self.left - tap) * self.dilation
        } else {
            own + (tap - self.left) * self.dilation
        }
    }

    /// The taps that a position reads, in ranges that are as long as can be.
    fn runs(&self, own: usize) -> impl Iterator<Item = Range<usize>> {
        let i = own % self.n;
        let inside = self.left.saturating_sub(i / self.dilation)
            ..self.taps.min(self.left + (self.n - 1 - i) / self.dilation + 1);
        let unmasked = self.mask.padding.is_none() && self.mask.segments.is_none();
        let mut rest = inside;
        std::iter::from_fn(move || {
            let reads = |&tap: &usize| self.reads(own, self.source(own, tap));
            let run = if unmasked {
                rest.clone()
            } else {
                let start = rest.clone().find(reads)?;
                start..(start..rest.end).find(|tap| !reads(tap)).unwrap_or(rest.end)
            };
            rest.start = run.end;
            (!run.is_empty()).then_some(run)
        })
    }

    fn reads(&self, own: usize, source: usize) -> bool {
        self.mask.padding.as_ref().is_none_or(|real| real[own] && real[source])
            && self.mask.segments.as_ref().is_none_or(|ids| ids[own] == ids[source])
    }
}

#[cfg(test)]
mod tests {
    use super::{Reach, Step};
    use crate::{ChannelMap, ConvolutionOptions, Mask};

    #[test]
    fn positions_share_the_taps_that_all_of_them_read() {
        let ids = [1, 1, 1, 1, 1, 2, 2].into();
        let options = ConvolutionOptions {
            causal: true,
            dilation: 1,
            channels: ChannelMap::Contiguous,
            renormalise: false,
            mask: Mask { padding: None, segments: Some(ids) },
        };
        let mut steps = Vec::new();
        Reach::new(7, 3, &options).steps(0..7, &mut steps);
        let narrow = |own, source, taps| Step { own, source, taps, wide: false };
        let expected = [
            // Token 0 reads nothing before itself, token 1 one token, the others two.
            narrow(1, 0, 1..2),
            narrow(2, 0, 0..2),
            narrow(3, 1, 0..2),
            Step { own: 0, source: 0, taps: 2..3, wide: true },
            // Three are left, the last two of another document.
            narrow(4, 2, 0..3),
            narrow(5, 5, 2..3),
            narrow(6, 5, 1..3),
        ];
        assert_eq!(steps, expected);
    }
}
