//! From inputs to vectors: token embedding or image patches, optional absolute positions, optional norm.

mod input;
mod patch;

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};
use mixlab_kernels::{Activation, dropout, embedding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::position::{Position, PositionConfig};
use crate::{Builder, Context, Linear, ModelError, Norm, NormConfig, Role};

pub use input::ClassifierInput;
pub(crate) use input::Input;
pub(crate) use patch::patches;
pub use patch::{ImageShape, PatchConfig, PatchEmbedding};

/// How tokens become vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EmbeddingConfig {
    /// Factor on the embedded token before positions are added; sqrt(width) in the original Transformer.
    pub scale: f64,
    /// Whether a norm of the model's kind follows the embedding, before its dropout.
    pub norm: bool,
    /// Rows of a token type embedding, as BERT and FNet have one. Tokens are of type 0, those of a text that is decoded
    /// of type 1. 0: none.
    pub types: usize,
    /// Whether a dense map with bias follows the norm, as in FNet.
    pub projection: bool,
}

impl Default for EmbeddingConfig {
    fn default() -> Self {
        EmbeddingConfig { scale: 1.0, norm: false, types: 0, projection: false }
    }
}

impl EmbeddingConfig {
    /// # Errors
    /// The scale is zero or not finite, or there are more than 1024 types.
    pub fn validate(&self) -> Result<(), ModelError> {
        if self.types > 1024 {
            return Err(ModelError::out_of_range("model.embedding.types", self.types, "0 to 1024"));
        }
        if self.scale != 0.0 && self.scale.is_finite() {
            return Ok(());
        }
        Err(ModelError::out_of_range("model.embedding.scale", self.scale, "a finite number other than 0"))
    }
}

/// Sizes and settings the embedding shares with the model around it.
pub(crate) struct EmbeddingSizes<'a> {
    pub vocabulary: usize,
    pub width: usize,
    pub max_length: usize,
    pub position: &'a PositionConfig,
    pub norm: &'a NormConfig,
    pub dropout: f64,
}

impl<'a> EmbeddingSizes<'a> {
    pub fn of(config: &'a crate::ModelConfig, vocabulary: usize) -> Self {
        EmbeddingSizes {
            vocabulary,
            width: config.width,
            max_length: config.max_length,
            position: &config.position,
            norm: &config.norm,
            dropout: config.dropout.embedding,
        }
    }
}

/// Token embedding with absolute positions.
#[derive(Module, Debug)]
pub struct Embedding {
    /// One row a token, `[vocabulary, width]`.
    token: Param<Tensor<2>>,
    /// One row a token type, `[types, width]`.
    types: Option<Param<Tensor<2>>>,
    position: Option<Position>,
    norm: Option<Norm>,
    projection: Option<Linear>,
    #[module(skip)]
    scale: f64,
    #[module(skip)]
    dropout: f64,
    #[module(skip)]
    site: String,
}

impl Embedding {
    pub(crate) fn new(config: &EmbeddingConfig, sizes: EmbeddingSizes<'_>, builder: &Builder) -> Self {
        let EmbeddingSizes { vocabulary, width, max_length, position, norm, dropout } = sizes;
        Embedding {
            token: builder.matrix("token", [vocabulary, width], Role::Embedding),
            types: (config.types > 0)
                .then(|| builder.matrix("types", [config.types, width], Role::Embedding)),
            position: position.init(width, max_length, &builder.child("position")),
            norm: config.norm.then(|| norm.init(width, &builder.child("norm"))),
            projection: config
                .projection
                .then(|| Linear::new([width, width], Role::Input, true, &builder.child("projection"))),
            scale: config.scale,
            dropout,
            site: builder.path().to_owned(),
        }
    }

    /// Ids `[batch, n]` of the first type to vectors `[batch, n, width]`.
    pub fn forward(&self, tokens: Tensor<2, Int>, context: &Context) -> Tensor<3> {
        self.forward_as(tokens, 0, context)
    }

    /// The same of tokens of type `kind`, or of the last type if there are fewer.
    pub fn forward_as(&self, tokens: Tensor<2, Int>, kind: usize, context: &Context) -> Tensor<3> {
        let mut x = embedding(self.token.val(), tokens);
        if self.scale != 1.0 {
            x = x.mul_scalar(self.scale);
        }
        if let Some(types) = &self.types {
            let types = types.val();
            let row = kind.min(types.dims()[0] - 1);
            x = x + types.narrow(0, row, 1).unsqueeze();
        }
        if let Some(position) = &self.position {
            x = position.add(x, context.start);
        }
        if let Some(norm) = &self.norm {
            x = norm.forward(x);
        }
        if let Some(projection) = &self.projection {
            x = projection.forward(x, Activation::Identity);
        }
        match context.dropout(self.dropout, &self.site) {
            Some(noise) => dropout(x, &noise),
            None => x,
        }
    }

    /// The token matrix `[vocabulary, width]`, for a tied output projection.
    pub fn weight(&self) -> Tensor<2> {
        self.token.val()
    }
}
