//! The output projection for writing token by token.

use burn::tensor::Tensor;
use mixlab_kernels::{Activation, linear};

/// The output projection laid out as `[width, vocabulary]`. The layout of the embedding, which a model keeps, makes the product gather
/// columns for every step of a few rows, which takes longer than their arithmetic; this one is laid out once for all steps.
#[derive(Clone, Debug)]
pub struct Output {
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
}

impl Output {
    /// From a matrix `[vocabulary, width]` and a bias `[vocabulary]`, both without gradient tracking.
    pub(crate) fn new((weight, bias): (Tensor<2>, Option<Tensor<1>>)) -> Self {
        let at = (weight.device(), weight.dtype());
        Output { weight: Tensor::from_data(weight.transpose().into_data(), (&at.0, at.1)), bias }
    }

    /// Logits `[batch, n, vocabulary]` of hidden vectors `[batch, n, width]`.
    pub fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        linear(hidden, self.weight.clone(), self.bias.clone(), Activation::Identity)
    }
}
