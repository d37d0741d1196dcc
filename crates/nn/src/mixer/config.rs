//! Which token mixer a model uses: one variant a mixer, and what each answers before it is made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ConvolutionConfig, ExternalAttentionConfig, FfOnlyConfig, FlashConfig, FnetConfig, FnetMixing, GauConfig,
    GmlpConfig, Lengths, LinearAttentionConfig, Mixer, MixerCost, MlpMixerConfig, NormaliserConfig,
    ResMlpConfig, SoftmaxAttentionConfig, SynthesizerConfig, SynthesizerScores, TokenWeights,
};
use crate::{Builder, ModelError, Promises};

/// Positions of mixers with a weight for every pair of them: 1 GiB a matrix in single precision.
const MOST_POSITIONS: usize = 1 << 14;

/// Which token mixer a model uses, with its options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MixerConfig {
    /// Softmax attention with several heads, also grouped-query.
    SoftmaxAttention(SoftmaxAttentionConfig),
    /// Linear attention with the feature map elu + 1: constant state, no n×n scores.
    LinearAttention(LinearAttentionConfig),
    /// Gated attention unit (FLASH-Quad): one head inside a gated unit that replaces the channel mixer too.
    Gau(GauConfig),
    /// FLASH: a gated attention unit that is quadratic inside chunks and linear between them.
    Flash(FlashConfig),
    /// MLP-Mixer: an MLP over tokens, the same for every channel. Fixed length, not causal.
    MlpMixer(MlpMixerConfig),
    /// FF-only: a feed-forward layer over tokens behind the channel mixer, with a norm along the tokens. Fixed length,
    /// not causal.
    FfOnly(FfOnlyConfig),
    /// ResMLP: one linear map over tokens. Fixed length.
    ResMlp(ResMlpConfig),
    /// gMLP: a gated unit whose gate is a linear map over tokens; with `attention_width` aMLP. Replaces the channel
    /// mixer too. Fixed length.
    Gmlp(GmlpConfig),
    /// FNet: the real part of a Fourier transform over tokens and channels, or a relative of it. Not causal.
    Fnet(FnetConfig),
    /// External attention: every token meets learned memory slots. Not causal.
    ExternalAttention(ExternalAttentionConfig),
    /// Lightweight, dynamic or dilated convolution behind a gated projection.
    Convolution(ConvolutionConfig),
    /// Synthesizer: softmax attention whose scores do not come from pairs of tokens.
    Synthesizer(SynthesizerConfig),
}

/// Where a mixer stands: the sizes of the model around it and the number of its layer, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Model width, d.
    pub width: usize,
    /// Longest sequence the model is trained for, N.
    pub max_length: usize,
    /// Number of the mixing layer, from 0.
    pub layer: usize,
}

impl MixerConfig {
    /// One configuration of every mixer, with its defaults and, where there is no default, the choice
    /// that keeps most promises.
    pub fn catalogue() -> Vec<MixerConfig> {
        vec![
            MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig::default()),
            MixerConfig::LinearAttention(LinearAttentionConfig::default()),
            MixerConfig::Gau(GauConfig::new(NormaliserConfig::Relu2Len)),
            MixerConfig::Flash(FlashConfig::default()),
            MixerConfig::MlpMixer(MlpMixerConfig::default()),
            MixerConfig::FfOnly(FfOnlyConfig::default()),
            MixerConfig::ResMlp(ResMlpConfig::default()),
            MixerConfig::Gmlp(GmlpConfig::default()),
            MixerConfig::Fnet(FnetConfig::default()),
            MixerConfig::ExternalAttention(ExternalAttentionConfig::default()),
            MixerConfig::Convolution(ConvolutionConfig::default()),
            MixerConfig::Synthesizer(SynthesizerConfig::default()),
        ]
    }

    /// The word in a config file.
    pub fn name(&self) -> &'static str {
        match self {
            MixerConfig::SoftmaxAttention(_) => "softmax_attention",
            MixerConfig::LinearAttention(_) => "linear_attention",
            MixerConfig::Gau(_) => "gau",
            MixerConfig::Flash(_) => "flash",
            MixerConfig::MlpMixer(_) => "mlp_mixer",
            MixerConfig::FfOnly(_) => "ff_only",
            MixerConfig::ResMlp(_) => "res_mlp",
            MixerConfig::Gmlp(_) => "gmlp",
            MixerConfig::Fnet(_) => "fnet",
            MixerConfig::ExternalAttention(_) => "external_attention",
            MixerConfig::Convolution(_) => "convolution",
            MixerConfig::Synthesizer(_) => "synthesizer",
        }
    }

    /// Whether the mixer gates its own channels, so that no channel mixer need follow.
    pub fn has_own_gate(&self) -> bool {
        match self {
            MixerConfig::Gau(_) | MixerConfig::Flash(_) | MixerConfig::Gmlp(_) => true,
            MixerConfig::SoftmaxAttention(_)
            | MixerConfig::LinearAttention(_)
            | MixerConfig::MlpMixer(_)
            | MixerConfig::FfOnly(_)
            | MixerConfig::ResMlp(_)
            | MixerConfig::Fnet(_)
            | MixerConfig::ExternalAttention(_)
            | MixerConfig::Convolution(_)
            | MixerConfig::Synthesizer(_) => false,
        }
    }

    /// Whether the mixer normalises its input itself, so that a pre-norm scheme must not.
    pub fn has_own_norm(&self) -> bool {
        match self {
            MixerConfig::FfOnly(_) => true,
            MixerConfig::SoftmaxAttention(_)
            | MixerConfig::LinearAttention(_)
            | MixerConfig::Gau(_)
            | MixerConfig::Flash(_)
            | MixerConfig::MlpMixer(_)
            | MixerConfig::ResMlp(_)
            | MixerConfig::Gmlp(_)
            | MixerConfig::Fnet(_)
            | MixerConfig::ExternalAttention(_)
            | MixerConfig::Convolution(_)
            | MixerConfig::Synthesizer(_) => false,
        }
    }

    /// Whether the channel mixer of a block comes before the token mixer.
    pub fn follows_channel(&self) -> bool {
        self.has_own_norm()
    }

    /// Whether matrices should start with variance 1/fan_in: units with a gate start almost closed otherwise, and maps
    /// over tokens almost silent.
    pub fn wants_lecun(&self) -> bool {
        match self {
            MixerConfig::Gau(_)
            | MixerConfig::Flash(_)
            | MixerConfig::Gmlp(_)
            | MixerConfig::MlpMixer(_)
            | MixerConfig::FfOnly(_)
            | MixerConfig::ResMlp(_)
            | MixerConfig::Convolution(_) => true,
            MixerConfig::SoftmaxAttention(_)
            | MixerConfig::LinearAttention(_)
            | MixerConfig::Fnet(_)
            | MixerConfig::ExternalAttention(_)
            | MixerConfig::Synthesizer(_) => false,
        }
    }

    /// Mixing layers that one unit of `model.depth` stands for.
    pub fn layers_per_block(&self) -> usize {
        match self {
            MixerConfig::Gau(config) => config.layers_per_block,
            MixerConfig::Flash(config) => config.layers_per_block,
            MixerConfig::Gmlp(config) => config.layers_per_block,
            MixerConfig::SoftmaxAttention(_)
            | MixerConfig::LinearAttention(_)
            | MixerConfig::MlpMixer(_)
            | MixerConfig::FfOnly(_)
            | MixerConfig::ResMlp(_)
            | MixerConfig::Fnet(_)
            | MixerConfig::ExternalAttention(_)
            | MixerConfig::Convolution(_)
            | MixerConfig::Synthesizer(_) => 1,
        }
    }

    /// Checks every option against its range and against the model around the mixer.
    ///
    /// # Errors
    /// The first option that is wrong, by its dotted key.
    pub fn validate(&self, width: usize, max_length: usize) -> Result<(), ModelError> {
        self.validate_pairs(max_length)?;
        match self {
            MixerConfig::SoftmaxAttention(config) => config.validate(width),
            MixerConfig::LinearAttention(config) => config.validate(width),
            MixerConfig::Gau(config) => config.validate(width),
            MixerConfig::Flash(config) => config.validate(width),
            MixerConfig::MlpMixer(config) => config.validate(width),
            MixerConfig::FfOnly(config) => config.validate(max_length),
            MixerConfig::Gmlp(config) => config.validate(width),
            MixerConfig::ExternalAttention(config) => config.validate(width),
            MixerConfig::Convolution(config) => config.validate(width),
            MixerConfig::Synthesizer(config) => config.validate(width),
            MixerConfig::ResMlp(_) | MixerConfig::Fnet(_) => Ok(()),
        }
    }

    /// # Errors
    /// A length for which the weights of all pairs of positions would not fit any machine.
    fn validate_pairs(&self, max_length: usize) -> Result<(), ModelError> {
        let pairs = match self {
            MixerConfig::FfOnly(_) | MixerConfig::ResMlp(_) => true,
            MixerConfig::Gmlp(config) => config.weights == TokenWeights::Dense,
            MixerConfig::Fnet(FnetConfig { mixing }) => {
                matches!(mixing, FnetMixing::Linear { .. } | FnetMixing::Random { .. })
            }
            MixerConfig::Synthesizer(config) => matches!(config.scores, SynthesizerScores::Random { .. }),
            MixerConfig::SoftmaxAttention(_)
            | MixerConfig::LinearAttention(_)
            | MixerConfig::Gau(_)
            | MixerConfig::Flash(_)
            | MixerConfig::MlpMixer(_)
            | MixerConfig::ExternalAttention(_)
            | MixerConfig::Convolution(_) => false,
        };
        if !pairs || max_length <= MOST_POSITIONS {
            return Ok(());
        }
        let expected = format!(
            "at most {MOST_POSITIONS}, as `{}` has a weight for every pair of positions",
            self.name()
        );
        Err(ModelError::out_of_range("model.max_length", max_length, expected))
    }

    /// Whether the mixer can be used in one direction.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] with the reason, for a causal model around a mixer that sees everything.
    pub fn check_direction(&self, causal: bool) -> Result<(), ModelError> {
        match self {
            MixerConfig::MlpMixer(config) => config.check_direction(causal),
            MixerConfig::FfOnly(config) => config.check_direction(causal),
            MixerConfig::ResMlp(config) => config.check_direction(causal),
            MixerConfig::Gmlp(config) => config.check_direction(causal),
            MixerConfig::Fnet(config) => config.check_direction(causal),
            MixerConfig::ExternalAttention(config) => config.check_direction(causal),
            MixerConfig::SoftmaxAttention(_)
            | MixerConfig::LinearAttention(_)
            | MixerConfig::Gau(_)
            | MixerConfig::Flash(_)
            | MixerConfig::Convolution(_)
            | MixerConfig::Synthesizer(_) => Ok(()),
        }
    }

    /// Whether the mixer can be part of a critic, whose loss has its derivative along a direction in it.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`].
    pub fn check_tangent(&self) -> Result<(), ModelError> {
        match self {
            MixerConfig::MlpMixer(_) => Ok(()),
            MixerConfig::Gmlp(config) if config.attention_width.is_none() => Ok(()),
            MixerConfig::Gmlp(_) => {
                Err(ModelError::no_tangent("model.mixer.attention_width", "leave it out"))
            }
            MixerConfig::SoftmaxAttention(_)
            | MixerConfig::LinearAttention(_)
            | MixerConfig::Gau(_)
            | MixerConfig::Flash(_)
            | MixerConfig::FfOnly(_)
            | MixerConfig::ResMlp(_)
            | MixerConfig::Fnet(_)
            | MixerConfig::ExternalAttention(_)
            | MixerConfig::Convolution(_)
            | MixerConfig::Synthesizer(_) => {
                Err(ModelError::no_tangent(self.name(), "choose `mlp_mixer` or `gmlp`"))
            }
        }
    }

    /// Makes the mixer that stands at `place`.
    ///
    /// # Errors
    /// What [`MixerConfig::validate`] finds.
    pub fn init(&self, place: Place, builder: &Builder) -> Result<Mixer, ModelError> {
        let Place { width, max_length, .. } = place;
        self.validate(width, max_length)?;
        Ok(match self {
            MixerConfig::SoftmaxAttention(config) => Mixer::SoftmaxAttention(config.init(width, builder)),
            MixerConfig::LinearAttention(config) => Mixer::LinearAttention(config.init(width, builder)),
            MixerConfig::Gau(config) => Mixer::GatedAttentionUnit(config.init(width, max_length, builder)),
            MixerConfig::Flash(config) => Mixer::Flash(config.init(width, builder)),
            MixerConfig::MlpMixer(config) => Mixer::MlpMixer(config.init(place, builder)),
            MixerConfig::FfOnly(config) => Mixer::FfOnly(config.init(place, builder)),
            MixerConfig::ResMlp(config) => Mixer::ResMlp(config.init(place, builder)),
            MixerConfig::Gmlp(config) => Mixer::Gmlp(config.init(place, builder)),
            MixerConfig::Fnet(config) => Mixer::Fnet(config.init(place, builder)),
            MixerConfig::ExternalAttention(config) => Mixer::ExternalAttention(config.init(place, builder)),
            MixerConfig::Convolution(config) => Mixer::Convolution(config.init(place, builder)),
            MixerConfig::Synthesizer(config) => Mixer::Synthesizer(config.init(place, builder)),
        })
    }

    /// What the mixer promises in one direction.
    pub fn promises(&self, causal: bool) -> Promises {
        match self {
            MixerConfig::SoftmaxAttention(config) => config.promises(causal),
            MixerConfig::LinearAttention(config) => config.promises(causal),
            MixerConfig::Gau(config) => config.promises(causal),
            MixerConfig::Flash(config) => config.promises(causal),
            MixerConfig::MlpMixer(config) => config.promises(),
            MixerConfig::FfOnly(config) => config.promises(),
            MixerConfig::ResMlp(config) => config.promises(causal),
            MixerConfig::Gmlp(config) => config.promises(causal),
            MixerConfig::Fnet(config) => config.promises(),
            MixerConfig::ExternalAttention(config) => config.promises(),
            MixerConfig::Convolution(config) => config.promises(causal),
            MixerConfig::Synthesizer(config) => config.promises(causal),
        }
    }

    /// The lengths the mixer is defined for in one direction, when made for `max_length`.
    pub fn lengths(&self, max_length: usize, causal: bool) -> Lengths {
        match self {
            MixerConfig::Gau(config) => {
                config.relative_bias.maximum_length(max_length).map_or(Lengths::Any, Lengths::AtMost)
            }
            MixerConfig::MlpMixer(MlpMixerConfig { length, .. })
            | MixerConfig::FfOnly(FfOnlyConfig { length, .. })
            | MixerConfig::ResMlp(ResMlpConfig { length }) => length.lengths(max_length, causal),
            MixerConfig::Gmlp(config) => config.lengths(max_length, causal),
            MixerConfig::Fnet(config) => config.lengths(max_length),
            MixerConfig::Synthesizer(config) => config.lengths(max_length),
            MixerConfig::SoftmaxAttention(_)
            | MixerConfig::LinearAttention(_)
            | MixerConfig::Flash(_)
            | MixerConfig::ExternalAttention(_)
            | MixerConfig::Convolution(_) => Lengths::Any,
        }
    }

    /// What one layer at `place` computes for a sequence of `length`, forward.
    pub fn cost(&self, place: Place, length: usize, causal: bool) -> MixerCost {
        match self {
            MixerConfig::SoftmaxAttention(config) => config.cost(place, length, causal),
            MixerConfig::LinearAttention(config) => config.cost(place, length),
            MixerConfig::Gau(config) => config.cost(place, length, causal),
            MixerConfig::Flash(config) => config.cost(place, length, causal),
            MixerConfig::MlpMixer(config) => config.cost(place, length),
            MixerConfig::FfOnly(config) => config.cost(place, length),
            MixerConfig::ResMlp(config) => config.cost(place, length, causal),
            MixerConfig::Gmlp(config) => config.cost(place, length, causal),
            MixerConfig::Fnet(config) => config.cost(place, length),
            MixerConfig::ExternalAttention(config) => config.cost(place, length),
            MixerConfig::Convolution(config) => config.cost(place, length),
            MixerConfig::Synthesizer(config) => config.cost(place, length, causal),
        }
    }
}
