//! The ways in which posterior means are brought to one spread over the texts of a batch.

use burn::module::Module;
use burn::tensor::Tensor;

use super::normalisation::MeanNormalisation;
use super::whitening::Whitening;
use super::{LatentConfig, PosteriorInput};
use crate::{Builder, Mode};

/// Mean and spread of the means over the texts of a batch.
#[derive(Clone, Debug)]
pub struct Moments {
    /// The mean `[latent]`.
    pub mean: Tensor<1>,
    /// The mean of the squares around it `[latent]`, or of all products around it, `[latent · latent]` row after row.
    pub spread: Tensor<1>,
}

/// One of the ways.
#[derive(Module, Debug)]
pub(super) enum Spread {
    /// Every axis by itself.
    Axes(MeanNormalisation),
    /// All axes together.
    Whole(Whitening),
}

impl Spread {
    /// The way that is asked for, if one is.
    pub fn new(latent: &LatentConfig, posterior: PosteriorInput, builder: &Builder) -> Option<Self> {
        match posterior.mean_scale {
            Some(scale) => Some(Spread::Axes(MeanNormalisation::new(latent.width, scale, builder))),
            None => latent.whitening.then(|| Spread::Whole(Whitening::new(latent.width, builder))),
        }
    }

    /// Means `[b, latent]`, by the moments of the batch in training, which are given back without their graph, and else by those of many.
    pub fn forward(&self, means: Tensor<2>, mode: Mode) -> (Tensor<2>, Option<Moments>) {
        match self {
            Spread::Axes(normalisation) => normalisation.forward(means, mode),
            Spread::Whole(whitening) => whitening.forward(means, mode),
        }
    }

    /// The moments of many batches, and the names of the parameters that hold them.
    pub fn running(&self) -> ([&'static str; 2], Moments) {
        match self {
            Spread::Axes(normalisation) => (["mean", "variance"], normalisation.running()),
            Spread::Whole(whitening) => (["mean", "covariance"], whitening.running()),
        }
    }
}
