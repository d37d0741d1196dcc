//! An embedding model: from a sequence to one vector of unit length, whose scalar products are similarities.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};
use mixlab_kernels::Activation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backbone::Backbone;
use crate::embed::Input;
use crate::head::pooling;
use crate::{Builder, ClassifierInput, Context, Initialiser, Linear, ModelConfig, ModelError, Role};

/// Which vector stands for a sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmbeddingPooling {
    /// The mean of all real positions.
    #[default]
    Mean,
    /// The greatest value of every channel.
    Max,
    /// The first position: for images a learned vector in front of the patches, for text the token that begins it.
    ClassToken,
    /// The mean of all real positions of what the first block starts from and of what the last one puts out.
    FirstLast,
    /// A mean whose weights are the softmax of the positions' products with a learned vector.
    Attention,
}

/// How embedding models read their backbone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EmbedderConfig {
    /// Which vector stands for the sequence.
    pub pooling: EmbeddingPooling,
    /// Width of the embedding, by a map without bias behind the pooling; absent: that of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// Whether embeddings have unit length, so that scalar products are cosines.
    pub normalised: bool,
}

impl Default for EmbedderConfig {
    fn default() -> Self {
        EmbedderConfig { pooling: EmbeddingPooling::default(), width: None, normalised: true }
    }
}

impl EmbedderConfig {
    /// # Errors
    /// A width of 0 or beyond 65,536.
    pub fn validate(&self) -> Result<(), ModelError> {
        match self.width {
            Some(width) if width == 0 || width > 1 << 16 => {
                Err(ModelError::out_of_range("model.embedder.width", width, "1 to 65536"))
            }
            _ => Ok(()),
        }
    }
}

/// Shortest length that a vector is divided by.
const SHORTEST: f64 = 1e-12;

/// A model from images or tokens to embeddings. Where it has the parts of a language model or a classifier, their paths are the
/// same, so that it can start from one.
#[derive(Module, Debug)]
pub struct EmbeddingModel {
    embedding: Input,
    backbone: Backbone,
    /// `[d]`, of attention pooling.
    query: Option<Param<Tensor<1>>>,
    /// `[d, width]`.
    projection: Option<Linear>,
    /// `[1]`, log 1/τ where the temperature is learned.
    log_scale: Option<Param<Tensor<1>>>,
    #[module(skip)]
    config: EmbedderConfig,
}

impl EmbeddingModel {
    pub(crate) fn new(
        config: &ModelConfig,
        input: ClassifierInput,
        temperature: Option<f64>,
        builder: &Builder,
    ) -> Result<Self, ModelError> {
        let EmbedderConfig { pooling, width, .. } = config.embedder;
        let class_token = pooling == EmbeddingPooling::ClassToken;
        Ok(EmbeddingModel {
            embedding: Input::new(config, input, class_token, &builder.child("embedding")),
            backbone: Backbone::new(config, config.stack(), None, &builder.child("backbone"))?,
            // Zero: all positions start with equal weights.
            query: (pooling == EmbeddingPooling::Attention)
                .then(|| builder.parameter("query", [config.width], Initialiser::Zeros)),
            projection: width.map(|width| {
                Linear::new([config.width, width], Role::Input, false, &builder.child("projection"))
            }),
            log_scale: temperature.map(|temperature| {
                builder.parameter("log_scale", [1], Initialiser::Constant(-temperature.ln()))
            }),
            config: config.embedder.clone(),
        })
    }

    /// Embeddings `[b, width]` of token ids `[b, n]`.
    ///
    /// # Panics
    /// If the model reads images.
    pub fn embed_tokens(&self, tokens: Tensor<2, Int>, context: &Context) -> Tensor<2> {
        self.embed(self.embedding.tokens(tokens, context), context)
    }

    /// Embeddings `[b, width]` of images `[b, height, width, channels]`.
    ///
    /// # Panics
    /// If the model reads tokens.
    pub fn embed_images(&self, images: Tensor<4>, context: &Context) -> Tensor<2> {
        self.embed(self.embedding.images(images, context), context)
    }

    /// log 1/τ, if the temperature is learned.
    pub fn log_scale(&self) -> Option<Tensor<1>> {
        self.log_scale.as_ref().map(Param::val)
    }

    /// The blocks.
    pub fn backbone(&self) -> &Backbone {
        &self.backbone
    }

    fn embed(&self, x: Tensor<3>, context: &Context) -> Tensor<2> {
        let hidden = self.backbone.forward(x.clone(), context);
        let real = context.mask.padding.as_ref();
        let pooled = match self.config.pooling {
            EmbeddingPooling::Mean => pooling::mean(hidden, real),
            EmbeddingPooling::Max => pooling::max(hidden, real),
            EmbeddingPooling::ClassToken => hidden.narrow(1, 0, 1),
            EmbeddingPooling::FirstLast => (pooling::mean(x, real) + pooling::mean(hidden, real)) / 2.0,
            EmbeddingPooling::Attention => {
                let query = self.query.as_ref().expect("attention pooling has a query").val();
                pooling::attention(hidden, query, real)
            }
        };
        let pooled = match &self.projection {
            Some(projection) => projection.forward(pooled, Activation::Identity),
            None => pooled,
        };
        let embedded: Tensor<2> = pooled.squeeze_dim(1);
        if !self.config.normalised {
            return embedded;
        }
        unit_length(embedded)
    }
}

/// Rows `[n, d]` at unit length; a row of zeros stays.
pub fn unit_length(rows: Tensor<2>) -> Tensor<2> {
    let length = rows.clone().powi_scalar(2).sum_dim(1).sqrt().clamp_min(SHORTEST);
    rows / length
}
