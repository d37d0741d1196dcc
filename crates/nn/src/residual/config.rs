//! Which residual scheme a model uses, and how the scheme draws the matrices of its branches.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Constants, Stack, UpdateKind, gain_of, t_fixup};
use crate::{Initialiser, ModelError, Role};

/// Which residual scheme a model uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ResidualConfig {
    /// x + F(norm(x)); one more norm at the end of the stack.
    #[default]
    PreNorm,
    /// norm(x + F(x)).
    PostNorm,
    /// norm(α·x + F(x)) with α = P^¼ for P sublayers, and branches drawn with gain β = (4P)^−¼: DeepNorm.
    DeepNorm {
        /// Whose constants; `auto` takes those of the model at hand.
        #[serde(default)]
        constants: DeepNormConstants,
    },
    /// norm(α·x + F(x)) with the constants of one optimiser, or with your own.
    ScaledPostNorm {
        /// Constants for the updates of this optimiser.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        update: Option<UpdateKind>,
        /// Factor of the shortcut, without `update`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alpha: Option<f64>,
        /// Gain of the matrices of a branch, without `update`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        beta: Option<f64>,
    },
    /// x + F(norm(x)) with branches drawn for the updates of one optimiser, or with a gain of your own.
    ScaledPreNorm {
        /// Gain for the updates of this optimiser.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        update: Option<UpdateKind>,
        /// Gain of the matrices of a branch, without `update`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        beta: Option<f64>,
    },
    /// x + λ ⊙ F(norm(x)) with a learned factor per channel; one more norm at the end of the stack.
    LayerScale {
        /// First value of λ; absent: by the number of blocks, 0.1 up to 18, 1e-5 up to 24, 1e-6 beyond.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        initial: Option<f64>,
    },
    /// x + a·F(x) with a learned scalar that starts at 0, and no norm at all.
    ReZero,
    /// x + F(x) with branches drawn with gain 0.67·N^−¼ for N blocks, and no norm at all.
    TFixup,
    /// norm(ω ⊙ x + F(x)) with learned factors that start at what earlier branches vary.
    Admin,
    /// x + norm(F(norm(x))); one more norm at the end of the stack.
    SandwichNorm,
}

/// Whose constants DeepNorm takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeepNormConstants {
    /// Those of the model.
    #[default]
    Auto,
    /// Those of an encoder alone.
    EncoderOnly,
    /// Those of a decoder alone, which are the same: (2N)^¼ and (8N)^−¼.
    DecoderOnly,
    /// Those of an encoder and a decoder with cross-attention.
    EncoderDecoder,
}

/// How a residual scheme draws matrices: Xavier's normal distribution with a gain by role.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BranchInitialisation {
    /// Gain of each matrix of a branch that has two.
    pub gain: f64,
    /// Decides on the gain in branches of three.
    pub update: UpdateKind,
    /// What embeddings are multiplied with, beside d^−½.
    pub embedding: f64,
}

impl BranchInitialisation {
    /// The distribution of a `[fan_in, fan_out]` matrix; for [`Role::Embedding`] the shape is `[vocabulary, width]`.
    pub fn matrix(&self, role: Role, fan_in: usize, fan_out: usize) -> Initialiser {
        let gain = match role {
            Role::Embedding => {
                return Initialiser::Normal { deviation: self.embedding * (fan_out as f64).powf(-0.5) };
            }
            Role::Input => 1.0,
            Role::Value { factors } | Role::Output { factors } => gain_of(self.gain, factors, self.update),
        };
        Initialiser::xavier_normal(fan_in, fan_out, gain)
    }
}

impl ResidualConfig {
    /// # Errors
    /// A number that is not finite or not positive; constants by hand beside those of an optimiser, or neither.
    pub fn validate(&self) -> Result<(), ModelError> {
        match *self {
            ResidualConfig::LayerScale { initial: Some(initial) } if !initial.is_finite() => {
                Err(ModelError::out_of_range("model.residual.initial", initial, "a finite number"))
            }
            ResidualConfig::ScaledPostNorm { update, alpha, beta } => {
                self.check_source(update, &[("alpha", alpha), ("beta", beta)])
            }
            ResidualConfig::ScaledPreNorm { update, beta } => self.check_source(update, &[("beta", beta)]),
            ResidualConfig::PreNorm
            | ResidualConfig::PostNorm
            | ResidualConfig::DeepNorm { .. }
            | ResidualConfig::LayerScale { .. }
            | ResidualConfig::ReZero
            | ResidualConfig::TFixup
            | ResidualConfig::Admin
            | ResidualConfig::SandwichNorm => Ok(()),
        }
    }

    /// The constants come either from an optimiser or from the hand.
    fn check_source(
        &self,
        update: Option<UpdateKind>,
        by_hand: &[(&str, Option<f64>)],
    ) -> Result<(), ModelError> {
        for &(name, value) in by_hand {
            let key = format!("model.residual.{name}");
            let refuse = |reason: &str, remedy: String| {
                Err(ModelError::Unsupported {
                    method: self.name().to_owned(),
                    purpose: "these constants",
                    reason: reason.to_owned(),
                    remedy,
                })
            };
            match (update, value) {
                (Some(_), Some(_)) => {
                    return refuse(
                        &format!("`model.residual.update` sets `{key}`, which is also given by hand"),
                        format!("leave out `{key}`, or `model.residual.update`"),
                    );
                }
                (None, None) => {
                    return refuse(
                        &format!("`{key}` is not given, and no `model.residual.update` to take it from"),
                        "set `model.residual.update` to \"sgd\", \"adam\" or \"lamb\", or give the constants by hand"
                            .to_owned(),
                    );
                }
                (None, Some(value)) if !(value > 0.0 && value.is_finite()) => {
                    return Err(ModelError::out_of_range(key, value, "a positive number"));
                }
                (None, Some(_)) | (Some(_), None) => {}
            }
        }
        Ok(())
    }

    /// Name in a config.
    pub fn name(&self) -> &'static str {
        match self {
            ResidualConfig::PreNorm => "pre_norm",
            ResidualConfig::PostNorm => "post_norm",
            ResidualConfig::DeepNorm { .. } => "deep_norm",
            ResidualConfig::ScaledPostNorm { .. } => "scaled_post_norm",
            ResidualConfig::ScaledPreNorm { .. } => "scaled_pre_norm",
            ResidualConfig::LayerScale { .. } => "layer_scale",
            ResidualConfig::ReZero => "re_zero",
            ResidualConfig::TFixup => "t_fixup",
            ResidualConfig::Admin => "admin",
            ResidualConfig::SandwichNorm => "sandwich_norm",
        }
    }

    /// Whether the constants, if any, belong to where the sublayers stand.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`]: constants of two stacks for a model of one, or the other way round.
    pub fn check_stack(&self, stack: Stack) -> Result<(), ModelError> {
        let ResidualConfig::DeepNorm { constants } = *self else { return Ok(()) };
        let one = matches!(stack, Stack::Only { .. });
        let (reason, wanted) = match constants {
            DeepNormConstants::EncoderDecoder if one => (
                "its `encoder_decoder` constants count the sublayers of two stacks, and this model has one",
                "auto",
            ),
            DeepNormConstants::EncoderOnly | DeepNormConstants::DecoderOnly if !one => {
                ("its constants for one stack do not count the other, and this model has two", "auto")
            }
            DeepNormConstants::Auto
            | DeepNormConstants::EncoderOnly
            | DeepNormConstants::DecoderOnly
            | DeepNormConstants::EncoderDecoder => return Ok(()),
        };
        Err(ModelError::Unsupported {
            method: self.name().to_owned(),
            purpose: "this model",
            reason: reason.to_owned(),
            remedy: format!("set `model.residual.constants = \"{wanted}\"`, or leave it out"),
        })
    }

    /// α and β where the scheme has them.
    pub fn constants(&self, stack: Stack) -> Option<Constants> {
        let sublayers = stack.sublayers();
        match *self {
            ResidualConfig::DeepNorm { .. } => Some(Constants::deep_norm(stack)),
            ResidualConfig::ScaledPostNorm { update: Some(update), .. } => {
                Some(Constants::post_norm(update, sublayers))
            }
            ResidualConfig::ScaledPostNorm { update: None, alpha, beta } => {
                Some(Constants { alpha: alpha.unwrap_or(1.0), beta: beta.unwrap_or(1.0) })
            }
            ResidualConfig::ScaledPreNorm { update: Some(update), .. } => {
                Some(Constants::pre_norm(update, sublayers))
            }
            ResidualConfig::ScaledPreNorm { update: None, beta } => {
                Some(Constants { alpha: 1.0, beta: beta.unwrap_or(1.0) })
            }
            ResidualConfig::PreNorm
            | ResidualConfig::PostNorm
            | ResidualConfig::LayerScale { .. }
            | ResidualConfig::ReZero
            | ResidualConfig::TFixup
            | ResidualConfig::Admin
            | ResidualConfig::SandwichNorm => None,
        }
    }

    /// How the scheme draws matrices, if it does.
    pub fn initialisation(&self, stack: Stack) -> Option<BranchInitialisation> {
        let of = |gain| BranchInitialisation { gain, update: self.update(), embedding: 1.0 };
        match self {
            ResidualConfig::TFixup => Some(BranchInitialisation {
                embedding: t_fixup::embedding_gain(stack.sublayers()),
                ..of(t_fixup::branch_gain(stack.sublayers()))
            }),
            _ => self.constants(stack).map(|constants| of(constants.beta)),
        }
    }

    /// Whether the scheme draws matrices by itself.
    pub fn draws(&self) -> bool {
        self.initialisation(Stack::Only { sublayers: 1 }).is_some()
    }

    /// The optimiser the constants are made for.
    fn update(&self) -> UpdateKind {
        match self {
            ResidualConfig::ScaledPostNorm { update: Some(update), .. }
            | ResidualConfig::ScaledPreNorm { update: Some(update), .. } => *update,
            _ => UpdateKind::Sgd,
        }
    }

    /// Whether the stack ends un-normalised and needs a norm of its own.
    pub fn needs_final_norm(&self) -> bool {
        match self {
            ResidualConfig::PreNorm
            | ResidualConfig::ScaledPreNorm { .. }
            | ResidualConfig::LayerScale { .. }
            | ResidualConfig::SandwichNorm => true,
            ResidualConfig::PostNorm
            | ResidualConfig::DeepNorm { .. }
            | ResidualConfig::ScaledPostNorm { .. }
            | ResidualConfig::ReZero
            | ResidualConfig::TFixup
            | ResidualConfig::Admin => false,
        }
    }
}
