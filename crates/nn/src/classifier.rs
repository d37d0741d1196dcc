//! A classifier: patches or tokens, backbone, readout.

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use crate::backbone::Backbone;
use crate::embed::Input;
use crate::head::{Pooling, Readout};
use crate::{Builder, ClassifierInput, Context, ModelConfig, ModelError};

/// A model from images or tokens to classes. Where it has the parts of a language model, their paths are the same, so that
/// it can start from one.
#[derive(Module, Debug)]
pub struct Classifier {
    embedding: Input,
    backbone: Backbone,
    readout: Readout,
}

impl Classifier {
    pub(crate) fn new(
        config: &ModelConfig,
        input: ClassifierInput,
        classes: usize,
        builder: &Builder,
    ) -> Result<Self, ModelError> {
        Ok(Classifier {
            embedding: Input::new(
                config,
                input,
                config.readout.pooling == Pooling::ClassToken,
                &builder.child("embedding"),
            ),
            backbone: Backbone::new(config, config.stack(), None, &builder.child("backbone"))?,
            readout: config.readout.init(config.width, classes, &builder.child("readout")),
        })
    }

    /// Vectors `[batch, n, width]` of images `[batch, height, width, channels]`.
    ///
    /// # Panics
    /// If the model reads tokens.
    pub fn embed_images(&self, images: Tensor<4>, context: &Context) -> Tensor<3> {
        self.embedding.images(images, context)
    }

    /// Vectors `[batch, n, width]` of token ids `[batch, n]`.
    ///
    /// # Panics
    /// If the model reads images.
    pub fn embed_tokens(&self, tokens: Tensor<2, Int>, context: &Context) -> Tensor<3> {
        self.embedding.tokens(tokens, context)
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
