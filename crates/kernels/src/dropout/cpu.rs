//! Dropout with the random numbers made where they are used: nothing is stored for the backward pass.

use burn_flex::FlexTensor;
use mixlab_core::Stream;
use rayon::prelude::*;

use super::Dropout;
use crate::cpu::{BLOCK, Real, output, slice, tensor, vectorised, with_real};
use crate::profile;

/// Blocks of four random words made at once.
const LANES: usize = 16;

pub(super) fn dropout(x: &FlexTensor, options: &Dropout) -> FlexTensor {
    profile::operation("dropout", [x], || with_real!(x.dtype(), R => dropout_as::<R>(x, options)))
}

fn dropout_as<T: Real>(x: &FlexTensor, options: &Dropout) -> FlexTensor {
    let x = x.to_contiguous();
    let values = slice::<T>(&x);
    let size = values.len().checked_div(options.samples.len()).unwrap_or(0);
    let mut out = output::<T>(values.len());
    let (threshold, scale) = (options.threshold(), T::of(options.survivor_scale()));
    if size > 0 {
        let samples = out.par_chunks_mut(size).zip(values.par_chunks(size)).zip(options.samples.par_iter());
        samples.for_each(|((out, x), &sample)| {
            let stream = options.key.sample(sample);
            let blocks = out.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK)).enumerate();
            blocks.for_each(|(i, (out, x))| {
                drop_elements(out, x, &stream, (i * BLOCK) as u64, threshold, scale);
            });
        });
    }
    tensor(out, x.layout().shape().clone())
}

vectorised! {
    /// Elements `first ..` of a sample; `first` is a multiple of four.
    fn drop_elements<T: Real>(
        out: &mut [T],
        x: &[T],
        stream: &Stream,
        first: u64,
        threshold: u32,
        scale: T,
    ) {
        const WORDS: usize = 4 * LANES;
        let mut block = first / 4;
        for (out, x) in out.chunks_mut(WORDS).zip(x.chunks(WORDS)) {
            let words = stream.blocks::<LANES>(block);
            let mut factors = [T::ZERO; WORDS];
            for (word, words) in words.iter().enumerate() {
                for (lane, &bits) in words.iter().enumerate() {
                    factors[4 * lane + word] = if bits < threshold { T::ZERO } else { scale };
                }
            }
            for ((out, &x), &factor) in out.iter_mut().zip(x).zip(&factors) {
                *out = x * factor;
            }
            block += LANES as u64;
        }
    }
}
