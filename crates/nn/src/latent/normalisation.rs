//! Posterior means of a batch brought to one spread, so that a Gaussian posterior cannot collapse onto its prior.
//!
//! ```text
//! m̂_j = γ·(m_j − mean_j)/√(variance_j + ε) + shift_j        over the texts of a batch; γ is fixed, the shift is learned
//! ```
//!
//! Then the mean of m̂² over texts is γ² + shift², and the divergence from the prior at least half of that for every number of a latent,
//! whatever the encoder does. Source: Zhu et al., "A batch normalized inference network keeps the KL vanishing away", ACL 2020,
//! equations 6 to 8.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Moments;
use crate::{Builder, Initialiser, Mode};

/// Keeps the square root away from 0.
const EPSILON: f64 = 1e-5;

/// Batch normalisation of posterior means.
#[derive(Module, Debug)]
pub(super) struct MeanNormalisation {
    /// `[latent]`.
    shift: Param<Tensor<1>>,
    /// Moments of many batches, for texts by themselves. They have no gradient: training sets them.
    mean: Param<Tensor<1>>,
    variance: Param<Tensor<1>>,
    #[module(skip)]
    scale: f64,
}

impl MeanNormalisation {
    pub fn new(width: usize, scale: f64, builder: &Builder) -> Self {
        MeanNormalisation {
            shift: builder.parameter("shift", [width], Initialiser::Zeros),
            mean: builder.parameter("mean", [width], Initialiser::Zeros),
            variance: builder.parameter("variance", [width], Initialiser::Ones),
            scale,
        }
    }

    /// Means `[b, latent]`, by the moments of the batch in training, which are given back without their graph, and else by those of many.
    pub fn forward(&self, means: Tensor<2>, mode: Mode) -> (Tensor<2>, Option<Moments>) {
        let (mean, variance, moments) = match mode {
            Mode::Train => {
                let mean = means.clone().mean_dim(0);
                let away = means.clone() - mean.clone();
                let variance = (away.clone() * away).mean_dim(0);
                let free = |x: &Tensor<2>| x.clone().detach().squeeze_dim::<1>(0);
                let moments = Moments { mean: free(&mean), spread: free(&variance) };
                (mean, variance, Some(moments))
            }
            Mode::Eval => (self.mean.val().unsqueeze_dim(0), self.variance.val().unsqueeze_dim(0), None),
        };
        let normal = (means - mean) / variance.add_scalar(EPSILON).sqrt();
        (normal.mul_scalar(self.scale) + self.shift.val().unsqueeze_dim(0), moments)
    }

    /// The moments of many batches.
    pub fn running(&self) -> Moments {
        Moments { mean: self.mean.val(), spread: self.variance.val() }
    }
}
