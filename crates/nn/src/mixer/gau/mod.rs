//! Gated attention unit, the layer of FLASH-Quad: `(U ⊙ A·V)·W_o` with one attention head of width s.
//!
//! U, V and the shared Z come from [`GatedUnit`]; A is a function of `S = QKᵀ` chosen by the normaliser.
//! Two units replace an attention layer and its channel mixer. Source: Hua et al., "Transformer quality
//! in linear time", 2022, section 2.2 and appendix.

mod attend;
mod normaliser;

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_kernels::{Mask, Positions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::attend::Attention;
use super::cost::pairs;
use super::gated_unit::{GatedUnitOptions, Projected, check_unit, expanded_width};
use super::{AffineInitialisation, GatedUnit, KeyValueCache, MixerCost, Place};
use crate::config::check_rate;
use crate::position::{RelativeBias, RelativeBiasConfig, RotaryConfig};
use crate::{Builder, Context, ModelError, Promises};

pub use normaliser::{LaplaceScale, NormaliserConfig};

/// Options of a gated attention unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GauConfig {
    /// How scores become attention weights. The sources disagree and the choice decides at which lengths the
    /// model works, so there is no default.
    pub normaliser: NormaliserConfig,
    /// Expanded width e as a multiple of the model width.
    #[serde(default = "default_expansion")]
    pub expansion: f64,
    /// Shared width s of queries and keys.
    #[serde(default = "default_key_width")]
    pub key_width: usize,
    /// Whether the projections have biases.
    #[serde(default)]
    pub bias: bool,
    /// Whether queries and keys have an offset β beside their factor γ.
    #[serde(default = "yes")]
    pub affine_bias: bool,
    /// First values of the factors γ.
    #[serde(default)]
    pub affine: AffineInitialisation,
    /// Rotation of queries and keys.
    #[serde(default)]
    pub rotary: RotaryConfig,
    /// Additive bias by relative position; only for weights that are a function of each score alone.
    #[serde(default)]
    pub relative_bias: RelativeBiasConfig,
    /// Dropout of attention weights, after the normaliser, in [0, 1).
    #[serde(default)]
    pub attention_dropout: f64,
    /// Units that one of `model.depth` stands for; 2 units cost about what an attention layer with its channel
    /// mixer has in parameters.
    #[serde(default = "one")]
    pub layers_per_block: usize,
}

pub(super) fn default_expansion() -> f64 {
    2.0
}

pub(super) fn default_key_width() -> usize {
    128
}

pub(super) fn yes() -> bool {
    true
}

pub(super) fn one() -> usize {
    1
}

impl GauConfig {
    /// Default options with the normaliser given.
    pub fn new(normaliser: NormaliserConfig) -> Self {
        GauConfig {
            normaliser,
            expansion: default_expansion(),
            key_width: default_key_width(),
            bias: false,
            affine_bias: yes(),
            affine: AffineInitialisation::default(),
            rotary: RotaryConfig::default(),
            relative_bias: RelativeBiasConfig::default(),
            attention_dropout: 0.0,
            layers_per_block: one(),
        }
    }

    /// # Errors
    /// A number outside its range, or a relative bias with a softmax normaliser.
    pub fn validate(&self, width: usize) -> Result<(), ModelError> {
        check_unit(self.expansion, width, self.key_width, self.affine, self.layers_per_block)?;
        self.normaliser.validate()?;
        self.rotary.validate(self.key_width)?;
        self.relative_bias.validate()?;
        check_rate("model.mixer.attention_dropout", self.attention_dropout)?;
        if self.normaliser.is_softmax() && !self.relative_bias.is_none() {
            return Err(ModelError::Unsupported {
                method: "gau".to_owned(),
                purpose: "a relative bias with this normaliser",
                reason: format!(
                    "the fused softmax of `{}` adds nothing to the scores",
                    self.normaliser.name()
                ),
                remedy:
                    "set `model.mixer.relative_bias.kind = \"none\"` and use `model.mixer.rotary` for order"
                        .to_owned(),
            });
        }
        Ok(())
    }

    pub(super) fn init(&self, width: usize, max_length: usize, builder: &Builder) -> GatedAttentionUnit {
        let options = GatedUnitOptions {
            width,
            expanded: expanded_width(self.expansion, width),
            key_width: self.key_width,
            heads: 2,
            bias: self.bias,
            affine_bias: self.affine_bias,
            affine: self.affine,
            rotary: self.rotary.init(self.key_width),
        };
        GatedAttentionUnit {
            unit: GatedUnit::new(options, &builder.child("unit")),
            relative_bias: self.relative_bias.init(max_length, &builder.child("relative_bias")),
            site: format!("{}.scores", builder.path()),
            config: self.clone(),
        }
    }

    /// Scores of one head of width s and weighted values of width e a pair, and the projections.
    pub fn cost(&self, place: Place, length: usize, causal: bool) -> MixerCost {
        let (n, d) = (length as u64, place.width as u64);
        let (e, s) = (expanded_width(self.expansion, place.width) as u64, self.key_width as u64);
        MixerCost { projections: n * d * (3 * e + s), mixing: (s + e) * pairs(length, causal), scores: n * n }
    }

    /// What the unit promises in one direction.
    pub fn promises(&self, causal: bool) -> Promises {
        let prefix = causal && self.normaliser.is_length_free() && self.relative_bias.is_length_free();
        let unordered = self.rotary.is_none() && self.relative_bias.is_none();
        Promises {
            causal,
            any_length: self.relative_bias.maximum_length(1).is_none(),
            padding_safe: self.relative_bias.is_length_free(),
            streaming: prefix,
            prefix_consistent: prefix,
            permutation_equivariant: !causal && unordered,
        }
    }
}

/// Gated attention unit: `(U ⊙ A·V)·W_o` with one head, A by the configured normaliser (Hua et al. 2022,
/// section 2.2). Shapes: `[b, n, d]` to the same.
#[derive(Module, Debug)]
pub struct GatedAttentionUnit {
    unit: GatedUnit,
    relative_bias: Option<RelativeBias>,
    #[module(skip)]
    site: String,
    #[module(skip)]
    config: GauConfig,
}

impl GatedAttentionUnit {
    /// Mixes `x` `[b, n, d]`.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        let Projected { gate, value, heads: [query, key] } = self.unit.project(x, context.positions());
        let dropout = context.dropout(self.config.attention_dropout, &self.site);
        let attention = self.attention(context.causal);
        self.unit.finish(attention.attend(query, key, value, &context.mask, dropout), gate)
    }

    /// An empty state.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] for a normaliser or a bias that depends on the final length.
    pub fn state(&self) -> Result<KeyValueCache<3>, ModelError> {
        if self.config.promises(true).streaming {
            return Ok(KeyValueCache::default());
        }
        let (part, remedy) = if self.config.normaliser.is_length_free() {
            ("relative bias", "use `model.mixer.relative_bias.kind = \"toeplitz\"`")
        } else {
            let remedy = "train with one of the normalisers relu2_len, relu2_const, relu2_sqrt, relu2_sum, softmax, \
                 softmax_plus, or laplace with scale \"width\"";
            ("normaliser", remedy)
        };
        Err(ModelError::Unsupported {
            method: "gau".to_owned(),
            purpose: "streaming",
            reason: format!(
                "its {part} (normaliser `{}`) depends on the final length, so every new token changes the earlier outputs",
                self.config.normaliser.name()
            ),
            remedy: remedy.to_owned(),
        })
    }

    /// Mixes the next positions `x` `[b, k, d]` with all that `cache` holds.
    pub fn step(&self, x: Tensor<3>, cache: &mut KeyValueCache<3>, positions: Positions) -> Tensor<3> {
        let Projected { gate, value, heads: [query, key] } = self.unit.project(x, positions);
        let (key, value) = cache.append(key, value);
        self.unit.finish(self.attention(true).attend(query, key, value, &Mask::default(), None), gate)
    }

    /// The options the mixer was made from.
    pub fn config(&self) -> &GauConfig {
        &self.config
    }

    fn attention(&self, causal: bool) -> Attention<'_> {
        Attention {
            normaliser: &self.config.normaliser,
            relative_bias: self.relative_bias.as_ref(),
            key_width: self.config.key_width,
            causal,
        }
    }
}
