//! Residual schemes: how a sublayer's output joins the stream.

mod layer_scale;
mod post_norm;
mod pre_norm;

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_kernels::{Dropout, dropout};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Builder, ModelError, NormConfig};

pub use layer_scale::LayerScale;
pub use post_norm::PostNorm;
pub use pre_norm::PreNorm;

/// Which residual scheme a model uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ResidualConfig {
    /// x + F(norm(x)); one more norm at the end of the stack.
    #[default]
    PreNorm,
    /// norm(x + F(x)).
    PostNorm,
    /// x + λ ⊙ F(norm(x)) with a learned factor per channel; one more norm at the end of the stack.
    LayerScale {
        /// First value of λ; absent: by the number of blocks, 0.1 up to 18, 1e-5 up to 24, 1e-6 beyond.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        initial: Option<f64>,
    },
}

impl ResidualConfig {
    /// # Errors
    /// A first value that is not finite.
    pub fn validate(&self) -> Result<(), ModelError> {
        match *self {
            ResidualConfig::LayerScale { initial: Some(initial) } if !initial.is_finite() => {
                Err(ModelError::out_of_range("model.residual.initial", initial, "a finite number"))
            }
            _ => Ok(()),
        }
    }

    /// The scheme around one sublayer of a model of `blocks` blocks.
    pub fn init(&self, norm: &NormConfig, width: usize, blocks: usize, builder: &Builder) -> Residual {
        let norm = norm.init(width, &builder.child("norm"));
        match *self {
            ResidualConfig::LayerScale { initial } => {
                let initial = initial.unwrap_or_else(|| layer_scale::initial_scale(blocks));
                Residual::LayerScale(LayerScale::new(norm, width, initial, builder))
            }
            ResidualConfig::PreNorm => Residual::PreNorm(PreNorm::new(norm)),
            ResidualConfig::PostNorm => Residual::PostNorm(PostNorm::new(norm)),
        }
    }

    /// Whether the stack ends un-normalised and needs a norm of its own.
    pub fn needs_final_norm(&self) -> bool {
        match self {
            ResidualConfig::PreNorm | ResidualConfig::LayerScale { .. } => true,
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
    /// x + λ ⊙ F(norm(x)).
    LayerScale(LayerScale),
}

/// The noise on a branch before it joins the stream.
#[derive(Default)]
pub struct BranchNoise {
    /// Dropout of its numbers.
    pub dropout: Option<Dropout>,
    /// Stochastic depth: a row loses its whole branch, and the others are scaled so that the expectation stays (Huang
    /// et al., "Deep networks with stochastic depth", 2016).
    pub depth: Option<Dropout>,
}

impl BranchNoise {
    fn apply(&self, branch: Tensor<3>) -> Tensor<3> {
        let branch = match &self.dropout {
            Some(noise) => dropout(branch, noise),
            None => branch,
        };
        match &self.depth {
            Some(noise) => {
                let ones = Tensor::ones([branch.dims()[0], 1, 1], (&branch.device(), branch.dtype()));
                branch * dropout(ones, noise)
            }
            None => branch,
        }
    }
}

impl Residual {
    /// Runs `branch` inside the scheme; `noise` is applied to the branch's output.
    pub fn forward(
        &self,
        x: Tensor<3>,
        noise: &BranchNoise,
        branch: impl FnOnce(Tensor<3>) -> Tensor<3>,
    ) -> Tensor<3> {
        let branch = |x| noise.apply(branch(x));
        match self {
            Residual::PreNorm(scheme) => scheme.forward(x, branch),
            Residual::PostNorm(scheme) => scheme.forward(x, branch),
            Residual::LayerScale(scheme) => scheme.forward(x, branch),
        }
    }
}
