//! Networks of token mixers on square patches of an image: MLP-Mixer and gMLP as critics and generators.
//!
//! ```text
//! critic      f(x) = w·mean over patches of backbone(patches(x)·P + p)          + b
//! generator   x    = tanh of the patches that backbone(z·U + u)·Q + q gives
//! ```

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_kernels::Activation;

use super::config::SampleShape;
use super::dense::Dense;
use crate::backbone::Backbone;
use crate::dual::Dual;
use crate::embed::patches;
use crate::{Builder, Context, Initialiser, Linear, ModelConfig, ModelError, Role};

/// A critic on patches.
#[derive(Module, Debug)]
pub struct PatchCritic {
    embedding: Linear,
    backbone: Backbone,
    readout: Linear,
    #[module(skip)]
    side: usize,
}

impl PatchCritic {
    /// A critic of samples of this shape, whose channels include those of the class.
    pub(super) fn new(
        config: &ModelConfig,
        shape: SampleShape,
        builder: &Builder,
    ) -> Result<Self, ModelError> {
        let (side, width) = (config.patch.size, config.width);
        let inputs = side * side * shape.channels;
        let config = &ModelConfig { max_length: config.patch.count(shape.image())?, ..config.clone() };
        Ok(PatchCritic {
            embedding: Linear::new([inputs, width], Role::Input, true, &builder.child("embedding")),
            backbone: Backbone::new(config, config.stack(), None, &builder.child("backbone"))?,
            readout: Linear::new([width, 1], Role::Input, true, &builder.child("readout")),
            side,
        })
    }

    pub(super) fn forward(&self, x: Dual<4>) -> Dual<4> {
        let tokens = self.embedding.forward_dual(x.linear(|x| patches(x, self.side)), Activation::Identity);
        let pooled = self.backbone.forward_dual(tokens).linear(|x| x.mean_dim(1));
        self.readout.forward_dual(pooled, Activation::Identity).linear(|x| x.unsqueeze_dim(1))
    }
}

/// A generator of patches.
#[derive(Module, Debug)]
pub struct PatchGenerator {
    start: Dense,
    backbone: Backbone,
    readout: Linear,
    #[module(skip)]
    shape: SampleShape,
    #[module(skip)]
    side: usize,
}

impl PatchGenerator {
    /// A generator of samples of this shape from latents of `latent` numbers, those of the class included.
    pub(super) fn new(
        config: &ModelConfig,
        latent: usize,
        shape: SampleShape,
        builder: &Builder,
    ) -> Result<Self, ModelError> {
        let (side, width) = (config.patch.size, config.width);
        let tokens = config.patch.count(shape.image())?;
        let config = &ModelConfig { max_length: tokens, ..config.clone() };
        let first = Initialiser::lecun_normal(latent);
        let outputs = side * side * shape.channels;
        Ok(PatchGenerator {
            start: Dense::new(latent, [1, tokens, width], first, &builder.child("start")),
            backbone: Backbone::new(config, config.stack(), None, &builder.child("backbone"))?,
            readout: Linear::new([width, outputs], Role::Input, true, &builder.child("readout")),
            shape,
            side,
        })
    }

    pub(super) fn forward(&self, latents: Tensor<4>) -> Tensor<4> {
        let tokens = self.start.forward(latents.into()).value.squeeze_dim::<3>(1);
        let context = Context::evaluation(tokens.dims()[0], false);
        let patches = self.readout.forward(self.backbone.forward(tokens, &context), Activation::Tanh);
        image(patches, self.shape, self.side)
    }
}

/// The way back from patches to pixels.
fn image(x: Tensor<3>, SampleShape { channels, height, width }: SampleShape, side: usize) -> Tensor<4> {
    let b = x.dims()[0];
    let (rows, columns) = (height / side, width / side);
    let apart: Tensor<5> = x.reshape([b, rows, columns, side, side * channels]);
    apart.swap_dims(2, 3).reshape([b, height, width, channels])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};

    use super::*;

    #[test]
    fn patches_go_there_and_back() {
        let values: Vec<f32> = (0..2 * 3 * 4 * 6).map(|i| i as f32).collect();
        let x = Tensor::<4>::from_data(TensorData::new(values, [2, 4, 6, 3]), (&Device::flex(), DType::F32));
        let cut = patches(x.clone(), 2);
        assert_eq!(cut.dims(), [2, 6, 12]);
        // The second patch begins with the pixels of columns 2 and 3.
        let second: Vec<f32> = cut.clone().slice([0..1, 1..2, 0..7]).into_data().iter().collect();
        assert_eq!(second, [6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 24.0]);
        let shape = SampleShape { channels: 3, height: 4, width: 6 };
        assert_eq!(image(cut, shape, 2).into_data(), x.into_data());
    }
}
