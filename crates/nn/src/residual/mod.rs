//! Residual schemes: how a sublayer's output joins the stream.

mod admin;
mod config;
mod constants;
mod deep_norm;
mod layer_scale;
mod post_norm;
mod pre_norm;
mod re_zero;
mod sandwich_norm;
mod t_fixup;

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_kernels::{Dropout, dropout};

use crate::dual::Dual;
use crate::{Builder, NormConfig};

pub use admin::{Admin, Profile};
pub use config::{BranchInitialisation, DeepNormConstants, ResidualConfig};
pub use constants::{Constants, Stack, UpdateKind, gain_of};
pub use deep_norm::ScaledPostNorm;
pub use layer_scale::LayerScale;
pub use post_norm::PostNorm;
pub use pre_norm::PreNorm;
pub use re_zero::ReZero;
pub use sandwich_norm::SandwichNorm;
pub use t_fixup::TFixup;

/// The residual scheme around one sublayer.
#[derive(Module, Debug)]
pub enum Residual {
    /// x + F(norm(x)).
    PreNorm(PreNorm),
    /// norm(x + F(x)).
    PostNorm(PostNorm),
    /// norm(α·x + F(x)): DeepNorm, and post-norm with any other constants.
    ScaledPostNorm(ScaledPostNorm),
    /// x + λ ⊙ F(norm(x)).
    LayerScale(LayerScale),
    /// x + a·F(x).
    ReZero(ReZero),
    /// x + F(x).
    TFixup(TFixup),
    /// norm(ω ⊙ x + F(x)).
    Admin(Admin),
    /// x + norm(F(norm(x))).
    SandwichNorm(SandwichNorm),
}

/// Where one sublayer stands: what its scheme depends on beside its norm.
#[derive(Clone, Copy, Debug)]
pub struct Sublayer {
    /// Width of the stream.
    pub width: usize,
    /// Token-mixing layers of the model.
    pub blocks: usize,
    /// The stack and its residual sublayers.
    pub stack: Stack,
}

impl ResidualConfig {
    /// The scheme around one sublayer. `branch` runs the sublayer's mixer at its first values, for schemes that start from
    /// what earlier branches do.
    pub fn init(
        &self,
        norm: &NormConfig,
        place: Sublayer,
        profile: &mut Profile,
        builder: &Builder,
        branch: impl FnOnce(Tensor<3>) -> Tensor<3>,
    ) -> Residual {
        let normed = || norm.init(place.width, &builder.child("norm"));
        match *self {
            ResidualConfig::PreNorm | ResidualConfig::ScaledPreNorm { .. } => {
                Residual::PreNorm(PreNorm::new(normed()))
            }
            ResidualConfig::PostNorm => Residual::PostNorm(PostNorm::new(normed())),
            ResidualConfig::DeepNorm { .. } | ResidualConfig::ScaledPostNorm { .. } => {
                let alpha = self.constants(place.stack).map_or(1.0, |constants| constants.alpha);
                Residual::ScaledPostNorm(ScaledPostNorm::new(normed(), alpha))
            }
            ResidualConfig::LayerScale { initial } => {
                let initial = initial.unwrap_or_else(|| layer_scale::initial_scale(place.blocks));
                Residual::LayerScale(LayerScale::new(normed(), place.width, initial, builder))
            }
            ResidualConfig::ReZero => Residual::ReZero(ReZero::new(builder)),
            ResidualConfig::TFixup => Residual::TFixup(TFixup::new()),
            ResidualConfig::Admin => {
                let initial = profile.next(builder, branch);
                Residual::Admin(Admin::new(normed(), place.width, initial, builder))
            }
            ResidualConfig::SandwichNorm => {
                let outer = norm.init(place.width, &builder.child("outer"));
                Residual::SandwichNorm(SandwichNorm::new(normed(), outer))
            }
        }
    }
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
            Residual::ScaledPostNorm(scheme) => scheme.forward(x, branch),
            Residual::LayerScale(scheme) => scheme.forward(x, branch),
            Residual::ReZero(scheme) => scheme.forward(x, branch),
            Residual::TFixup(scheme) => scheme.forward(x, branch),
            Residual::Admin(scheme) => scheme.forward(x, branch),
            Residual::SandwichNorm(scheme) => scheme.forward(x, branch),
        }
    }

    /// The same on duals, without noise.
    ///
    /// # Panics
    /// If the scheme has no tangent: all but pre-norm.
    pub fn forward_dual(&self, x: Dual<3>, branch: impl FnOnce(Dual<3>) -> Dual<3>) -> Dual<3> {
        match self {
            Residual::PreNorm(scheme) => scheme.forward_dual(x, branch),
            Residual::PostNorm(_)
            | Residual::ScaledPostNorm(_)
            | Residual::LayerScale(_)
            | Residual::ReZero(_)
            | Residual::TFixup(_)
            | Residual::Admin(_)
            | Residual::SandwichNorm(_) => panic!("this residual scheme has no tangent"),
        }
    }
}
