//! Critics: one number for every sample.

use burn::module::Module;
use burn::tensor::Tensor;

use super::config::{NetworkConfig, SampleShape};
use super::convolution::{Convolution, HALF, SAME};
use super::dense::Dense;
use super::layer::{Layer, after, hidden};
use super::patches::PatchCritic;
use super::pooling::Pool;
use super::residual::ResidualDown;
use super::{Sequential, Tape};
use crate::dual::{Dual, DualActivation};
use crate::{Builder, Initialiser, Mode, ModelConfig, ModelError};

/// Deviation of the weights of DCGAN.
pub(super) const DCGAN_DEVIATION: f64 = 0.02;

/// A critic f of samples, whose class may be given by channels beside those of the sample. Samples do not touch each other.
#[derive(Module, Debug)]
pub struct Critic {
    network: CriticNetwork,
    #[module(skip)]
    sample: SampleShape,
    #[module(skip)]
    classes: usize,
}

#[expect(clippy::large_enum_variant, reason = "a network has few of them, and modules are not boxed")]
#[derive(Module, Debug)]
pub(super) enum CriticNetwork {
    Sequential(Sequential),
    Patches(PatchCritic),
}

impl Critic {
    /// A critic of samples of this shape with `classes` channels for their class, 0 for none. `model` describes the blocks of critics on
    /// patches.
    ///
    /// # Errors
    /// What does not fit the shape or has no tangent, and normalisation over the batch.
    pub fn new(
        config: &NetworkConfig,
        model: &ModelConfig,
        sample: SampleShape,
        classes: usize,
        builder: &Builder,
    ) -> Result<Self, ModelError> {
        config.check_critic()?;
        config.check_shape("objective.critic", sample)?;
        let shape = SampleShape { channels: sample.channels + classes, ..sample };
        let builder = builder.child("network");
        let network = match config {
            NetworkConfig::Mlp { width, depth, activation, .. } => {
                CriticNetwork::Sequential(mlp(shape.size(), *width, *depth, activation.into(), &builder))
            }
            NetworkConfig::Convolution { width, stages, activation, .. } => {
                CriticNetwork::Sequential(dcgan(shape, *width, *stages, activation.into(), &builder))
            }
            NetworkConfig::Residual { width, stages, activation, pool, .. } => CriticNetwork::Sequential(
                residual(shape, *width, *stages, (activation.into(), (*pool).into()), &builder),
            ),
            NetworkConfig::Patches => {
                model.check_tangent()?;
                CriticNetwork::Patches(PatchCritic::new(model, shape, &builder)?)
            }
        };
        Ok(Critic { network, sample, classes })
    }

    /// f of samples `[b, h, w, c]`, `[b]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<1> {
        self.dual(x.into()).0
    }

    /// f and its derivative along the tangent, each `[b]`.
    ///
    /// # Panics
    /// If no tangent is carried and the derivative is used.
    pub fn dual(&self, x: Dual<4>) -> (Tensor<1>, Option<Tensor<1>>) {
        let y = match &self.network {
            CriticNetwork::Sequential(network) => network.forward(x, Mode::Eval, &mut Vec::new()),
            CriticNetwork::Patches(network) => network.forward(x),
        };
        (y.value.flatten(0, 3), y.tangent.map(|tangent| tangent.flatten(0, 3)))
    }

    /// f with what its gradients need, if it is linear between kinks. The critic is without a graph.
    pub fn trace(&self, x: Tensor<4>) -> Option<(Tensor<1>, Tape)> {
        match &self.network {
            CriticNetwork::Sequential(network) if network.is_piecewise_linear() => {
                let (y, tape) = network.trace(x, "network");
                Some((y.flatten(0, 3), tape))
            }
            CriticNetwork::Sequential(_) | CriticNetwork::Patches(_) => None,
        }
    }

    /// Whether the critic is linear between kinks.
    pub fn is_piecewise_linear(&self) -> bool {
        match &self.network {
            CriticNetwork::Sequential(network) => network.is_piecewise_linear(),
            CriticNetwork::Patches(_) => false,
        }
    }

    /// The shape of a sample without the channels of its class.
    pub fn sample(&self) -> SampleShape {
        self.sample
    }

    /// Channels of the class.
    pub fn classes(&self) -> usize {
        self.classes
    }

    pub(super) fn network(&self) -> &CriticNetwork {
        &self.network
    }
}

/// Hidden layers on all numbers of a sample, and an affine map.
fn mlp(
    inputs: usize,
    width: usize,
    depth: usize,
    activation: DualActivation,
    builder: &Builder,
) -> Sequential {
    let layers = hidden(inputs, width, depth, (activation, false), builder);
    scored(layers, width, Initialiser::lecun_normal(width), builder)
}

/// 3 × 3 at full size, then 4 × 4 with stride 2 to twice the channels, and an affine map of what is left.
fn dcgan(
    shape: SampleShape,
    width: usize,
    stages: usize,
    activation: DualActivation,
    builder: &Builder,
) -> Sequential {
    let first = Initialiser::Normal { deviation: DCGAN_DEVIATION };
    let mut layers = Vec::new();
    for stage in 0..=stages {
        let (channels, window) = match stage {
            0 => ([shape.channels, width], SAME),
            _ => ([width << (stage - 1), width << stage], HALF),
        };
        let convolution = Convolution::new(channels, window, first, &after(&layers, builder));
        layers.push(Layer::Convolution(convolution));
        layers.push(Layer::activation(activation));
    }
    let pixels = (shape.height >> stages) * (shape.width >> stages);
    scored(layers, (width << stages) * pixels, first, builder)
}

/// Residual blocks, the average of all pixels, and an affine map.
fn residual(
    shape: SampleShape,
    width: usize,
    stages: usize,
    (activation, pool): (DualActivation, Pool),
    builder: &Builder,
) -> Sequential {
    let mut layers: Vec<Layer> = (0..stages)
        .map(|stage| {
            let inputs = if stage == 0 { shape.channels } else { width };
            let builder = builder.child(&format!("layers.{stage}"));
            Layer::ResidualDown(ResidualDown::new([inputs, width], (activation, pool), stage > 0, &builder))
        })
        .collect();
    layers.push(Layer::activation(activation));
    layers.push(Layer::pool(Pool::Global));
    scored(layers, width, Initialiser::lecun_normal(width), builder)
}

/// Layers with an affine map of their `inputs` numbers to one after them.
fn scored(mut layers: Vec<Layer>, inputs: usize, first: Initialiser, builder: &Builder) -> Sequential {
    layers.push(Layer::Dense(Dense::new(inputs, [1, 1, 1], first, &after(&layers, builder))));
    Sequential::new(layers)
}
