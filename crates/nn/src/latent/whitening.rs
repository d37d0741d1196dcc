//! Posterior means of a batch spread over all axes alike, for posteriors that are directions.
//!
//! ```text
//! Σ = (m − mean)ᵀ(m − mean)/b + ε,    S = Σ/tr Σ,    P ← (3P − P³S)/2  five times from P = 1,    m̂ = (m − mean)·P/√tr Σ        over b texts
//! ```
//!
//! P tends to S^(−1/2), with which all axes would have the variance 1; five rounds lift no axis by more than 1.5⁵ = 7.6 in units of √tr Σ.
//! A direction has one length for everything that it tells: what is learned first takes all of it, and the rest drowns in the noise. Whitened,
//! what differs little between texts is told up to that much louder. Source: Huang et al., "Iterative normalization: beyond standardization
//! towards efficient whitening", CVPR 2019, equations 5 and 6.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Moments;
use crate::{Builder, Initialiser, Mode};

/// Keeps an axis on which all texts agree where it is.
const EPSILON: f64 = 1e-5;
/// Rounds of Newton's iteration.
const ROUNDS: usize = 5;

/// Whitening of posterior means.
#[derive(Module, Debug)]
pub(super) struct Whitening {
    /// Mean `[latent]` and covariance `[latent, latent]` over many batches, for texts by themselves. They have no gradient: training sets
    /// them.
    mean: Param<Tensor<1>>,
    covariance: Param<Tensor<2>>,
}

impl Whitening {
    pub fn new(width: usize, builder: &Builder) -> Self {
        Whitening {
            mean: builder.parameter("mean", [width], Initialiser::Zeros),
            covariance: builder.parameter("covariance", [width, width], Initialiser::Zeros),
        }
    }

    /// Means `[b, latent]`, by the moments of the batch in training, which are given back without their graph, and else by those of many.
    pub fn forward(&self, means: Tensor<2>, mode: Mode) -> (Tensor<2>, Option<Moments>) {
        match mode {
            Mode::Train => {
                let mean = means.clone().mean_dim(0);
                let away = means - mean.clone();
                let texts = away.dims()[0] as f64;
                let covariance = away.clone().transpose().matmul(away.clone()).mul_scalar(1.0 / texts);
                let moments = Moments {
                    mean: mean.detach().squeeze_dim::<1>(0),
                    spread: covariance.clone().detach().flatten(0, 1),
                };
                (away.matmul(root(covariance)), Some(moments))
            }
            Mode::Eval => {
                let away = means - self.mean.val().unsqueeze_dim(0);
                (away.matmul(root(self.covariance.val())), None)
            }
        }
    }

    /// The moments of many batches.
    pub fn running(&self) -> Moments {
        Moments { mean: self.mean.val(), spread: self.covariance.val().flatten(0, 1) }
    }
}

/// What is close to the inverse square root of a covariance `[d, d]`.
fn root(covariance: Tensor<2>) -> Tensor<2> {
    let width = covariance.dims()[0];
    let identity = Tensor::<2>::eye(width, &covariance.device()).cast(covariance.dtype());
    let covariance = covariance + identity.clone().mul_scalar(EPSILON);
    let trace = (covariance.clone() * identity.clone()).sum().unsqueeze::<2>();
    let share = covariance / trace.clone();
    let mut root = identity;
    for _ in 0..ROUNDS {
        let cube = root.clone().matmul(root.clone()).matmul(root.clone());
        root = root.mul_scalar(1.5) - cube.matmul(share.clone()).mul_scalar(0.5);
    }
    root / trace.sqrt()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};
    use mixlab_core::Precision;

    use super::*;
    use crate::InitialisationConfig;

    fn matrix(values: &[f64], shape: [usize; 2]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), (&Device::flex(), DType::F64))
    }

    fn numbers(x: Tensor<2>) -> Vec<f64> {
        x.into_data().iter().collect()
    }

    /// The iteration on numbers: on a diagonal covariance every axis goes by itself.
    #[test]
    fn axes_are_lifted_as_the_iteration_says() {
        let variances = [4.0, 1.0, 1e-4];
        let trace: f64 = variances.iter().map(|variance| variance + EPSILON).sum();
        let mut diagonal = [0.0; 9];
        (0..3).for_each(|i| diagonal[4 * i] = variances[i]);
        let found = numbers(root(matrix(&diagonal, [3, 3])));
        for (i, variance) in variances.iter().enumerate() {
            let share = (variance + EPSILON) / trace;
            let expected =
                (0..ROUNDS).fold(1.0, |p: f64, _| 1.5 * p - 0.5 * p.powi(3) * share) / trace.sqrt();
            assert!((found[4 * i] - expected).abs() < 1e-12, "axis {i}: {} and {expected}", found[4 * i]);
            assert!(expected <= 1.5f64.powi(5) / trace.sqrt());
        }
        // Loud axes come to 1, and one that was a two-hundredth as loud as the first to more than a fortieth.
        assert!((found[0] * 2.0 - 1.0).abs() < 1e-3 && (found[4] - 1.0).abs() < 0.05);
        assert!(found[8] * 0.01 > 0.03);
    }

    /// No axis is preferred: turned means come out turned.
    #[test]
    fn a_rotation_goes_through() {
        let values: Vec<f64> = (0..24).map(|i| (1.7 * i as f64).sin() * (1.0 + (i % 3) as f64)).collect();
        let (means, (s, c)) = (matrix(&values, [8, 3]), 0.7f64.sin_cos());
        let turn = matrix(&[c, s, 0.0, -s, c, 0.0, 0.0, 0.0, 1.0], [3, 3]);
        let builder = Builder::new(1, &Device::flex(), Precision::F64, InitialisationConfig::lecun(), 1);
        let whitening = Whitening::new(3, &builder);
        let (plain, moments) = whitening.forward(means.clone(), Mode::Train);
        let (turned, _) = whitening.forward(means.matmul(turn.clone()), Mode::Train);
        let gap = (turned - plain.matmul(turn)).abs().max().into_scalar::<f64>();
        assert!(gap < 1e-12, "{gap}");
        assert_eq!(moments.expect("a batch has moments").spread.dims(), [9]);
    }
}
