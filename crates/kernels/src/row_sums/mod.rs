//! Sums over rows: gradients of biases.

mod cpu;
#[cfg(test)]
mod tests;

use burn::tensor::Tensor;

use crate::cpu::{primitive, serves_untracked};

pub(crate) use cpu::row_sums as row_sums_of;

/// `Σ a_b·x` over all axes but the last, `[channels]`; b is the place on the first axis.
///
/// `shares` `[samples]` are a, absent 1. The sum has a fixed order that does not depend on the number of threads. For values that are
/// differentiated by hand: the result is not tracked.
///
/// # Panics
/// If there is not one share a sample, or if a tensor is tracked.
pub fn row_sums<const D: usize>(x: Tensor<D>, shares: Option<Tensor<1>>) -> Tensor<1> {
    let samples = x.dims()[0];
    assert!(shares.as_ref().is_none_or(|shares| shares.dims() == [samples]), "one share a sample");
    if !serves_untracked(&x) {
        return portable(x, shares);
    }
    Tensor::from_primitive::<burn::backend::Flex>(row_sums_of(&primitive(x), shares.map(primitive).as_ref()))
}

fn portable<const D: usize>(x: Tensor<D>, shares: Option<Tensor<1>>) -> Tensor<1> {
    let (samples, channels) = (x.dims()[0], x.dims()[D - 1]);
    let x = match shares {
        Some(shares) => {
            let mut shape = [1; D];
            shape[0] = samples;
            x * shares.reshape(shape)
        }
        None => x,
    };
    let rows = x.dims()[..D - 1].iter().product();
    x.reshape([rows, channels]).sum_dim(0).reshape([channels])
}
