//! Token mixers: what carries information from one position to another.
//!
//! Adding one: a file that follows the order of the others, a variant in [`MixerConfig`], [`Mixer`] and
//! [`MixerState`], and an entry in [`MixerConfig::catalogue`]; the compiler names every place left.

mod flash;
mod gated_unit;
mod gau;
mod key_counts;
mod linear_attention;
mod softmax_attention;
mod state;

use burn::module::Module;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Builder, Context, ModelError, Promises};

pub use flash::{ChunkNormaliserConfig, Flash, FlashConfig, FlashState, QuadraticScale};
pub use gated_unit::{AffineInitialisation, GatedUnit};
pub use gau::{GatedAttentionUnit, GauConfig, LaplaceScale, NormaliserConfig};
pub use linear_attention::{LinearAttention, LinearAttentionConfig, LinearAttentionState};
pub use softmax_attention::{SoftmaxAttention, SoftmaxAttentionConfig};
pub use state::{KeyValueCache, MixerState};

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
        ]
    }

    /// The word in a config file.
    pub fn name(&self) -> &'static str {
        match self {
            MixerConfig::SoftmaxAttention(_) => "softmax_attention",
            MixerConfig::LinearAttention(_) => "linear_attention",
            MixerConfig::Gau(_) => "gau",
            MixerConfig::Flash(_) => "flash",
        }
    }

    /// Whether the mixer gates its own channels, so that no channel mixer need follow.
    pub fn has_own_gate(&self) -> bool {
        match self {
            MixerConfig::SoftmaxAttention(_) | MixerConfig::LinearAttention(_) => false,
            MixerConfig::Gau(_) | MixerConfig::Flash(_) => true,
        }
    }

    /// Mixing layers that one unit of `model.depth` stands for.
    pub fn layers_per_block(&self) -> usize {
        match self {
            MixerConfig::SoftmaxAttention(_) | MixerConfig::LinearAttention(_) => 1,
            MixerConfig::Gau(config) => config.layers_per_block,
            MixerConfig::Flash(config) => config.layers_per_block,
        }
    }

    /// Checks every option against its range and against the model around the mixer.
    ///
    /// # Errors
    /// The first option that is wrong, by its dotted key.
    pub fn validate(&self, width: usize, _max_length: usize) -> Result<(), ModelError> {
        match self {
            MixerConfig::SoftmaxAttention(config) => config.validate(width),
            MixerConfig::LinearAttention(config) => config.validate(width),
            MixerConfig::Gau(config) => config.validate(width),
            MixerConfig::Flash(config) => config.validate(width),
        }
    }

    /// Makes the mixer of a model of `width` channels trained for at most `max_length` positions.
    ///
    /// # Errors
    /// What [`MixerConfig::validate`] finds.
    pub fn init(&self, width: usize, max_length: usize, builder: &Builder) -> Result<Mixer, ModelError> {
        self.validate(width, max_length)?;
        Ok(match self {
            MixerConfig::SoftmaxAttention(config) => Mixer::SoftmaxAttention(config.init(width, builder)),
            MixerConfig::LinearAttention(config) => Mixer::LinearAttention(config.init(width, builder)),
            MixerConfig::Gau(config) => Mixer::GatedAttentionUnit(config.init(width, max_length, builder)),
            MixerConfig::Flash(config) => Mixer::Flash(config.init(width, builder)),
        })
    }

    /// What the mixer promises in one direction.
    pub fn promises(&self, causal: bool) -> Promises {
        match self {
            MixerConfig::SoftmaxAttention(config) => config.promises(causal),
            MixerConfig::LinearAttention(config) => config.promises(causal),
            MixerConfig::Gau(config) => config.promises(causal),
            MixerConfig::Flash(config) => config.promises(causal),
        }
    }

    /// The longest sequence the mixer is defined for when made for `max_length`, if there is one.
    pub fn maximum_length(&self, max_length: usize) -> Option<usize> {
        match self {
            MixerConfig::SoftmaxAttention(_) | MixerConfig::LinearAttention(_) | MixerConfig::Flash(_) => {
                None
            }
            MixerConfig::Gau(config) => config.relative_bias.maximum_length(max_length),
        }
    }
}

/// A token mixer: `[batch, n, width]` to the same shape. It is a branch; shortcut and norm are the
/// residual scheme's.
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
}

impl Mixer {
    /// Mixes `x` `[batch, n, width]`. Rows at padded positions are unspecified.
    ///
    /// # Panics
    /// If the sequence is longer than [`MixerConfig::maximum_length`] allows.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        match self {
            Mixer::SoftmaxAttention(mixer) => mixer.forward(x, context),
            Mixer::LinearAttention(mixer) => mixer.forward(x, context),
            Mixer::GatedAttentionUnit(mixer) => mixer.forward(x, context),
            Mixer::Flash(mixer) => mixer.forward(x, context),
        }
    }

    /// An empty state for `batch` sequences that are continued piece by piece.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if earlier outputs depend on the final length, so that no state can
    /// reproduce the full pass.
    pub fn state(&self, batch: usize) -> Result<MixerState, ModelError> {
        Ok(match self {
            Mixer::SoftmaxAttention(_) => MixerState::Attention(KeyValueCache::default()),
            Mixer::LinearAttention(mixer) => MixerState::Linear(mixer.state(batch)),
            Mixer::GatedAttentionUnit(mixer) => MixerState::Gated(mixer.state()?),
            Mixer::Flash(mixer) => MixerState::Flash(mixer.state(batch)),
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
            (
                Mixer::SoftmaxAttention(_)
                | Mixer::LinearAttention(_)
                | Mixer::GatedAttentionUnit(_)
                | Mixer::Flash(_),
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
        }
    }
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
