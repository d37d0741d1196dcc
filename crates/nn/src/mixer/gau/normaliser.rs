//! How the scores `S = QKᵀ` of a gated attention unit become weights: every form in use, by name.
//!
//! n is the number of real tokens of the query's document, ℓ_i the number of keys query i sees, s the key
//! width, B the optional relative bias. Hidden keys get weight 0 in every form.

use mixlab_kernels::ScoreWeight;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// A function from scores to attention weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NormaliserConfig {
    /// relu(S/n + B)²: the FLASH paper's appendix. Weights vanish as n grows; earlier outputs depend on n.
    Relu2Nn,
    /// relu(S/√s + B)²/n, which is relu²(S)/(n·s) without bias. Earlier outputs depend on n.
    Relu2Ns,
    /// relu(S/√s + B)²/ℓ_i: the mean over visible keys.
    Relu2Len,
    /// relu(S/c + B)² with a constant c.
    Relu2Const {
        /// The constant c, the length to be trained at.
        #[serde(default = "default_length")]
        constant: f64,
    },
    /// relu((S + B)/√s)²: no normaliser at all, for a fixed number of tokens.
    Relu2Sqrt,
    /// relu(S/√s + B)² divided by its sum over visible keys; a row without positive scores gives zeros.
    Relu2Sum,
    /// softmax(S/√s).
    Softmax,
    /// softmax(S/√s · ln max(ℓ_i, floor) / ln reference): the entropy-invariant scale of GAU-alpha.
    SoftmaxPlus {
        /// Smallest length the scale is computed for: 16 in bert4keras, 1 for none. Implementations differ, so
        /// there is no default.
        floor: usize,
        /// The length at which the factor is 1.
        #[serde(default = "default_length")]
        reference: f64,
    },
    /// (1 + erf((x − mean)/(deviation·√2)))/2 of x = S·scale + B.
    Laplace {
        /// What the scores are divided by. Implementations differ, so there is no default.
        scale: LaplaceScale,
        /// Mean of the normal distribution function.
        #[serde(default = "default_mean")]
        mean: f64,
        /// Its standard deviation.
        #[serde(default = "default_deviation")]
        deviation: f64,
    },
}

/// What the scores of the Laplace form are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LaplaceScale {
    /// n, as in FLASH-pytorch and Mega; earlier outputs depend on n.
    Length,
    /// √s.
    Width,
}

fn default_length() -> f64 {
    512.0
}

/// sqrt(1/2), the value of Mega: there Laplace and squared relu meet in value and slope at sqrt(2).
fn default_mean() -> f64 {
    std::f64::consts::FRAC_1_SQRT_2
}

/// sqrt(1/(4π)).
fn default_deviation() -> f64 {
    (0.25 / std::f64::consts::PI).sqrt()
}

/// What weighs the scores once they are scaled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Weighing {
    /// A function of each score.
    Score(ScoreWeight),
    /// Squared relu divided by its sum over the row.
    SumOfSquares,
    /// The softmax over the row.
    Softmax,
}

/// The factors of one row: on its scores before they are weighed, on its weights after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RowFactors {
    pub score: f64,
    pub weight: f64,
}

impl NormaliserConfig {
    /// The word in a config file.
    pub fn name(&self) -> &'static str {
        match self {
            NormaliserConfig::Relu2Nn => "relu2_nn",
            NormaliserConfig::Relu2Ns => "relu2_ns",
            NormaliserConfig::Relu2Len => "relu2_len",
            NormaliserConfig::Relu2Const { .. } => "relu2_const",
            NormaliserConfig::Relu2Sqrt => "relu2_sqrt",
            NormaliserConfig::Relu2Sum => "relu2_sum",
            NormaliserConfig::Softmax => "softmax",
            NormaliserConfig::SoftmaxPlus { .. } => "softmax_plus",
            NormaliserConfig::Laplace { .. } => "laplace",
        }
    }

    /// # Errors
    /// A constant, floor, reference length or deviation outside its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        let key = |name: &str| format!("model.mixer.normaliser.{name}");
        match *self {
            NormaliserConfig::Relu2Const { constant } if !(constant > 0.0 && constant.is_finite()) => {
                Err(ModelError::out_of_range(key("constant"), constant, "a positive number"))
            }
            NormaliserConfig::SoftmaxPlus { floor: 0, .. } => {
                Err(ModelError::out_of_range(key("floor"), 0, "at least 1, where 1 means no floor"))
            }
            NormaliserConfig::SoftmaxPlus { reference, .. }
                if !(reference > 1.0 && reference.is_finite()) =>
            {
                Err(ModelError::out_of_range(key("reference"), reference, "a number above 1"))
            }
            NormaliserConfig::Laplace { mean, .. } if !mean.is_finite() => {
                Err(ModelError::out_of_range(key("mean"), mean, "a finite number"))
            }
            NormaliserConfig::Laplace { deviation, .. } if !(deviation > 0.0 && deviation.is_finite()) => {
                Err(ModelError::out_of_range(key("deviation"), deviation, "a positive number"))
            }
            NormaliserConfig::Relu2Nn
            | NormaliserConfig::Relu2Ns
            | NormaliserConfig::Relu2Len
            | NormaliserConfig::Relu2Const { .. }
            | NormaliserConfig::Relu2Sqrt
            | NormaliserConfig::Relu2Sum
            | NormaliserConfig::Softmax
            | NormaliserConfig::SoftmaxPlus { .. }
            | NormaliserConfig::Laplace { .. } => Ok(()),
        }
    }

    /// Whether the weights of a causal row are a function of the keys it sees, and not of the final length.
    pub fn is_length_free(&self) -> bool {
        match self {
            NormaliserConfig::Relu2Nn
            | NormaliserConfig::Relu2Ns
            | NormaliserConfig::Laplace { scale: LaplaceScale::Length, .. } => false,
            NormaliserConfig::Relu2Len
            | NormaliserConfig::Relu2Const { .. }
            | NormaliserConfig::Relu2Sqrt
            | NormaliserConfig::Relu2Sum
            | NormaliserConfig::Softmax
            | NormaliserConfig::SoftmaxPlus { .. }
            | NormaliserConfig::Laplace { scale: LaplaceScale::Width, .. } => true,
        }
    }

    pub(super) fn is_softmax(&self) -> bool {
        self.weighing() == Weighing::Softmax
    }

    pub(super) fn weighing(&self) -> Weighing {
        match *self {
            NormaliserConfig::Relu2Nn
            | NormaliserConfig::Relu2Ns
            | NormaliserConfig::Relu2Len
            | NormaliserConfig::Relu2Const { .. }
            | NormaliserConfig::Relu2Sqrt => Weighing::Score(ScoreWeight::SquaredRelu),
            NormaliserConfig::Relu2Sum => Weighing::SumOfSquares,
            NormaliserConfig::Softmax | NormaliserConfig::SoftmaxPlus { .. } => Weighing::Softmax,
            NormaliserConfig::Laplace { mean, deviation, .. } => {
                Weighing::Score(ScoreWeight::Laplace { mean, deviation })
            }
        }
    }

    /// The factors of a row that sees `visible` keys of a document of `document` real tokens.
    pub(super) fn factors(&self, key_width: usize, document: usize, visible: usize) -> RowFactors {
        // A row that sees nothing has no weights to scale; counting 1 keeps its factors finite.
        let (n, seen) = (document.max(1) as f64, visible.max(1) as f64);
        let width = (key_width as f64).powf(-0.5);
        let only_scores = |score| RowFactors { score, weight: 1.0 };
        match *self {
            NormaliserConfig::Relu2Nn => only_scores(1.0 / n),
            NormaliserConfig::Relu2Ns => RowFactors { score: width, weight: 1.0 / n },
            NormaliserConfig::Relu2Len => RowFactors { score: width, weight: 1.0 / seen },
            NormaliserConfig::Relu2Const { constant } => only_scores(1.0 / constant),
            NormaliserConfig::Relu2Sqrt | NormaliserConfig::Relu2Sum | NormaliserConfig::Softmax => {
                only_scores(width)
            }
            NormaliserConfig::SoftmaxPlus { floor, reference } => {
                only_scores(width * seen.max(floor as f64).ln() / reference.ln())
            }
            NormaliserConfig::Laplace { scale: LaplaceScale::Length, .. } => only_scores(1.0 / n),
            NormaliserConfig::Laplace { scale: LaplaceScale::Width, .. } => only_scores(width),
        }
    }

    /// The factor on the bias: 1 everywhere but where the source divides it together with the scores.
    pub(super) fn bias_factor(&self, key_width: usize) -> f64 {
        match self {
            NormaliserConfig::Relu2Sqrt => (key_width as f64).powf(-0.5),
            NormaliserConfig::Relu2Nn
            | NormaliserConfig::Relu2Ns
            | NormaliserConfig::Relu2Len
            | NormaliserConfig::Relu2Const { .. }
            | NormaliserConfig::Relu2Sum
            | NormaliserConfig::Softmax
            | NormaliserConfig::SoftmaxPlus { .. }
            | NormaliserConfig::Laplace { .. } => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Factors of the entropy-invariant scale at 16, 64, 512 and 2048 keys, and its floor.
    #[test]
    fn golden_factors_of_softmax_plus() {
        let factor = |floor, seen| {
            NormaliserConfig::SoftmaxPlus { floor, reference: 512.0 }.factors(1, 4096, seen).score
        };
        for (seen, expected) in [(16, 0.444), (64, 0.667), (512, 1.0), (2048, 1.222)] {
            assert!((factor(16, seen) - expected).abs() < 5e-4, "{seen}: {}", factor(16, seen));
        }
        assert_eq!(factor(16, 3), factor(16, 16));
        assert!((factor(1, 2) - 0.111).abs() < 5e-4);
        assert_eq!(factor(1, 1), 0.0);
        assert_eq!(factor(1, 0), 0.0, "a row that sees nothing stays finite");
    }

    #[test]
    fn laplace_defaults_are_those_of_mega() {
        assert!((default_mean().powi(2) - 0.5).abs() < 1e-15);
        assert!((default_deviation() - 0.282_095).abs() < 1e-6);
    }

    #[test]
    fn names_are_the_words_of_a_config() {
        for normaliser in [
            NormaliserConfig::Relu2Nn,
            NormaliserConfig::Relu2Const { constant: 512.0 },
            NormaliserConfig::SoftmaxPlus { floor: 16, reference: 512.0 },
            NormaliserConfig::Laplace { scale: LaplaceScale::Width, mean: 0.5, deviation: 0.5 },
        ] {
            let json = serde_json::to_value(normaliser).expect("plain data");
            assert_eq!(json["kind"], normaliser.name());
        }
    }

    #[test]
    fn impossible_parameters_are_refused() {
        let plus = |floor, reference| NormaliserConfig::SoftmaxPlus { floor, reference }.validate();
        assert!(plus(1, 512.0).is_ok());
        assert!(plus(0, 512.0).is_err());
        assert!(plus(16, 1.0).is_err());
        assert!(NormaliserConfig::Relu2Const { constant: 0.0 }.validate().is_err());
        assert!(NormaliserConfig::Relu2Const { constant: f64::NAN }.validate().is_err());
        let scale = LaplaceScale::Length;
        assert!(NormaliserConfig::Laplace { scale, mean: 0.5, deviation: 0.0 }.validate().is_err());
    }
}
