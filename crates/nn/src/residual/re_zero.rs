//! ReZero: `y = x + a·F(x)` with one learned scalar a per sublayer that starts at 0, and no norm anywhere.
//!
//! Every layer starts as the identity, whatever the depth; the first updates move only the scalars. Source: Bachlechner
//! et al., "ReZero is all you need", 2020, equation 1.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::add_scaled;

use crate::{Builder, Initialiser};

/// `x + a·F(x)`.
#[derive(Module, Debug)]
pub struct ReZero {
    /// a, `[1]`.
    scale: Param<Tensor<1>>,
}

impl ReZero {
    pub(super) fn new(builder: &Builder) -> Self {
        ReZero { scale: builder.parameter("scale", [1], Initialiser::Zeros) }
    }

    pub(super) fn forward(&self, x: Tensor<3>, branch: impl FnOnce(Tensor<3>) -> Tensor<3>) -> Tensor<3> {
        let output = branch(x.clone());
        add_scaled(x, self.scale.val(), output)
    }
}
