//! Residual schemes: how a sublayer's output joins the stream.

mod post_norm;
mod pre_norm;

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_kernels::{Dropout, dropout};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Builder, NormConfig};

pub use post_norm::PostNorm;
pub use pre_norm::PreNorm;

/// Which residual scheme a model uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ResidualConfig {
    /// x + F(norm(x)); one more norm at the end of the stack.
    #[default]
    PreNorm,
    /// norm(x + F(x)).
    PostNorm,
}

impl ResidualConfig {
    /// The scheme around one sublayer.
    pub fn init(&self, norm: &NormConfig, width: usize, builder: &Builder) -> Residual {
        let norm = norm.init(width, &builder.child("norm"));
        match self {
            ResidualConfig::PreNorm => Residual::PreNorm(PreNorm::new(norm)),
            ResidualConfig::PostNorm => Residual::PostNorm(PostNorm::new(norm)),
        }
    }

    /// Whether the stack ends un-normalised and needs a norm of its own.
    pub fn needs_final_norm(&self) -> bool {
        match self {
            ResidualConfig::PreNorm => true,
            ResidualConfig::PostNorm => false,
        }
    }
}

/// The residual scheme around one sublayer.
#[derive(Module, Debug)]
pub enum Residual {
    /// x + F(norm(x)).
    PreNorm(PreNorm),
    /// norm(x + F(x)).
    PostNorm(PostNorm),
}

impl Residual {
    /// Runs `branch` inside the scheme; `noise` is applied to the branch's output.
    pub fn forward(
        &self,
        x: Tensor<3>,
        noise: Option<&Dropout>,
        branch: impl FnOnce(Tensor<3>) -> Tensor<3>,
    ) -> Tensor<3> {
        let branch = |x| match noise {
            Some(noise) => dropout(branch(x), noise),
            None => branch(x),
        };
        match self {
            Residual::PreNorm(scheme) => scheme.forward(x, branch),
            Residual::PostNorm(scheme) => scheme.forward(x, branch),
        }
    }
}
