//! From token ids to vectors: token embedding, optional absolute positions, optional norm.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};
use mixlab_kernels::{dropout, embedding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::position::{Position, PositionConfig};
use crate::{Builder, Context, ModelError, Norm, NormConfig, Role};

/// How tokens become vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EmbeddingConfig {
    /// Factor on the embedded token before positions are added; sqrt(width) in the original Transformer.
    pub scale: f64,
    /// Whether a norm of the model's kind follows the embedding, before its dropout.
    pub norm: bool,
}

impl Default for EmbeddingConfig {
    fn default() -> Self {
        EmbeddingConfig { scale: 1.0, norm: false }
    }
}

impl EmbeddingConfig {
    /// # Errors
    /// The scale is zero or not finite.
    pub fn validate(&self) -> Result<(), ModelError> {
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

/// Token embedding with absolute positions.
#[derive(Module, Debug)]
pub struct Embedding {
    /// One row a token, `[vocabulary, width]`.
    token: Param<Tensor<2>>,
    position: Option<Position>,
    norm: Option<Norm>,
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
            position: position.init(width, max_length, &builder.child("position")),
            norm: config.norm.then(|| norm.init(width, &builder.child("norm"))),
            scale: config.scale,
            dropout,
            site: builder.path().to_owned(),
        }
    }

    /// Ids `[batch, n]` to vectors `[batch, n, width]`.
    pub fn forward(&self, tokens: Tensor<2, Int>, context: &Context) -> Tensor<3> {
        let mut x = embedding(self.token.val(), tokens);
        if self.scale != 1.0 {
            x = x.mul_scalar(self.scale);
        }
        if let Some(position) = &self.position {
            x = position.add(x, context.start);
        }
        if let Some(norm) = &self.norm {
            x = norm.forward(x);
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
