//! The affine map with an activation, `y = f(x·W + b)`, of which every other part is made.

use std::ops::Range;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, linear};

use crate::dual::{Dual, DualActivation};
use crate::{Builder, Initialiser, Role};

/// `y = f(x·W + b)` over the last axis, the activation f chosen at each call and fused with the product.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[in, out]`.
    weight: Param<Tensor<2>>,
    /// `[out]`.
    bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// A map from `shape[0]` to `shape[1]` channels. The bias starts at 0.
    pub fn new(shape: [usize; 2], role: Role, bias: bool, builder: &Builder) -> Self {
        Self::with_weight(builder.matrix("weight", shape, role), bias, builder)
    }

    /// Several maps of one input side by side, each by its number of outputs and its role, and drawn as if it stood
    /// alone.
    pub fn fused(inputs: usize, parts: &[(usize, Role)], bias: bool, builder: &Builder) -> Self {
        Self::with_weight(builder.fused_matrix("weight", inputs, parts), bias, builder)
    }

    fn with_weight(weight: Param<Tensor<2>>, bias: bool, builder: &Builder) -> Self {
        let outputs = weight.lazy_shape()[1];
        Linear { weight, bias: bias.then(|| builder.parameter("bias", [outputs], Initialiser::Zeros)) }
    }

    /// `[batch, n, in]` to `[batch, n, out]`.
    pub fn forward(&self, x: Tensor<3>, activation: Activation) -> Tensor<3> {
        linear(x, self.weight.val(), self.bias.as_ref().map(Param::val), activation)
    }

    /// The same on duals.
    pub fn forward_dual(&self, x: Dual<3>, activation: Activation) -> Dual<3> {
        let map = |x, bias| linear(x, self.weight.val(), bias, Activation::Identity);
        let y = x.affine(|x| map(x, self.bias.as_ref().map(Param::val)), |x| map(x, None));
        y.activation(DualActivation::Other(activation))
    }

    /// Some of the outputs: `[batch, n, in]` to `[batch, n, columns.len()]`.
    ///
    /// The weight is cut, not the product: the gradient of a cut is a zero-filled tensor of the uncut
    /// shape, and the product has a row for every token.
    pub fn forward_columns(&self, x: Tensor<3>, columns: Range<usize>, activation: Activation) -> Tensor<3> {
        let bias = self.bias.as_ref().map(|bias| bias.val().slice([columns.clone()]));
        linear(x, self.weight.val().slice([0..self.shape()[0], columns]), bias, activation)
    }

    /// `[in, out]`.
    pub fn shape(&self) -> [usize; 2] {
        let shape = self.weight.lazy_shape();
        [shape[0], shape[1]]
    }

    /// Zeros on the device and in the precision of the parameters.
    pub fn zeros<const D: usize>(&self, shape: [usize; D]) -> Tensor<D> {
        let like = self.weight.val();
        Tensor::zeros(shape, (&like.device(), like.dtype()))
    }
}
