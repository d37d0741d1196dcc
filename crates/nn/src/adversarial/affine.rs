//! An affine map of a critic, as its tape keeps it.

use std::ops::Range;

use burn::tensor::Tensor;
use mixlab_kernels::{
    ConvolutionWindow, Epilogue, Gate, image_convolution_weights, linear_weights, row_sums,
};

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

    /// The part of some samples.
    pub fn of(&self, samples: Range<usize>) -> Self {
        let part = |x: &Tensor<D>| x.clone().narrow(0, samples.start, samples.len());
        let (input, adjoint) = (part(&self.input), self.adjoint.as_ref().map(part));
        Affine { input, adjoint, ..self.clone() }
    }

    /// Adds the bias' gradient from adjoints that are times a already.
    pub fn enter_bias(&self, gradients: &mut ByPath) {
        enter(gradients, &self.path, "bias", row_sums(self.adjoint(), None));
    }

    /// The same from adjoints of f itself, Σ_b a_b·δ_b; nothing if all a are 0.
    pub fn enter_weighed_bias(&self, weights: Option<&Tensor<1>>, gradients: &mut ByPath) {
        if let Some(weights) = weights {
            enter(gradients, &self.path, "bias", row_sums(self.adjoint(), Some(weights.clone())));
        }
    }

    /// What follows the map of replaced inputs: a·β and the gate.
    pub fn epilogue(&self, weights: Option<&Tensor<1>>, gate: Option<Gate<D>>) -> Epilogue<D> {
        Epilogue { bias: weights.map(|_| self.bias.clone()), shares: weights.cloned(), gate }
    }
}

impl Affine<2> {
    /// Adds the weight's gradient from the replaced input.
    pub fn enter_weight(&self, h: Tensor<2>, gradients: &mut ByPath) {
        enter(gradients, &self.path, "weight", linear_weights(h, self.adjoint()).flatten(0, 1));
    }
}

impl Affine<4> {
    /// The same of a convolution.
    pub fn enter_weight(&self, h: Tensor<4>, window: ConvolutionWindow, gradients: &mut ByPath) {
        let weight = image_convolution_weights(h, self.adjoint(), window);
        enter(gradients, &self.path, "weight", weight.flatten(0, 1));
    }
}

/// How a map of a critic ends: with its bias, and a rectifier of this slope.
pub(super) fn traced_end<const D: usize>(bias: &Tensor<1>, slope: Option<f64>) -> Epilogue<D> {
    Epilogue {
        bias: Some(bias.clone()),
        shares: None,
        gate: slope.map(|slope| Gate { rectified: None, slope }),
    }
}

fn enter(gradients: &mut ByPath, path: &str, name: &str, gradient: Tensor<1>) {
    crate::add_gradients(gradients, [(format!("{path}.{name}"), gradient)]);
}
