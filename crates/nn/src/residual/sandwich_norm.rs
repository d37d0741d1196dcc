//! Sandwich norm: `y = x + norm₂(F(norm₁(x)))`, pre-norm whose branch is normed once more before it joins.
//!
//! The stream grows by one unit of variance a sublayer, whatever the branch does. Source: Ding et al., "CogView: mastering
//! text-to-image generation via Transformers", 2021, section 2.4. Sub-LN of other authors puts the second norm before the
//! last matrix of the branch instead, inside the mixer.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::Norm;

/// `x + norm₂(F(norm₁(x)))`.
#[derive(Module, Debug)]
pub struct SandwichNorm {
    norm: Norm,
    outer: Norm,
}

impl SandwichNorm {
    pub(super) fn new(norm: Norm, outer: Norm) -> Self {
        SandwichNorm { norm, outer }
    }

    pub(super) fn forward(&self, x: Tensor<3>, branch: impl FnOnce(Tensor<3>) -> Tensor<3>) -> Tensor<3> {
        let output = branch(self.norm.forward(x.clone()));
        x + self.outer.forward(output)
    }
}
