//! Sums of parts of the samples, added in order.

use burn_flex::FlexTensor;

use crate::cpu::{Real, add_rows, contiguous, for_blocks, slice, sum_blocks, tensor, vectorised, with_real};
use crate::profile;

/// Parts of the samples that are summed apart: does not depend on the number of threads.
const PARTS: usize = 8;

/// `Σ a_b·x`, `[channels]`.
pub(crate) fn row_sums(x: &FlexTensor, shares: Option<&FlexTensor>) -> FlexTensor {
    profile::operation("row_sums", [x], || with_real!(x.dtype(), R => row_sums_as::<R>(x, shares)))
}

fn row_sums_as<T: Real>(x: &FlexTensor, shares: Option<&FlexTensor>) -> FlexTensor {
    let (x, shares) = (contiguous(x), shares.map(contiguous));
    let shape = x.layout().shape().as_slice();
    let (samples, channels) = (shape[0], shape[shape.len() - 1]);
    let (values, shares) = (slice::<T>(&x), shares.as_ref().map(slice::<T>));
    let size = values.len() / samples.max(1);
    let together = samples.div_ceil(PARTS).max(1);
    let mut parts = vec![T::ZERO; samples.div_ceil(together).max(1) * channels];
    for_blocks(&mut parts, channels, |start, part| {
        let first = start / channels * together;
        let last = samples.min(first + together);
        let Some(shares) = shares else { return add_rows(part, &values[first * size..last * size]) };
        for sample in first..last {
            add_scaled_rows(part, &values[sample * size..(sample + 1) * size], shares[sample]);
        }
    });
    tensor(sum_blocks(&parts, channels), [channels])
}

vectorised! {
    /// Adds every row times a share to the total.
    fn add_scaled_rows<T: Real>(total: &mut [T], rows: &[T], share: T) {
        for row in rows.chunks_exact(total.len().max(1)) {
            for (total, &x) in total.iter_mut().zip(row) {
                *total += share * x;
            }
        }
    }
}
