//! Epilogues on blocks of rows.

use burn_flex::FlexTensor;

use crate::cpu::{Real, contiguous, slice, vectorised};
use crate::rectifier::pass;

/// An epilogue as the back end holds it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlexEpilogue {
    bias: Option<FlexTensor>,
    shares: Option<FlexTensor>,
    /// Signs, those of the numbers themselves if there are no others, and the slope.
    gate: Option<(Option<FlexTensor>, f64)>,
}

impl FlexEpilogue {
    pub(crate) fn new(
        bias: Option<FlexTensor>,
        shares: Option<FlexTensor>,
        gate: Option<(Option<FlexTensor>, f64)>,
    ) -> Self {
        let whole = |x: FlexTensor| contiguous(&x);
        FlexEpilogue {
            bias: bias.map(whole),
            shares: shares.map(whole),
            gate: gate.map(|(signs, slope)| (signs.map(whole), slope)),
        }
    }

    /// A bias alone.
    pub(crate) fn bias(bias: Option<FlexTensor>) -> Self {
        FlexEpilogue::new(bias, None, None)
    }

    /// For results of `channels` a row and `sample` numbers a sample.
    pub(crate) fn finish<T: Real>(&self, channels: usize, sample: usize) -> Finish<'_, T> {
        Finish {
            channels,
            sample,
            bias: self.bias.as_ref().map(slice::<T>),
            shares: self.shares.as_ref().map(slice::<T>),
            gate: self.gate.as_ref().map(|(signs, slope)| (signs.as_ref().map(slice::<T>), T::of(*slope))),
        }
    }
}

/// What is done to rows.
pub(crate) struct Finish<'a, T> {
    channels: usize,
    sample: usize,
    bias: Option<&'a [T]>,
    shares: Option<&'a [T]>,
    gate: Option<(Option<&'a [T]>, T)>,
}

impl<T: Real> Finish<'_, T> {
    /// Finishes whole rows, the first of which is at `start` of all numbers of the result.
    pub(crate) fn run(&self, start: usize, rows: &mut [T]) {
        if self.bias.is_some() || self.gate.is_some() {
            finish(self, start, rows);
        }
    }
}

vectorised! {
    fn finish<T: Real>(how: &Finish<'_, T>, start: usize, rows: &mut [T]) {
        // A row is added to and gated while it is in the first-level cache.
        for (index, row) in rows.chunks_exact_mut(how.channels.max(1)).enumerate() {
            let start = start + index * how.channels;
            match (how.bias, how.shares) {
                (Some(bias), None) => {
                    for (y, &bias) in row.iter_mut().zip(bias) {
                        *y += bias;
                    }
                }
                (Some(bias), Some(shares)) => {
                    let share = shares[start / how.sample];
                    for (y, &bias) in row.iter_mut().zip(bias) {
                        *y += share * bias;
                    }
                }
                (None, _) => {}
            }
            match how.gate {
                Some((Some(signs), slope)) => {
                    for (y, &sign) in row.iter_mut().zip(&signs[start..]) {
                        *y = pass(*y, sign, slope);
                    }
                }
                Some((None, slope)) => {
                    for y in row {
                        *y = pass(*y, *y, slope);
                    }
                }
                None => {}
            }
        }
    }
}
