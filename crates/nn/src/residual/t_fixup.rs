//! T-Fixup: `y = x + F(x)`, without norms and without warm-up, by initialisation alone.
//!
//! Values, attention outputs and both matrices of an MLP start with gain 0.67·N^−¼, all by Xavier's distribution, and
//! embeddings with deviation d^−½ times (9N)^−¼, where N is the number of blocks, P/2 of P residual sublayers. Source: Huang
//! et al., "Improving Transformer optimization through better initialization", ICML 2020, section 3.2, whose encoder this
//! is: a stack without cross-attention. It follows Zhang, Dauphin and Ma, "Fixup initialization", 2019.

use burn::module::Module;
use burn::tensor::Tensor;

/// `x + F(x)`.
#[derive(Module, Debug)]
pub struct TFixup {}

impl TFixup {
    pub(super) fn new() -> Self {
        TFixup {}
    }

    pub(super) fn forward(&self, x: Tensor<3>, branch: impl FnOnce(Tensor<3>) -> Tensor<3>) -> Tensor<3> {
        let output = branch(x.clone());
        x + output
    }
}

/// The gain of the matrices of a branch of two.
pub(super) fn branch_gain(sublayers: usize) -> f64 {
    0.67 * (sublayers as f64 / 2.0).powf(-0.25)
}

/// What embeddings are multiplied with, beside d^−½.
pub(super) fn embedding_gain(sublayers: usize) -> f64 {
    (9.0 * sublayers as f64 / 2.0).powf(-0.25)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Six blocks: 0.67·6^−¼ = 0.428092 and 54^−¼ = 0.368894.
    #[test]
    fn gains_of_six_blocks() {
        assert!((branch_gain(12) - 0.428_092).abs() < 1e-5, "{}", branch_gain(12));
        assert!((embedding_gain(12) - 0.368_894).abs() < 1e-5, "{}", embedding_gain(12));
    }
}
