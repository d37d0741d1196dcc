//! A classifier: patches or tokens, backbone, readout.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::backbone::Backbone;
use crate::embed::{Embedding, EmbeddingSizes, ImageShape, PatchEmbedding};
use crate::head::{Pooling, Readout};
use crate::{Builder, Context, ModelConfig, ModelError};

/// What a classifier reads.
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

/// A model from images or tokens to classes. Where it has the parts of a language model, their paths are the same, so that
/// it can start from one.
#[derive(Module, Debug)]
pub struct Classifier {
    embedding: Input,
    backbone: Backbone,
    readout: Readout,
}

/// What turns inputs into vectors.
#[derive(Module, Debug)]
enum Input {
    Patches(PatchEmbedding),
    Tokens(Embedding),
}

impl Classifier {
    pub(crate) fn new(
        config: &ModelConfig,
        input: ClassifierInput,
        classes: usize,
        builder: &Builder,
    ) -> Result<Self, ModelError> {
        let path = builder.child("embedding");
        let embedding = match input {
            ClassifierInput::Images(image) => {
                let token = config.readout.pooling == Pooling::ClassToken;
                Input::Patches(PatchEmbedding::new(config, image.channels, token, &path))
            }
            ClassifierInput::Tokens { vocabulary } => {
                let sizes = EmbeddingSizes::of(config, vocabulary);
                Input::Tokens(Embedding::new(&config.embedding, sizes, &path))
            }
        };
        Ok(Classifier {
            embedding,
            backbone: Backbone::new(config, config.stack(), None, &builder.child("backbone"))?,
            readout: config.readout.init(config.width, classes, &builder.child("readout")),
        })
    }

    /// Vectors `[batch, n, width]` of images `[batch, height, width, channels]`.
    ///
    /// # Panics
    /// If the model reads tokens.
    pub fn embed_images(&self, images: Tensor<4>, context: &Context) -> Tensor<3> {
        match &self.embedding {
            Input::Patches(patches) => patches.forward(images, context),
            Input::Tokens(_) => panic!("this classifier reads tokens, not images"),
        }
    }

    /// Vectors `[batch, n, width]` of token ids `[batch, n]`.
    ///
    /// # Panics
    /// If the model reads images.
    pub fn embed_tokens(&self, tokens: Tensor<2, Int>, context: &Context) -> Tensor<3> {
        match &self.embedding {
            Input::Tokens(embedding) => embedding.forward(tokens, context),
            Input::Patches(_) => panic!("this classifier reads images, not tokens"),
        }
    }

    /// The blocks.
    pub fn backbone(&self) -> &Backbone {
        &self.backbone
    }

    /// From final hidden vectors to one vector and its logits.
    pub fn readout(&self) -> &Readout {
        &self.readout
    }

    /// Logits `[batch, classes]` of embedded inputs `[batch, n, width]`.
    pub fn logits(&self, embedded: Tensor<3>, context: &Context) -> Tensor<2> {
        let hidden = self.backbone.forward(embedded, context);
        self.readout.logits(self.readout.pooled(hidden, context.mask.padding.as_ref()))
    }
}
