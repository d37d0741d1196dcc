//! What models of whole sequences read: images or tokens.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

use super::{Embedding, EmbeddingSizes, ImageShape, PatchEmbedding};
use crate::{Builder, Context, ModelConfig};

/// What a classifier or an embedding model reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ClassifierInput {
    /// Images of one shape.
    Images(ImageShape),
    /// Token ids.
    Tokens {
        /// Number of different ids.
        vocabulary: usize,
    },
}

/// What turns inputs into vectors.
#[derive(Module, Debug)]
pub(crate) enum Input {
    Patches(PatchEmbedding),
    Tokens(Embedding),
}

impl Input {
    /// With `class_token` a learned vector stands before the patches of an image.
    pub fn new(config: &ModelConfig, input: ClassifierInput, class_token: bool, builder: &Builder) -> Self {
        match input {
            ClassifierInput::Images(image) => {
                Input::Patches(PatchEmbedding::new(config, image.channels, class_token, builder))
            }
            ClassifierInput::Tokens { vocabulary } => {
                let sizes = EmbeddingSizes::of(config, vocabulary);
                Input::Tokens(Embedding::new(&config.embedding, sizes, builder))
            }
        }
    }

    /// Vectors `[batch, n, width]` of images `[batch, height, width, channels]`.
    ///
    /// # Panics
    /// If the model reads tokens.
    pub fn images(&self, images: Tensor<4>, context: &Context) -> Tensor<3> {
        match self {
            Input::Patches(patches) => patches.forward(images, context),
            Input::Tokens(_) => panic!("this model reads tokens, not images"),
        }
    }

    /// Vectors `[batch, n, width]` of token ids `[batch, n]`.
    ///
    /// # Panics
    /// If the model reads images.
    pub fn tokens(&self, tokens: Tensor<2, Int>, context: &Context) -> Tensor<3> {
        match self {
            Input::Tokens(embedding) => embedding.forward(tokens, context),
            Input::Patches(_) => panic!("this model reads images, not tokens"),
        }
    }
}
