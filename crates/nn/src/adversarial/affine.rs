//! An affine map of a critic, as its tape keeps it.

use std::ops::Range;

use burn::tensor::Tensor;
use mixlab_kernels::{ConvolutionWindow, image_convolution_weights};

/// Gradients by the path of their parameter, as vectors.
pub type ByPath = std::collections::BTreeMap<String, Tensor<1>>;

/// An affine map with an input and an adjoint of rank `D`.
#[derive(Clone, Debug)]
pub(super) struct Affine<const D: usize> {
    pub path: String,
    pub weight: Tensor<2>,
    pub bias: Tensor<1>,
    pub input: Tensor<D>,
    /// ∂f/∂z of every sample, times a where gradients are of Σ_b a_b·f(x_b) alone.
    pub adjoint: Option<Tensor<D>>,
}

impl<const D: usize> Affine<D> {
    pub fn new(path: &str, weight: Tensor<2>, bias: Tensor<1>, input: Tensor<D>) -> Self {
        Affine { path: path.to_owned(), weight, bias, input, adjoint: None }
    }

    pub fn adjoint(&self) -> Tensor<D> {
        self.adjoint.clone().expect("adjoints come before gradients")
    }

    /// The adjoint times a.
    pub fn weighed(&self, weights: &Tensor<4>) -> Tensor<D> {
        let adjoint = self.adjoint();
        let mut shape = [1; D];
        shape[0] = adjoint.dims()[0];
        adjoint * weights.clone().reshape(shape)
    }

    /// The part of some samples.
    pub fn of(&self, samples: Range<usize>) -> Self {
        let part = |x: &Tensor<D>| x.clone().narrow(0, samples.start, samples.len());
        let (input, adjoint) = (part(&self.input), self.adjoint.as_ref().map(part));
        Affine { input, adjoint, ..self.clone() }
    }

    /// Adds the bias' gradient from adjoints times a.
    pub fn enter_bias(&self, adjoint: Tensor<D>, gradients: &mut ByPath) {
        let channels = self.bias.dims()[0];
        let rows = adjoint.dims().iter().product::<usize>() / channels;
        let sum = adjoint.reshape([rows, channels]).sum_dim(0).flatten(0, 1);
        enter(gradients, &self.path, "bias", sum);
    }
}

impl Affine<2> {
    /// Adds the weight's gradient from the replaced input.
    pub fn enter_weight(&self, h: Tensor<2>, gradients: &mut ByPath) {
        enter(gradients, &self.path, "weight", h.transpose().matmul(self.adjoint()).flatten(0, 1));
    }
}

impl Affine<4> {
    /// The same of a convolution.
    pub fn enter_weight(&self, h: Tensor<4>, window: ConvolutionWindow, gradients: &mut ByPath) {
        let weight = image_convolution_weights(h, self.adjoint(), window);
        enter(gradients, &self.path, "weight", weight.flatten(0, 1));
    }
}

fn enter(gradients: &mut ByPath, path: &str, name: &str, gradient: Tensor<1>) {
    crate::add_gradients(gradients, [(format!("{path}.{name}"), gradient)]);
}
