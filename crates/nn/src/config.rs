//! The whole description of a model.

use burn::tensor::Device;
use mixlab_core::Precision;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::ChannelConfig;
use crate::embed::EmbeddingConfig;
use crate::head::HeadConfig;
use crate::mixer::MixerConfig;
use crate::position::PositionConfig;
use crate::residual::ResidualConfig;
use crate::{Builder, InitialisationConfig, LanguageModel, ModelError, NormConfig, RecomputeConfig};

/// A sequence model: sizes, parts and initialisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelConfig {
    /// Width of the residual stream, d.
    #[serde(default = "default_width")]
    pub width: usize,
    /// Number of blocks; a mixer with `layers_per_block` counts that many layers for each.
    #[serde(default = "default_depth")]
    pub depth: usize,
    /// Longest sequence the model is trained for; positional parameters are made for it.
    #[serde(default = "default_max_length")]
    pub max_length: usize,
    /// The token mixer of every block.
    pub mixer: MixerConfig,
    /// The channel mixer of every block; absent: `mlp`, or `none` for mixers with their own gate (GAU, FLASH).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelConfig>,
    /// The residual scheme.
    #[serde(default)]
    pub residual: ResidualConfig,
    /// The norm used everywhere.
    #[serde(default)]
    pub norm: NormConfig,
    /// Absolute positions added to the embedded tokens.
    #[serde(default)]
    pub position: PositionConfig,
    /// How tokens become vectors.
    #[serde(default)]
    pub embedding: EmbeddingConfig,
    /// The output projection.
    #[serde(default)]
    pub head: HeadConfig,
    /// Dropout rates.
    #[serde(default)]
    pub dropout: DropoutConfig,
    /// How weight matrices are drawn. By default what suits the mixer: `lecun` for units with a gate of their own,
    /// which start almost closed otherwise, `normal` for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initialisation: Option<InitialisationConfig>,
    /// Which activations are kept for the backward pass: `"none"` computes nothing again, `"block"` every block, and
    /// a number k keeps the input of every k-th block only. The gradient is the same bit for bit, an update takes
    /// about a third longer, and memory is least near k = √depth.
    #[serde(default)]
    pub recompute: RecomputeConfig,
    /// A model folder to start from; parameters are taken where path and shape agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_from: Option<String>,
}

/// Dropout rates, each in [0, 1). Dropout inside a mixer is the mixer's own option.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DropoutConfig {
    /// On the embedded tokens.
    pub embedding: f64,
    /// On the output of every sublayer, before it joins the residual stream.
    pub branch: f64,
}

fn default_width() -> usize {
    256
}

fn default_depth() -> usize {
    4
}

fn default_max_length() -> usize {
    256
}

impl ModelConfig {
    /// A model of default sizes around `mixer`.
    pub fn new(mixer: MixerConfig) -> Self {
        ModelConfig {
            width: default_width(),
            depth: default_depth(),
            max_length: default_max_length(),
            mixer,
            channel: None,
            residual: ResidualConfig::default(),
            norm: NormConfig::default(),
            position: PositionConfig::default(),
            embedding: EmbeddingConfig::default(),
            head: HeadConfig::default(),
            dropout: DropoutConfig::default(),
            initialisation: None,
            recompute: RecomputeConfig::default(),
            init_from: None,
        }
    }

    /// The channel mixer: the configured one, or the one that suits the token mixer.
    pub fn channel(&self) -> ChannelConfig {
        match &self.channel {
            Some(channel) => channel.clone(),
            None if self.mixer.has_own_gate() => ChannelConfig::None,
            None => ChannelConfig::default(),
        }
    }

    /// Number of token-mixing layers.
    pub fn blocks(&self) -> usize {
        self.depth * self.mixer.layers_per_block()
    }

    /// How weight matrices are drawn: as configured, or as suits the token mixer.
    pub fn initialisation(&self) -> InitialisationConfig {
        self.initialisation.clone().unwrap_or_else(|| {
            if self.mixer.has_own_gate() {
                InitialisationConfig::lecun()
            } else {
                InitialisationConfig::normal()
            }
        })
    }

    /// Number of residual sublayers, the L of depth-dependent initialisation.
    pub fn sublayers(&self) -> usize {
        self.blocks() * if self.channel() == ChannelConfig::None { 1 } else { 2 }
    }

    /// Checks every number against its range, and the parts against each other.
    ///
    /// # Errors
    /// The first thing that is wrong, by its dotted key.
    pub fn validate(&self) -> Result<(), ModelError> {
        for (key, value, most) in [
            ("model.width", self.width, 1 << 16),
            ("model.depth", self.depth, 10_000),
            ("model.max_length", self.max_length, 1 << 24),
        ] {
            if value == 0 || value > most {
                return Err(ModelError::out_of_range(key, value, format!("1 to {most}")));
            }
        }
        for (key, rate) in [
            ("model.dropout.embedding", self.dropout.embedding),
            ("model.dropout.branch", self.dropout.branch),
        ] {
            check_rate(key, rate)?;
        }
        self.mixer.validate(self.width, self.max_length)?;
        self.channel().validate()?;
        self.norm.validate()?;
        self.position.validate(self.width)?;
        self.embedding.validate()?;
        self.initialisation().validate()
    }

    /// The longest sequence the model is defined for, if there is one.
    pub fn maximum_length(&self) -> Option<usize> {
        let length = self.max_length;
        [self.mixer.maximum_length(length), self.position.maximum_length(length)].into_iter().flatten().min()
    }

    /// Makes the model; every parameter is a function of (`seed`, its path).
    ///
    /// # Errors
    /// What [`ModelConfig::validate`] finds.
    pub fn build(
        &self,
        vocabulary: usize,
        seed: u64,
        device: &Device,
        precision: Precision,
    ) -> Result<LanguageModel, ModelError> {
        self.validate()?;
        let builder = Builder::new(seed, device, precision, self.initialisation(), self.sublayers());
        let model = LanguageModel::new(self, vocabulary, &builder)?;
        builder.finish()?;
        Ok(model)
    }
}

/// # Errors
/// The rate is outside [0, 1).
pub(crate) fn check_rate(key: &str, rate: f64) -> Result<(), ModelError> {
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    Err(ModelError::out_of_range(key, rate, "at least 0 and below 1"))
}
