//! The initialisation scheme of a model: which distribution each weight matrix is drawn from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::residual::BranchInitialisation;
use crate::{Initialiser, ModelError};

/// What a weight matrix does, as far as its initial scale is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads vectors without deciding on the size of a branch: queries, keys, bounded gates, filters, patches.
    Input,
    /// Makes what a branch carries: values, hidden layers, unbounded gates.
    Value {
        /// Matrices that are multiplied on the way through the branch, this one included: 2 of an attention layer or an
        /// MLP, 3 of a gated unit.
        factors: usize,
    },
    /// The last of them, which writes the branch back to the residual stream.
    Output {
        /// As of [`Role::Value`].
        factors: usize,
    },
    /// Token embedding, which may also be the output projection.
    Embedding,
}

/// How weight matrices are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InitialisationConfig {
    /// Normal with one deviation everywhere, branch outputs divided by sqrt(sublayers) (GPT-2). Branches start small
    /// beside the embedding, which suits attention and almost closes gated units.
    Normal {
        /// Standard deviation.
        #[serde(default = "default_deviation")]
        deviation: f64,
        /// Divide the deviation of matrices that write to the residual stream by sqrt(number of sublayers).
        #[serde(default = "yes")]
        scale_outputs: bool,
    },
    /// Normal with variance 1/fan_in, branch outputs divided by sqrt(sublayers): what gated units need.
    Lecun {
        /// Standard deviation of the token embedding.
        #[serde(default = "default_deviation")]
        embedding_deviation: f64,
        /// Divide the deviation of matrices that write to the residual stream by sqrt(number of sublayers).
        #[serde(default = "yes")]
        scale_outputs: bool,
    },
    /// Glorot uniform, as the Transformer's authors and most frameworks use.
    Xavier {
        /// Standard deviation of the token embedding.
        #[serde(default = "default_deviation")]
        embedding_deviation: f64,
    },
    /// The GAU-alpha recipe: normal cut at ±2 deviations with effective deviation L^(−1/3)/sqrt(h),
    /// where L is the number of layers and h the input width (the model width for the embedding).
    GauAlpha,
}

fn default_deviation() -> f64 {
    0.02
}

fn yes() -> bool {
    true
}

impl InitialisationConfig {
    /// [`InitialisationConfig::Normal`] with its defaults.
    pub fn normal() -> Self {
        InitialisationConfig::Normal { deviation: default_deviation(), scale_outputs: yes() }
    }

    /// [`InitialisationConfig::Lecun`] with its defaults.
    pub fn lecun() -> Self {
        InitialisationConfig::Lecun { embedding_deviation: default_deviation(), scale_outputs: yes() }
    }

    /// The distribution of a `[fan_in, fan_out]` matrix in a model of `depth` residual sublayers.
    /// For [`Role::Embedding`] the shape is `[vocabulary, width]`.
    pub fn matrix(&self, role: Role, fan_in: usize, fan_out: usize, depth: usize) -> Initialiser {
        let shrink = |on: bool| {
            if on && matches!(role, Role::Output { .. }) { (depth.max(1) as f64).powf(-0.5) } else { 1.0 }
        };
        match *self {
            InitialisationConfig::Normal { deviation, scale_outputs } => {
                Initialiser::Normal { deviation: deviation * shrink(scale_outputs) }
            }
            InitialisationConfig::Lecun { embedding_deviation, scale_outputs } => match role {
                Role::Embedding => Initialiser::Normal { deviation: embedding_deviation },
                Role::Input | Role::Value { .. } | Role::Output { .. } => {
                    Initialiser::Normal { deviation: (fan_in as f64).powf(-0.5) * shrink(scale_outputs) }
                }
            },
            InitialisationConfig::Xavier { embedding_deviation } => match role {
                Role::Embedding => Initialiser::Normal { deviation: embedding_deviation },
                Role::Input | Role::Value { .. } | Role::Output { .. } => {
                    Initialiser::xavier_uniform(fan_in, fan_out, 1.0)
                }
            },
            InitialisationConfig::GauAlpha => {
                let width = if role == Role::Embedding { fan_out } else { fan_in };
                let deviation = (depth.max(1) as f64).powf(-1.0 / 3.0) / (width as f64).sqrt();
                Initialiser::TruncatedNormal { deviation }
            }
        }
    }

    /// # Errors
    /// A deviation that is not positive and finite.
    pub fn validate(&self) -> Result<(), ModelError> {
        let (key, deviation) = match *self {
            InitialisationConfig::Normal { deviation, .. } => ("deviation", deviation),
            InitialisationConfig::Lecun { embedding_deviation, .. }
            | InitialisationConfig::Xavier { embedding_deviation } => {
                ("embedding_deviation", embedding_deviation)
            }
            InitialisationConfig::GauAlpha => return Ok(()),
        };
        if deviation > 0.0 && deviation.is_finite() {
            return Ok(());
        }
        Err(ModelError::out_of_range(format!("model.initialisation.{key}"), deviation, "a positive number"))
    }
}

/// What draws the weight matrices of a model: its initialisation, or its residual scheme where that depends on the first
/// values.
#[derive(Clone, Debug, PartialEq)]
pub enum Initialisation {
    /// As configured.
    Config(InitialisationConfig),
    /// As the residual scheme demands.
    Residual(BranchInitialisation),
}

impl Initialisation {
    /// As [`InitialisationConfig::matrix`].
    pub fn matrix(&self, role: Role, fan_in: usize, fan_out: usize, depth: usize) -> Initialiser {
        match self {
            Initialisation::Config(config) => config.matrix(role, fan_in, fan_out, depth),
            Initialisation::Residual(scheme) => scheme.matrix(role, fan_in, fan_out),
        }
    }
}

impl From<InitialisationConfig> for Initialisation {
    fn from(config: InitialisationConfig) -> Self {
        Initialisation::Config(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_branch_outputs_shrink_with_depth() {
        let scheme = InitialisationConfig::Normal { deviation: 0.02, scale_outputs: true };
        assert_eq!(scheme.matrix(Role::Input, 8, 8, 16), Initialiser::Normal { deviation: 0.02 });
        assert_eq!(
            scheme.matrix(Role::Output { factors: 2 }, 8, 8, 16),
            Initialiser::Normal { deviation: 0.005 }
        );
    }

    /// 24 layers and width 768: 24^(−1/3)/sqrt(768) = 0.012510.
    #[test]
    fn gau_alpha_deviation_at_base_size() {
        let Initialiser::TruncatedNormal { deviation } =
            InitialisationConfig::GauAlpha.matrix(Role::Embedding, 12_000, 768, 24)
        else {
            panic!("GAU-alpha draws truncated normals");
        };
        assert!((deviation - 0.012_509_76).abs() < 1e-8, "{deviation}");
    }
}
