//! The architecture of BERT and its relatives as a model of this program, and the way back.
//!
//! Sources: Devlin et al., "BERT", 2019, section 3; Liu et al., "RoBERTa", 2019; Sanh et al., "DistilBERT", 2019. All are post-norm
//! encoders with softmax attention, biases everywhere and a norm behind the embedding.

use std::path::Path;

use mixlab_nn::channel::{ActivationConfig, ChannelConfig};
use mixlab_nn::embed::EmbeddingConfig;
use mixlab_nn::mixer::{MixerConfig, SoftmaxAttentionConfig};
use mixlab_nn::position::{PositionConfig, RotaryConfig};
use mixlab_nn::residual::ResidualConfig;
use mixlab_nn::{DropoutConfig, ModelConfig, NormConfig};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::storage;

/// Relatives of BERT that differ in names and in where positions begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Bert,
    /// Positions begin behind that of the padding token.
    Roberta,
    /// No token types.
    DistilBert,
}

/// What `config.json` of a BERT-like model says, by BERT's names.
#[derive(Deserialize)]
struct Foreign {
    #[serde(alias = "dim")]
    hidden_size: usize,
    #[serde(alias = "n_layers")]
    num_hidden_layers: usize,
    #[serde(alias = "n_heads")]
    num_attention_heads: usize,
    #[serde(alias = "hidden_dim")]
    intermediate_size: usize,
    #[serde(alias = "activation")]
    hidden_act: String,
    max_position_embeddings: usize,
    vocab_size: usize,
    #[serde(default)]
    type_vocab_size: usize,
    layer_norm_eps: Option<f64>,
    #[serde(alias = "dropout", default)]
    hidden_dropout_prob: f64,
    #[serde(alias = "attention_dropout", default)]
    attention_probs_dropout_prob: f64,
    position_embedding_type: Option<String>,
    pad_token_id: Option<usize>,
    #[serde(default)]
    sinusoidal_pos_embds: bool,
    #[serde(default)]
    is_decoder: bool,
}

/// A model as its folder describes it.
pub(super) struct Architecture {
    pub family: Family,
    pub model: ModelConfig,
    /// Rows of the token embedding in the file.
    pub vocabulary: usize,
    /// Rows of the position embedding that belong to no position.
    pub skipped_positions: usize,
}

/// ε of DistilBERT, whose `config.json` does not say it.
const EPSILON: f64 = 1e-12;

impl Architecture {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// [`TrainError::Read`], [`TrainError::Damaged`], or [`TrainError::Foreign`] of a model that is built otherwise.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let bytes = storage::read(path)?;
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(TrainError::damaged(path))?;
        let kind = value.get("model_type").and_then(|kind| kind.as_str()).unwrap_or("none").to_owned();
        let family = match kind.as_str() {
            "bert" => Family::Bert,
            "roberta" | "xlm-roberta" | "camembert" => Family::Roberta,
            "distilbert" => Family::DistilBert,
            _ => {
                return Err(foreign(
                    path,
                    format!("its `model_type` is {kind}, which is not built like BERT"),
                ));
            }
        };
        let found: Foreign = serde_json::from_value(value).map_err(TrainError::damaged(path))?;
        found.refuse_variants(path)?;
        let skipped_positions = match family {
            Family::Roberta => found.pad_token_id.unwrap_or(1) + 1,
            Family::Bert | Family::DistilBert => 0,
        };
        if skipped_positions >= found.max_position_embeddings {
            return Err(TrainError::damaged(path)("`max_position_embeddings` leaves no position"));
        }
        let model = found.model(family, skipped_positions, path)?;
        model.validate()?;
        Ok(Architecture { family, model, vocabulary: found.vocab_size, skipped_positions })
    }
}

impl Foreign {
    /// Refuses what changes the numbers and has no counterpart here.
    fn refuse_variants(&self, path: &Path) -> Result<(), TrainError> {
        match self.position_embedding_type.as_deref() {
            None | Some("absolute") => {}
            Some(other) => return Err(foreign(path, format!("its positions are {other}, not absolute"))),
        }
        if self.sinusoidal_pos_embds {
            return Err(foreign(path, "its positions are sines and cosines, not learned".into()));
        }
        if self.is_decoder {
            return Err(foreign(path, "it is a decoder, which sees one side only".into()));
        }
        Ok(())
    }

    fn model(&self, family: Family, skipped: usize, path: &Path) -> Result<ModelConfig, TrainError> {
        let activation = match self.hidden_act.as_str() {
            "gelu" => ActivationConfig::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => ActivationConfig::GeluTanh,
            "relu" => ActivationConfig::Relu,
            "silu" | "swish" => ActivationConfig::Silu,
            other => return Err(foreign(path, format!("its activation is {other}"))),
        };
        let (width, hidden) = (self.hidden_size, self.intermediate_size);
        if width == 0 || self.num_attention_heads == 0 {
            return Err(TrainError::damaged(path)("a width or a number of heads is 0"));
        }
        let mixer = MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig {
            heads: self.num_attention_heads,
            qkv_bias: true,
            output_bias: true,
            rotary: RotaryConfig::none(),
            attention_dropout: self.attention_probs_dropout_prob,
            ..SoftmaxAttentionConfig::default()
        });
        let channel = |expansion| ChannelConfig::Mlp { expansion, activation, bias: true };
        // The quotient is rounded; its product with the width must not be.
        let quotient = hidden as f64 / width as f64;
        let exact = [quotient, quotient.next_up(), quotient.next_down()]
            .into_iter()
            .map(channel)
            .find(|channel| channel.hidden(width) == hidden)
            .ok_or_else(|| {
                foreign(path, format!("a hidden width of {hidden} does not fit a width of {width}"))
            })?;
        let types = if family == Family::DistilBert { 0 } else { self.type_vocab_size };
        Ok(ModelConfig {
            width,
            depth: self.num_hidden_layers,
            max_length: self.max_position_embeddings - skipped,
            channel: Some(exact),
            residual: ResidualConfig::PostNorm,
            norm: NormConfig::LayerNorm { epsilon: self.layer_norm_eps.unwrap_or(EPSILON) },
            position: PositionConfig::Learned { deviation: 0.02 },
            embedding: EmbeddingConfig { norm: true, types, ..EmbeddingConfig::default() },
            dropout: DropoutConfig {
                embedding: self.hidden_dropout_prob,
                branch: self.hidden_dropout_prob,
                ..DropoutConfig::default()
            },
            ..ModelConfig::new(mixer)
        })
    }
}

/// `config.json` of a model that is written as a BERT.
#[derive(Debug, Serialize)]
pub(super) struct Bert {
    architectures: [&'static str; 1],
    model_type: &'static str,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: &'static str,
    max_position_embeddings: usize,
    vocab_size: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    hidden_dropout_prob: f64,
    attention_probs_dropout_prob: f64,
    initializer_range: f64,
    pad_token_id: u32,
    position_embedding_type: &'static str,
}

impl Bert {
    /// The same architecture by BERT's names, or what of it BERT does not have.
    pub fn of(model: &ModelConfig, vocabulary: usize, padding: u32) -> Result<Self, String> {
        let MixerConfig::SoftmaxAttention(attention) = &model.mixer else {
            return Err(format!("its mixer is `{}`, BERT's is `softmax_attention`", model.mixer.name()));
        };
        let ChannelConfig::Mlp { activation, bias: true, .. } = model.channel_of(0) else {
            return Err("its channel mixer is not an `mlp` with biases".into());
        };
        let hidden_act = match activation {
            ActivationConfig::Gelu => "gelu",
            ActivationConfig::GeluTanh => "gelu_new",
            ActivationConfig::Relu => "relu",
            ActivationConfig::Silu => "silu",
            ActivationConfig::SquaredRelu | ActivationConfig::Sigmoid | ActivationConfig::Identity => {
                return Err("its activation is one that BERT's code does not know".into());
            }
        };
        let NormConfig::LayerNorm { epsilon } = model.norm else {
            return Err("its norm is not `layer_norm`".into());
        };
        let demands = [
            (model.residual == ResidualConfig::PostNorm, "its residual scheme is not `post_norm`"),
            (model.hybrid.is_none() && model.encoder.is_none(), "it has more than one kind of block"),
            (matches!(model.position, PositionConfig::Learned { .. }), "its positions are not `learned`"),
            (model.embedding.norm, "no norm follows its embedding"),
            (
                !model.embedding.projection && model.embedding.scale == 1.0,
                "its embedding is scaled or projected",
            ),
            (attention.qkv_bias && attention.output_bias, "its attention has no biases"),
            (attention.rotary.is_none(), "its attention rotates queries and keys"),
            (
                attention.kv_heads.is_none_or(|heads| heads == attention.heads),
                "its heads share keys and values",
            ),
        ];
        if let Some((_, reason)) = demands.iter().find(|(met, _)| !met) {
            return Err((*reason).into());
        }
        Ok(Bert {
            architectures: ["BertModel"],
            model_type: "bert",
            hidden_size: model.width,
            num_hidden_layers: model.depth,
            num_attention_heads: attention.heads,
            intermediate_size: model.channel_of(0).hidden(model.width),
            hidden_act,
            max_position_embeddings: model.max_length,
            vocab_size: vocabulary,
            // BERT always has types; one of zeros changes nothing.
            type_vocab_size: model.embedding.types.max(1),
            layer_norm_eps: epsilon,
            hidden_dropout_prob: model.dropout.branch,
            attention_probs_dropout_prob: attention.attention_dropout,
            initializer_range: 0.02,
            pad_token_id: padding,
            position_embedding_type: "absolute",
        })
    }
}

/// A model that cannot be read, because it is built otherwise.
pub(super) fn foreign(path: &Path, reason: String) -> TrainError {
    TrainError::Foreign {
        path: path.to_owned(),
        reason,
        remedy: "models of the types bert, roberta, xlm-roberta, camembert and distilbert with learned positions can be read".into(),
    }
}
