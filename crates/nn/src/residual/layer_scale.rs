//! LayerScale: `y = x + λ ⊙ F(norm(x))` with a learned factor λ per channel that starts small.
//!
//! The first value goes by the depth of the whole model, not by the number of the layer: 0.1 up to 18 blocks, 1e-5 up to
//! 24, 1e-6 beyond. Source: Touvron et al., "Going deeper with image transformers", 2021, equation 4; the table for
//! ResMLP: Touvron et al., "ResMLP", 2021, section 2.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::add_scaled;

use crate::{Builder, Initialiser, Norm};

/// `x + λ ⊙ F(norm(x))`.
#[derive(Module, Debug)]
pub struct LayerScale {
    norm: Norm,
    /// λ, `[d]`.
    scale: Param<Tensor<1>>,
}

impl LayerScale {
    pub(super) fn new(norm: Norm, width: usize, initial: f64, builder: &Builder) -> Self {
        LayerScale { norm, scale: builder.parameter("scale", [width], Initialiser::Constant(initial)) }
    }

    pub(super) fn forward(&self, x: Tensor<3>, branch: impl FnOnce(Tensor<3>) -> Tensor<3>) -> Tensor<3> {
        let output = branch(self.norm.forward(x.clone()));
        add_scaled(x, self.scale.val(), output)
    }
}

/// The first value of λ in a model of `blocks` blocks.
pub(super) fn initial_scale(blocks: usize) -> f64 {
    match blocks {
        0..=18 => 0.1,
        19..=24 => 1e-5,
        _ => 1e-6,
    }
}

#[cfg(test)]
mod tests {
    use super::initial_scale;

    /// ResMLP's S12, S24 and S36.
    #[test]
    fn the_first_value_goes_by_the_depth() {
        assert_eq!([12, 24, 36].map(initial_scale), [0.1, 1e-5, 1e-6]);
    }
}
