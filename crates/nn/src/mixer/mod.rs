//! Token mixers: what carries information from one position to another.
//!
//! Adding one: a file that follows the order of the others, a variant in [`MixerConfig`], [`Mixer`] and
//! [`MixerState`], and an entry in [`MixerConfig::catalogue`]; the compiler names every place left.

mod config;
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

use crate::dual::Dual;
use crate::{Context, ModelError, Promises};

pub use config::{MixerConfig, Place};
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

    /// Mixes duals of `model.max_length` rows, in no direction and without padding.
    ///
    /// # Panics
    /// If the mixer has no tangent; [`MixerConfig::check_tangent`] tells.
    pub fn forward_dual(&self, x: Dual<3>) -> Dual<3> {
        match self {
            Mixer::MlpMixer(mixer) => mixer.forward_dual(x),
            Mixer::Gmlp(mixer) => mixer.forward_dual(x),
            Mixer::SoftmaxAttention(_)
            | Mixer::LinearAttention(_)
            | Mixer::GatedAttentionUnit(_)
            | Mixer::Flash(_)
            | Mixer::FfOnly(_)
            | Mixer::ResMlp(_)
            | Mixer::Fnet(_)
            | Mixer::ExternalAttention(_)
            | Mixer::Convolution(_)
            | Mixer::Synthesizer(_) => panic!("this mixer has no tangent"),
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
        let positions = context.positions();
        match (self, state) {
            (Mixer::SoftmaxAttention(mixer), MixerState::Attention(state)) => mixer.step(x, state, positions),
            (Mixer::LinearAttention(mixer), MixerState::Linear(state)) => mixer.step(x, state, positions),
            (Mixer::GatedAttentionUnit(mixer), MixerState::Gated(state)) => mixer.step(x, state, positions),
            (Mixer::Flash(mixer), MixerState::Flash(state)) => mixer.step(x, state, positions),
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
pub(crate) fn check_divides(
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
