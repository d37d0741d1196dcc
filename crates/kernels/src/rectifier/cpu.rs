//! The gate over blocks.

use burn_flex::FlexTensor;

use crate::cpu::{BLOCK, Real, contiguous, for_blocks, output, slice, tensor, vectorised, with_real};
use crate::profile;

/// `x` where `signs` is positive, `slope·x` elsewhere.
pub(super) fn gate(x: &FlexTensor, signs: &FlexTensor, slope: f64) -> FlexTensor {
    profile::operation("rectifier", [x, signs], || {
        with_real!(x.dtype(), R => {
            let (x, signs) = (contiguous(x), contiguous(signs));
            gate_as::<R>(&x, &signs, R::of(slope))
        })
    })
}

fn gate_as<T: Real>(x: &FlexTensor, signs: &FlexTensor, slope: T) -> FlexTensor {
    let (values, others) = (slice::<T>(x), slice::<T>(signs));
    let mut out = output::<T>(values.len());
    for_blocks(&mut out, BLOCK, |start, block| {
        let range = start..start + block.len();
        gate_block(block, &values[range.clone()], &others[range], slope);
    });
    tensor(out, x.layout().shape().clone())
}

vectorised! {
    fn gate_block<T: Real>(out: &mut [T], x: &[T], signs: &[T], slope: T) {
        for ((out, &x), &sign) in out.iter_mut().zip(x).zip(signs) {
            *out = pass(x, sign, slope);
        }
    }
}

/// What a gate lets through of a number, by a sign.
#[inline(always)]
pub(crate) fn pass<T: Real>(x: T, sign: T, slope: T) -> T {
    if sign > T::ZERO { x } else { slope * x }
}
