//! DeepNorm, and post-norm with any other constants: `y = norm(α·x + F(x))`.
//!
//! Post-norm halves the stream's share of itself at every sublayer, so that gradients of early layers vanish while one
//! update of N layers moves the output N times as far as one of a single layer. DeepNorm makes the shortcut α times as
//! large as the branch, at training *and* at inference, and starts the matrices whose product is the branch with the gain
//! β: values, attention outputs and both of an MLP, by Xavier's normal distribution. Queries and keys, embeddings, norms and
//! biases keep theirs: a softmax averages, so that queries and keys do not decide on the branch's size. The constants
//! and their rule for gated units are in [`super::Constants`]. There is no norm at the end of the stack.
//!
//! With β = 1 and the *branch* scaled instead of the shortcut, as one public version has it, the update still explodes.
//!
//! Source: Wang et al., "DeepNet: scaling Transformers to 1,000 layers", 2022, figure 2 and section 4.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::Norm;

/// `norm(α·x + F(x))`.
#[derive(Module, Debug)]
pub struct ScaledPostNorm {
    norm: Norm,
    #[module(skip)]
    alpha: f64,
}

impl ScaledPostNorm {
    pub(super) fn new(norm: Norm, alpha: f64) -> Self {
        ScaledPostNorm { norm, alpha }
    }

    pub(super) fn forward(&self, x: Tensor<3>, branch: impl FnOnce(Tensor<3>) -> Tensor<3>) -> Tensor<3> {
        let output = branch(x.clone());
        self.norm.forward_scaled_sum(x, self.alpha, output)
    }
}
