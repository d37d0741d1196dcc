//! Pre-norm: `y = x + F(norm(x))`.
//!
//! The stream itself is never normalised, so gradients reach every layer through the identity; the
//! price is that later layers change the stream less and less. Source: Xiong et al., "On layer
//! normalization in the Transformer architecture", ICML 2020.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::Norm;
use crate::dual::Dual;

/// `x + F(norm(x))`.
#[derive(Module, Debug)]
pub struct PreNorm {
    norm: Norm,
}

impl PreNorm {
    pub(super) fn new(norm: Norm) -> Self {
        PreNorm { norm }
    }

    pub(super) fn forward(&self, x: Tensor<3>, branch: impl FnOnce(Tensor<3>) -> Tensor<3>) -> Tensor<3> {
        let normed = self.norm.forward(x.clone());
        x + branch(normed)
    }

    pub(super) fn forward_dual(&self, x: Dual<3>, branch: impl FnOnce(Dual<3>) -> Dual<3>) -> Dual<3> {
        let normed = self.norm.forward_dual(x.clone());
        x + branch(normed)
    }
}
