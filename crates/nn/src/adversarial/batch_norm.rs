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
use mixlab_kernels::{BatchNormed, affine, batch_norm};

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
        if mode == Mode::Eval {
            let gain = self.gain.val() / self.variance.val().add_scalar(EPSILON).sqrt();
            let away = affine(x, None, Some(self.mean.val().neg()));
            return affine(away, Some(gain), Some(self.bias.val())).into();
        }
        let [batch, height, width, _] = x.dims();
        let BatchNormed { value, mean, variance } = batch_norm(x, self.gain.val(), self.bias.val(), EPSILON);
        // The running variance is the unbiased one, as everywhere.
        let count = batch * height * width;
        let unbiased = count as f64 / (count.max(2) - 1) as f64;
        let mix =
            |old: Tensor<1>, new: Tensor<1>| old.detach().mul_scalar(1.0 - NEWEST) + new.mul_scalar(NEWEST);
        moments.push(BatchMoments {
            path: self.path.clone(),
            running: [mix(self.mean.val(), mean), mix(self.variance.val(), variance.mul_scalar(unbiased))],
        });
        value.into()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};
    use mixlab_core::{Key, Precision};

    use super::*;
    use crate::InitialisationConfig;

    const SHAPE: [usize; 4] = [3, 2, 1, 2];

    fn layer(device: &Device) -> BatchNorm {
        let mut layer =
            BatchNorm::new(2, &Builder::new(1, device, Precision::F64, InitialisationConfig::lecun(), 1));
        layer.gain = layer.gain.map(|gain| gain * vector(&[1.5, -0.5], device));
        layer.bias = layer.bias.map(|bias| bias + vector(&[0.25, 2.0], device));
        layer
    }

    fn vector(values: &[f64], device: &Device) -> Tensor<1> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), (device, DType::F64))
    }

    fn input(device: &Device) -> Tensor<4> {
        let values: Vec<f64> = Key::root(3).sample(0).normals().take(12).map(|x| 3.0 * x + 1.0).collect();
        vector(&values, device).reshape(SHAPE)
    }

    fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
        x.into_data().iter().collect()
    }

    /// Channel by channel in plain numbers: mean, variance, and what comes out with the gain and bias of `layer`.
    fn defined(x: &[f64]) -> ([f64; 2], [f64; 2], Vec<f64>) {
        let (mut means, mut variances, mut y) = ([0.0; 2], [0.0; 2], vec![0.0; x.len()]);
        for channel in 0..2 {
            let of_channel: Vec<f64> = x[channel..].iter().step_by(2).copied().collect();
            let count = of_channel.len() as f64;
            let mean = of_channel.iter().sum::<f64>() / count;
            let variance = of_channel.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
            let ([gain, bias], out) =
                ([[1.5, 0.25], [-0.5, 2.0]][channel], y[channel..].iter_mut().step_by(2));
            for (out, x) in out.zip(&of_channel) {
                *out = gain * (x - mean) / (variance + EPSILON).sqrt() + bias;
            }
            (means[channel], variances[channel]) = (mean, variance);
        }
        (means, variances, y)
    }

    fn assert_close(found: &[f64], expected: &[f64], within: f64) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < within, "{found} for {expected}");
        }
    }

    #[test]
    fn a_batch_is_normalised_by_its_own_moments_and_they_are_remembered() {
        let device = Device::flex();
        let (layer, x) = (layer(&device), input(&device));
        let (means, variances, y) = defined(&numbers(x.clone()));
        let mut moments = Vec::new();
        let found = layer.forward(x.clone().into(), Mode::Train, &mut moments).value;
        assert_close(&numbers(found), &y, 1e-12);
        let [BatchMoments { running: [mean, variance], .. }] = moments.as_slice() else {
            panic!("one layer")
        };
        assert_close(&numbers(mean.clone()), &means.map(|mean| 0.1 * mean), 1e-12);
        // Six numbers a channel: the unbiased variance is 6/5 of the other.
        assert_close(&numbers(variance.clone()), &variances.map(|v| 0.9 + 0.1 * 1.2 * v), 1e-12);
        // Outside of training by what is remembered: mean 0 and variance 1 at first.
        let found = layer.forward(x.clone().into(), Mode::Eval, &mut moments).value;
        let root = (1.0 + EPSILON).sqrt();
        let rows = numbers(x);
        let expected = rows.chunks(2).flat_map(|x| [1.5 * x[0] / root + 0.25, -0.5 * x[1] / root + 2.0]);
        assert_close(&numbers(found), &expected.collect::<Vec<_>>(), 1e-12);
        assert_eq!(moments.len(), 1);
    }

    #[test]
    fn gradients_go_through_the_moments() {
        let device = Device::flex();
        let tracked = device.clone().autodiff();
        let weigh = |y: &[f64]| y.iter().zip(1..).map(|(y, i)| y * f64::from(i % 5) * y).sum::<f64>();
        let x = numbers(input(&device));
        let leaf = input(&tracked).require_grad();
        let y = layer(&tracked).forward(leaf.clone().into(), Mode::Train, &mut Vec::new()).value;
        let weights: Vec<f64> = (1..=12).map(|i| f64::from(i % 5)).collect();
        let mut gradients = (y.clone() * y * vector(&weights, &tracked).reshape(SHAPE)).sum().backward();
        let found = numbers(leaf.grad_remove(&mut gradients).expect("a gradient"));
        for (index, found) in found.into_iter().enumerate() {
            let moved = |step: f64| {
                let mut x = x.clone();
                x[index] += step;
                weigh(&defined(&x).2)
            };
            let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((found - expected).abs() < 1e-7 * (1.0 + expected.abs()), "{found} for {expected}");
        }
    }
}
