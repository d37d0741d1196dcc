//! Post-norm: `y = norm(x + F(x))`.
//!
//! The original Transformer's scheme: the stream keeps unit scale, and every layer's branch counts
//! equally. Deep stacks need warm-up or the scaled variants. Source: Vaswani et al., "Attention is
//! all you need", 2017, section 3.1.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::Norm;

/// `norm(x + F(x))`.
#[derive(Module, Debug)]
pub struct PostNorm {
    norm: Norm,
}

impl PostNorm {
    pub(super) fn new(norm: Norm) -> Self {
        PostNorm { norm }
    }

    pub(super) fn forward(&self, x: Tensor<3>, branch: impl FnOnce(Tensor<3>) -> Tensor<3>) -> Tensor<3> {
        let output = branch(x.clone());
        self.norm.forward_sum(x, output)
    }
}
