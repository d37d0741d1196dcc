//! Token mixers: what carries information from one position to another.
//!
//! Adding one: a file that follows the order of the others, a variant in [`MixerConfig`], [`Mixer`] and
//! [`MixerState`], and an entry in [`MixerConfig::catalogue`]; the compiler names every place left.

mod convolution;
mod cost;
mod documents;
mod external_attention;
mod ff_only;
mod flash;
mod fnet;
mod gated_mlp;
mod gated_unit;
mod gau;
mod key_counts;
mod lengths;
mod linear_attention;
mod mlp_mixer;
mod res_mlp;
mod softmax_attention;
mod state;
mod synthesizer;
mod token_matrix;
mod token_mlp;

use burn::module::Module;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Builder, Context, ModelError, Promises};

pub use convolution::{ChannelGroups, Convolution, ConvolutionConfig, ConvolutionState, Filters};
pub use cost::MixerCost;
pub use external_attention::{ExternalAttention, ExternalAttentionConfig, ExternalNormalisation};
pub use ff_only::{FfOnly, FfOnlyConfig};
pub use flash::{ChunkNormaliserConfig, Flash, FlashConfig, FlashState, QuadraticScale};
pub use fnet::{Fnet, FnetConfig, FnetMixing, FourierSpan, FourierTransform};
pub use gated_mlp::{Gmlp, GmlpConfig, GmlpState};
pub use gated_unit::{AffineInitialisation, GatedUnit};
pub use gau::{GatedAttentionUnit, GauConfig, LaplaceScale, NormaliserConfig};
pub use lengths::{LengthPolicy, Lengths};
pub use linear_attention::{LinearAttention, LinearAttentionConfig, LinearAttentionState};
pub use mlp_mixer::{MlpMixer, MlpMixerConfig};
pub use res_mlp::{ResMlp, ResMlpConfig};
pub use softmax_attention::{SoftmaxAttention, SoftmaxAttentionConfig};
pub use state::{KeyValueCache, MixerState, RowCache};
pub use synthesizer::{Synthesizer, SynthesizerConfig, SynthesizerMixture, SynthesizerScores};
pub use token_matrix::{TokenMatrix, TokenWeights};
pub use token_mlp::TokenMlp;

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

/// A token mixer: `[batch, n, width]` to the same shape. It is a branch; shortcut and norm are the
/// residual scheme's.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one a layer, and the engine's modules do not go into boxes"
)]
#[derive(Module, Debug)]
pub enum Mixer {
    /// Softmax attention.
    SoftmaxAttention(SoftmaxAttention),
    /// Linear attention.
    LinearAttention(LinearAttention),
    /// Gated attention unit.
    GatedAttentionUnit(GatedAttentionUnit),
    /// Mixed chunk attention in a gated unit.
    Flash(Flash),
    /// An MLP over tokens.
    MlpMixer(MlpMixer),
    /// A feed-forward layer over tokens.
    FfOnly(FfOnly),
    /// One linear map over tokens.
    ResMlp(ResMlp),
    /// A gated unit whose gate mixes tokens.
    Gmlp(Gmlp),
    /// A Fourier transform over tokens and channels.
    Fnet(Fnet),
    /// Attention to learned slots.
    ExternalAttention(ExternalAttention),
    /// A depthwise convolution with shared filters.
    Convolution(Convolution),
    /// Softmax over synthesized scores.
    Synthesizer(Synthesizer),
}

impl Mixer {
    /// Mixes `x` `[batch, n, width]`. Rows at padded positions are unspecified.
    ///
    /// # Panics
    /// If [`MixerConfig::lengths`] does not allow the length, or [`MixerConfig::check_direction`] the direction.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        match self {
            Mixer::SoftmaxAttention(mixer) => mixer.forward(x, context),
            Mixer::LinearAttention(mixer) => mixer.forward(x, context),
            Mixer::GatedAttentionUnit(mixer) => mixer.forward(x, context),
            Mixer::Flash(mixer) => mixer.forward(x, context),
            Mixer::MlpMixer(mixer) => mixer.forward(x, context),
            Mixer::FfOnly(mixer) => mixer.forward(x, context),
            Mixer::ResMlp(mixer) => mixer.forward(x, context),
            Mixer::Gmlp(mixer) => mixer.forward(x, context),
            Mixer::Fnet(mixer) => mixer.forward(x, context),
            Mixer::ExternalAttention(mixer) => mixer.forward(x, context),
            Mixer::Convolution(mixer) => mixer.forward(x, context),
            Mixer::Synthesizer(mixer) => mixer.forward(x, context),
        }
    }

    /// An empty state for `batch` sequences that are continued piece by piece.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if earlier outputs depend on later tokens or on the final length, so that no state
    /// can reproduce the full pass.
    pub fn state(&self, batch: usize) -> Result<MixerState, ModelError> {
        Ok(match self {
            Mixer::SoftmaxAttention(_) => MixerState::Attention(KeyValueCache::default()),
            Mixer::LinearAttention(mixer) => MixerState::Linear(mixer.state(batch)),
            Mixer::GatedAttentionUnit(mixer) => MixerState::Gated(mixer.state()?),
            Mixer::Flash(mixer) => MixerState::Flash(mixer.state(batch)),
            Mixer::ResMlp(mixer) => {
                mixer.config().check_direction(true)?;
                MixerState::Rows(RowCache::default())
            }
            Mixer::Gmlp(mixer) => {
                mixer.config().check_direction(true)?;
                MixerState::Gmlp(Box::default())
            }
            Mixer::Convolution(_) => MixerState::Convolution(ConvolutionState::default()),
            Mixer::Synthesizer(_) => MixerState::Attention(KeyValueCache::default()),
            Mixer::Fnet(mixer) => {
                mixer.config().check_direction(true)?;
                MixerState::None { position: 0 }
            }
            Mixer::ExternalAttention(mixer) => {
                mixer.config().check_direction(true)?;
                MixerState::None { position: 0 }
            }
            Mixer::MlpMixer(mixer) => {
                mixer.config().check_direction(true)?;
                unreachable!("MLP-Mixer has no causal form")
            }
            Mixer::FfOnly(mixer) => {
                mixer.config().check_direction(true)?;
                unreachable!("FF-only has no causal form")
            }
        })
    }

    /// Mixes the next positions `x` `[batch, k, width]`, any k, of sequences of which `state` remembers the
    /// earlier ones: what the causal full pass gives at these positions, without noise and masks.
    ///
    /// # Panics
    /// If the state is another mixer's, if `context.start` is not the number of positions it has seen, or
    /// if the context holds a mask: every row continues one unpadded sequence.
    pub fn step(&self, x: Tensor<3>, state: &mut MixerState, context: &Context) -> Tensor<3> {
        assert!(
            context.mask.padding.is_none() && context.mask.segments.is_none(),
            "a streaming step takes whole sequences, without masks"
        );
        assert_eq!(state.position(), context.start, "the state must have seen every earlier position");
        match (self, state) {
            (Mixer::SoftmaxAttention(mixer), MixerState::Attention(state)) => mixer.step(x, state),
            (Mixer::LinearAttention(mixer), MixerState::Linear(state)) => mixer.step(x, state),
            (Mixer::GatedAttentionUnit(mixer), MixerState::Gated(state)) => mixer.step(x, state),
            (Mixer::Flash(mixer), MixerState::Flash(state)) => mixer.step(x, state),
            (Mixer::ResMlp(mixer), MixerState::Rows(state)) => mixer.step(x, state),
            (Mixer::Gmlp(mixer), MixerState::Gmlp(state)) => mixer.step(x, state),
            (Mixer::Convolution(mixer), MixerState::Convolution(state)) => mixer.step(x, state),
            (Mixer::Synthesizer(mixer), MixerState::Attention(state)) => mixer.step(x, state),
            (Mixer::Fnet(_) | Mixer::ExternalAttention(_), MixerState::None { position }) => {
                *position += x.dims()[1];
                self.forward(x, context)
            }
            (
                Mixer::SoftmaxAttention(_)
                | Mixer::LinearAttention(_)
                | Mixer::GatedAttentionUnit(_)
                | Mixer::Flash(_)
                | Mixer::MlpMixer(_)
                | Mixer::FfOnly(_)
                | Mixer::ResMlp(_)
                | Mixer::Gmlp(_)
                | Mixer::Fnet(_)
                | Mixer::ExternalAttention(_)
                | Mixer::Convolution(_)
                | Mixer::Synthesizer(_),
                _,
            ) => panic!("the state was made by another mixer"),
        }
    }

    /// What the mixer promises in one direction.
    pub fn promises(&self, causal: bool) -> Promises {
        match self {
            Mixer::SoftmaxAttention(mixer) => mixer.config().promises(causal),
            Mixer::LinearAttention(mixer) => mixer.config().promises(causal),
            Mixer::GatedAttentionUnit(mixer) => mixer.config().promises(causal),
            Mixer::Flash(mixer) => mixer.config().promises(causal),
            Mixer::MlpMixer(mixer) => mixer.config().promises(),
            Mixer::FfOnly(mixer) => mixer.config().promises(),
            Mixer::ResMlp(mixer) => mixer.config().promises(causal),
            Mixer::Gmlp(mixer) => mixer.config().promises(causal),
            Mixer::Fnet(mixer) => mixer.config().promises(),
            Mixer::ExternalAttention(mixer) => mixer.config().promises(),
            Mixer::Convolution(mixer) => mixer.config().promises(causal),
            Mixer::Synthesizer(mixer) => mixer.config().promises(causal),
        }
    }
}

/// # Errors
/// The direction is causal and the method sees everything, for the reason given.
fn refuse_causal(method: &str, causal: bool, reason: &str) -> Result<(), ModelError> {
    if !causal {
        return Ok(());
    }
    Err(ModelError::Unsupported {
        method: method.to_owned(),
        purpose: "a causal model",
        reason: format!("{reason}, later ones too"),
        remedy: "train it with `objective.kind = \"masked_lm\"` or `\"classification\"`, or choose a mixer that can be \
                 causal (`mixlab blocks list`)"
            .to_owned(),
    })
}

/// # Errors
/// The divisor is zero or leaves a remainder.
fn check_divides(
    (divisor_key, divisor): (&str, usize),
    (dividend_key, dividend): (&str, usize),
) -> Result<(), ModelError> {
    if divisor == 0 {
        return Err(ModelError::out_of_range(divisor_key, divisor, "at least 1"));
    }
    if dividend.is_multiple_of(divisor) {
        return Ok(());
    }
    Err(ModelError::NotDivisible {
        divisor_key: divisor_key.to_owned(),
        divisor,
        dividend_key: dividend_key.to_owned(),
        dividend,
    })
}

#[cfg(test)]
mod tests;
