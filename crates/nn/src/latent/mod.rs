//! One stack that is encoder and decoder of a text, with a latent at each of its upper layers.
//!
//! ```text
//! encoder   x = [CLS] c₁ … c_m [SEP]         sees all of itself
//! decoder   y = [CLS] c₁ … c_m               sees its past, and in the upper layers one thing more: the latent
//! latent    before an upper layer l          z_l from W_in·x₀,   then x₀ ← W_out·z_l
//! ```
//!
//! The first vector of the encoder is *replaced* by what the latent says, without a residual: everything that the decoder can know
//! of the text has gone through the latents. A latent depends on those below it. In one sequence this is a mask: two
//! halves of one stack, and a first column that all may see in the upper layers. Here the halves are run one after the
//! other, and the decoder's upper layers get the latent as a row in front, at position 0; the text stands from position n on, so that
//! where it begins does not tell how long it is. Source: Su, "UniVAE", 2021 (kexue.fm 8475).

mod model;
mod normalisation;
mod spread;
mod whitening;

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_kernels::Activation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mixer::MixerConfig;
use crate::{Builder, Linear, Mode, ModelConfig, ModelError, Role};

pub use model::{Encoded, TextVae};
pub use spread::Moments;
use spread::Spread;

/// Latents of the upper layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LatentConfig {
    /// Number of layers with a latent, counted from the last.
    pub layers: usize,
    /// Numbers of a latent.
    pub width: usize,
    /// Whether the means of the texts of a batch are spread over all axes alike before they become directions.
    pub whitening: bool,
}

impl Default for LatentConfig {
    fn default() -> Self {
        LatentConfig::new(4, 16)
    }
}

impl LatentConfig {
    /// So many layers with latents of so many numbers, and everything else as it is unless one asks for it.
    pub const fn new(layers: usize, width: usize) -> Self {
        LatentConfig { layers, width, whitening: false }
    }

    /// # Errors
    /// More latents than layers, none at all, or a token mixer whose decoder cannot read a latent at a distance.
    pub fn validate(&self, model: &ModelConfig) -> Result<(), ModelError> {
        let most = model.blocks();
        if !(1..=most).contains(&self.layers) {
            let expected = format!("1 to {most}, the number of layers");
            return Err(ModelError::out_of_range("objective.latent.layers", self.layers, expected));
        }
        if !(1..=1 << 12).contains(&self.width) {
            return Err(ModelError::out_of_range("objective.latent.width", self.width, "1 to 4096"));
        }
        for layer in 0..model.blocks() {
            match model.mixer_of(layer) {
                MixerConfig::SoftmaxAttention(_) => {}
                MixerConfig::Gau(unit) if unit.relative_bias.is_none() => {}
                MixerConfig::Gau(_) => {
                    return Err(unsupported(
                        "a gated attention unit with a relative bias",
                        "its bias goes by the number of a row, and a latent stands further away than its row",
                        "set `model.mixer.relative_bias.kind = \"none\"`; the rotation knows the distance",
                    ));
                }
                other => {
                    return Err(unsupported(
                        other.name(),
                        "a decoder has to read one row in front of its past, through a mask",
                        "use `softmax_attention` or `gau`",
                    ));
                }
            }
        }
        model.check_direction(true)?;
        model.check_direction(false)
    }
}

fn unsupported(method: &str, reason: &str, remedy: &str) -> ModelError {
    ModelError::Unsupported {
        method: method.to_owned(),
        purpose: "a variational auto-encoder in one stack",
        reason: reason.to_owned(),
        remedy: remedy.to_owned(),
    }
}

/// What the posterior of a latent is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PosteriorInput {
    /// How many numbers.
    pub numbers: usize,
    /// γ, the deviation over texts to which the first of them, as many as a latent has, are brought, if they are.
    pub mean_scale: Option<f64>,
}

/// What a layer's latent passes through.
#[derive(Module, Debug)]
pub struct Bottleneck {
    /// `[d, numbers]`, of the posterior.
    input: Linear,
    /// Of the means, where they are normalised or whitened.
    normalisation: Option<Spread>,
    /// `[latent, d]`.
    output: Linear,
}

impl Bottleneck {
    fn new(width: usize, posterior: PosteriorInput, latent: &LatentConfig, builder: &Builder) -> Self {
        Bottleneck {
            input: Linear::new([width, posterior.numbers], Role::Input, true, &builder.child("input")),
            normalisation: Spread::new(latent, posterior, &builder.child("normalisation")),
            output: Linear::new([latent.width, width], Role::Input, true, &builder.child("output")),
        }
    }

    /// What the posterior is made of, `[b, numbers]`, from the first vector `[b, 1, d]`, and the moments by which its means were normalised.
    fn read(&self, first: Tensor<3>, mode: Mode) -> (Tensor<2>, Option<Moments>) {
        let made_of: Tensor<2> = self.input.forward(first, Activation::Identity).squeeze_dim(1);
        let Some(normalisation) = &self.normalisation else { return (made_of, None) };
        let (numbers, width) = (made_of.dims()[1], self.output.shape()[0]);
        let (means, moments) = normalisation.forward(made_of.clone().narrow(1, 0, width), mode);
        if numbers == width {
            return (means, moments);
        }
        (Tensor::cat(vec![means, made_of.narrow(1, width, numbers - width)], 1), moments)
    }

    /// The vector `[b, 1, d]` of a latent `[b, latent]`.
    fn write(&self, latent: Tensor<2>) -> Tensor<3> {
        self.output.forward(latent.unsqueeze_dim(1), Activation::Identity)
    }
}
