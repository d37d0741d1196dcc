//! Batch normalisation of generators, over the samples and pixels of a batch.
//!
//! ```text
//! y = γ·(x − mean)/√(variance + ε) + β          in training by the moments of the batch, else by running ones
//! ```
//!
//! Critics whose loss has a gradient of a sample in it have no use for it: their samples would hang together. Source: Ioffe and Szegedy,
//! "Batch normalization", ICML 2015, algorithm 1.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::dual::Dual;
use crate::{Builder, Initialiser, Mode};

/// Keeps the square root away from 0.
const EPSILON: f64 = 1e-5;
/// Share of the newest batch in the running moments.
const NEWEST: f64 = 0.1;

/// Moments of many batches after one more, for the parameters of these names.
#[derive(Clone, Debug)]
pub struct BatchMoments {
    /// Path of the layer within the network.
    pub path: String,
    /// Running mean and variance, `[c]`.
    pub running: [Tensor<1>; 2],
}

/// Normalisation of every channel.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// γ, `[c]`.
    gain: Param<Tensor<1>>,
    /// β, `[c]`.
    bias: Param<Tensor<1>>,
    /// Moments of many batches. They have no gradient: training sets them.
    mean: Param<Tensor<1>>,
    variance: Param<Tensor<1>>,
    #[module(skip)]
    path: String,
}

impl BatchNorm {
    pub(super) fn new(channels: usize, builder: &Builder) -> Self {
        let parameter = |name: &str, first| builder.parameter(name, [channels], first);
        BatchNorm {
            gain: parameter("gain", Initialiser::Ones),
            bias: parameter("bias", Initialiser::Zeros),
            mean: parameter("mean", Initialiser::Zeros),
            variance: parameter("variance", Initialiser::Ones),
            path: builder.path().to_owned(),
        }
    }

    /// Normalises `[b, h, w, c]`; in training the running moments after this batch are added to `moments`.
    ///
    /// # Panics
    /// With a tangent: the samples of a batch hang together here.
    pub(super) fn forward(&self, x: Dual<4>, mode: Mode, moments: &mut Vec<BatchMoments>) -> Dual<4> {
        assert!(x.tangent.is_none(), "batch normalisation has no derivative by one sample");
        let x = x.value;
        let [batch, height, width, channels] = x.dims();
        let wide = |x: Tensor<1>| x.reshape([1, 1, 1, channels]);
        let (mean, variance) = match mode {
            Mode::Train => {
                let count = batch * height * width;
                let average = |x: Tensor<4>| {
                    let rows = x.reshape([count, channels]);
                    rows.mean_dim(0).flatten::<1>(0, 1)
                };
                let mean = average(x.clone());
                let away = x.clone() - wide(mean.clone());
                let variance = average(away.clone() * away);
                // The running variance is the unbiased one, as everywhere.
                let unbiased = count as f64 / (count.max(2) - 1) as f64;
                let mix = |old: Tensor<1>, new: Tensor<1>| {
                    old.detach().mul_scalar(1.0 - NEWEST) + new.detach().mul_scalar(NEWEST)
                };
                moments.push(BatchMoments {
                    path: self.path.clone(),
                    running: [
                        mix(self.mean.val(), mean.clone()),
                        mix(self.variance.val(), variance.clone().mul_scalar(unbiased)),
                    ],
                });
                (mean, variance)
            }
            Mode::Eval => (self.mean.val(), self.variance.val()),
        };
        let normal = (x - wide(mean)) / wide(variance.add_scalar(EPSILON).sqrt());
        (normal * wide(self.gain.val()) + wide(self.bias.val())).into()
    }
}
