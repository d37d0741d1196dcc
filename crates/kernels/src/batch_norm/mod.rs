//! Batch normalisation: every channel by its moments over the samples and pixels of a batch.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::{Dispatch, Flex};
use burn::tensor::Tensor;

use crate::cpu::{primitive, serves};
use backend::BatchNormBackend;

/// What [`batch_norm`] makes of a batch.
#[derive(Clone, Debug)]
pub struct BatchNormed<const D: usize> {
    /// The shape of x.
    pub value: Tensor<D>,
    /// Means of the channels `[channels]`, without a graph.
    pub mean: Tensor<1>,
    /// Their variances about the mean, divided by the number of rows; without a graph.
    pub variance: Tensor<1>,
}

/// `γ·(x − mean)/√(variance + ε) + β`, channel by channel, with moments over all axes but the last; gradients go through the moments.
///
/// `gain` and `bias` are γ and β `[channels]`. Source: Ioffe and Szegedy, "Batch normalization", ICML 2015, algorithm 1.
///
/// # Panics
/// If the parameters do not have the length of the last axis, or if there is no row.
pub fn batch_norm<const D: usize>(
    x: Tensor<D>,
    gain: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> BatchNormed<D> {
    let channels = x.dims()[D - 1];
    assert_eq!([gain.dims(), bias.dims()], [[channels]; 2], "parameters of {channels} channels");
    assert!(x.dims()[..D - 1].iter().all(|&size| size > 0), "moments of no row");
    if !serves(&x) {
        return portable::batch_norm(x, gain, bias, epsilon);
    }
    let tracked = x.device().is_autodiff();
    let seen = if tracked { x.clone().inner() } else { x.clone() };
    let [mean, variance] = cpu::moments(&primitive(seen)).map(Tensor::<1>::from_primitive::<Flex>);
    let [mean, variance] =
        [mean, variance].map(|moment| if tracked { Tensor::from_inner(moment) } else { moment });
    let value = Tensor::from_dispatch(Dispatch::fused_batch_norm(
        x.into_dispatch(),
        gain.into_dispatch(),
        bias.into_dispatch(),
        mean.clone().into_dispatch(),
        variance.clone().into_dispatch(),
        epsilon,
    ));
    BatchNormed { value, mean, variance }
}
