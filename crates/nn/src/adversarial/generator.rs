//! Generators: a sample from a latent.

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_kernels::Activation;

use super::Sequential;
use super::batch_norm::BatchMoments;
use super::config::{NetworkConfig, SampleShape, kaiming};
use super::convolution::{Convolution, HALF, POINT, SAME, TransposedConvolution};
use super::critic::DCGAN_DEVIATION;
use super::dense::Dense;
use super::layer::{Layer, activate, after, hidden};
use super::patches::PatchGenerator;
use super::residual::ResidualUp;
use crate::dual::DualActivation;
use crate::{Builder, Initialiser, Mode, ModelConfig, ModelError};

/// A generator of samples from latents, whose class may be given by numbers behind those of the latent. Images end in tanh; points do not,
/// they have no bounds.
#[derive(Module, Debug)]
pub struct Generator {
    network: GeneratorNetwork,
    #[module(skip)]
    latent: usize,
}

#[expect(clippy::large_enum_variant, reason = "a network has few of them, and modules are not boxed")]
#[derive(Module, Debug)]
enum GeneratorNetwork {
    Sequential(Sequential),
    Patches(PatchGenerator),
}

impl Generator {
    /// A generator of samples of this shape from `latent` numbers and one for each of `classes`. `model` describes the blocks of generators
    /// of patches.
    ///
    /// # Errors
    /// What does not fit the shape.
    pub fn new(
        config: &NetworkConfig,
        model: &ModelConfig,
        latent: usize,
        sample: SampleShape,
        classes: usize,
        builder: &Builder,
    ) -> Result<Self, ModelError> {
        config.check_shape("objective.generator", sample)?;
        let (inputs, normalised) = (latent + classes, config.generator_is_normalised());
        let builder = builder.child("network");
        let network = match config {
            NetworkConfig::Mlp { width, depth, activation, .. } => {
                let hidden = hidden(inputs, *width, *depth, (activation.into(), normalised), &builder);
                GeneratorNetwork::Sequential(mlp(hidden, *width, sample, &builder))
            }
            NetworkConfig::Convolution { width, stages, .. } => {
                let network = dcgan(inputs, [*width, *stages], normalised, sample, &builder);
                GeneratorNetwork::Sequential(network)
            }
            NetworkConfig::Residual { width, stages, .. } => {
                let network = residual(inputs, [*width, *stages], normalised, sample, &builder);
                GeneratorNetwork::Sequential(network)
            }
            NetworkConfig::Patches => {
                GeneratorNetwork::Patches(PatchGenerator::new(model, inputs, sample, &builder)?)
            }
        };
        Ok(Generator { network, latent })
    }

    /// Samples `[b, h, w, c]` of latents `[b, latent + classes]`, and the moments of layers that normalise over the batch.
    pub fn forward(&self, latents: Tensor<2>, mode: Mode) -> (Tensor<4>, Vec<BatchMoments>) {
        let mut moments = Vec::new();
        let latents = latents.unsqueeze_dims::<4>(&[1, 2]);
        let samples = match &self.network {
            GeneratorNetwork::Sequential(network) => {
                network.forward(latents.into(), mode, &mut moments).value
            }
            GeneratorNetwork::Patches(network) => network.forward(latents),
        };
        (samples, moments)
    }

    /// Numbers of a latent without those of its class.
    pub fn latent(&self) -> usize {
        self.latent
    }
}

/// Hidden layers and an affine map to all numbers of a sample.
fn mlp(mut layers: Vec<Layer>, width: usize, sample: SampleShape, builder: &Builder) -> Sequential {
    let shape = [sample.height, sample.width, sample.channels];
    let first = Initialiser::lecun_normal(width);
    layers.push(Layer::Dense(Dense::new(width, shape, first, &after(&layers, builder))));
    bounded(layers, sample)
}

/// An affine map to the smallest image, then 4 × 4 with stride 2 to half the channels, and 3 × 3 to pixels.
fn dcgan(
    inputs: usize,
    [width, stages]: [usize; 2],
    normalised: bool,
    sample: SampleShape,
    builder: &Builder,
) -> Sequential {
    let first = Initialiser::Normal { deviation: DCGAN_DEVIATION };
    let smallest = [sample.height >> stages, sample.width >> stages, width << stages];
    let mut layers = Vec::new();
    layers.push(Layer::Dense(Dense::new(inputs, smallest, first, &after(&layers, builder))));
    for stage in (0..=stages).rev() {
        activate(&mut layers, width << stage, (DualActivation::RELU, normalised), builder);
        let next = after(&layers, builder);
        layers.push(match stage {
            0 => Layer::Convolution(Convolution::new([width, sample.channels], SAME, first, &next)),
            _ => {
                let channels = [width << stage, width << (stage - 1)];
                Layer::TransposedConvolution(TransposedConvolution::new(channels, HALF, first, &next))
            }
        });
    }
    bounded(layers, sample)
}

/// An affine map to the smallest image, residual blocks, and 3 × 3 to pixels.
fn residual(
    inputs: usize,
    [width, stages]: [usize; 2],
    normalised: bool,
    sample: SampleShape,
    builder: &Builder,
) -> Sequential {
    let smallest = [sample.height >> stages, sample.width >> stages, width];
    let mut layers = Vec::new();
    layers.push(Layer::Dense(Dense::new(inputs, smallest, kaiming(inputs, POINT), &after(&layers, builder))));
    for _ in 0..stages {
        let block = ResidualUp::new([width, width], normalised, &after(&layers, builder));
        layers.push(Layer::ResidualUp(block));
    }
    activate(&mut layers, width, (DualActivation::RELU, normalised), builder);
    let first = kaiming(width, SAME);
    let pixels = Convolution::new([width, sample.channels], SAME, first, &after(&layers, builder));
    layers.push(Layer::Convolution(pixels));
    bounded(layers, sample)
}

/// Images lie in [−1, 1].
fn bounded(mut layers: Vec<Layer>, sample: SampleShape) -> Sequential {
    if sample.height * sample.width > 1 {
        layers.push(Layer::activation(DualActivation::Other(Activation::Tanh)));
    }
    Sequential::new(layers)
}
