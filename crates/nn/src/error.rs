//! What can be wrong with a model's configuration or its use.

use mixlab_core::{Diagnose, ExitKind};

/// A model that cannot be built, or cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A number outside the range its option allows.
    #[error("`{key}` is {found}, expected {expected}")]
    OutOfRange {
        /// Dotted config key.
        key: String,
        /// What the config holds.
        found: String,
        /// The range in words.
        expected: String,
    },
    /// A count that must divide another one does not.
    #[error("`{divisor_key}` = {divisor} does not divide `{dividend_key}` = {dividend}")]
    NotDivisible {
        /// Dotted key of the divisor.
        divisor_key: String,
        /// The divisor.
        divisor: usize,
        /// Dotted key of the dividend.
        dividend_key: String,
        /// The dividend.
        dividend: usize,
    },
    /// A sequence longer than the model was built for.
    #[error("sequence length {length} exceeds {maximum}, the maximum of the `{part}`")]
    TooLong {
        /// The length that was asked for.
        length: usize,
        /// The longest length the part can take.
        maximum: usize,
        /// Which part has the limit.
        part: &'static str,
    },
    /// A length other than the only one a part is made for.
    #[error("sequence length {length} is not {only}, the only one the `{part}` takes")]
    WrongLength {
        /// The length that was asked for.
        length: usize,
        /// The only length the part can take.
        only: usize,
        /// Which part has the limit.
        part: &'static str,
    },
    /// The mathematics of the configured method does not allow what was asked.
    #[error("`{method}` cannot be used for {purpose}: {reason}")]
    Unsupported {
        /// The method as named in the config.
        method: String,
        /// What was asked of it.
        purpose: &'static str,
        /// Why it cannot be done.
        reason: String,
        /// What to do instead.
        remedy: String,
    },
    /// Two parameters whose paths hash to the same identity.
    #[error("parameters `{first}` and `{second}` have the same identity")]
    IdentityCollision {
        /// Path of the parameter made first.
        first: String,
        /// Path of the parameter made second.
        second: String,
    },
}

impl ModelError {
    /// An [`ModelError::Unsupported`] of a part whose derivative along a direction is not written.
    pub(crate) fn no_tangent(method: &str, remedy: &str) -> Self {
        ModelError::Unsupported {
            method: method.to_owned(),
            purpose: "a critic",
            reason: "its derivative along a direction, which critics need, is not implemented".to_owned(),
            remedy: remedy.to_owned(),
        }
    }

    /// An [`ModelError::OutOfRange`] from anything printable.
    pub fn out_of_range(key: impl Into<String>, found: impl ToString, expected: impl Into<String>) -> Self {
        ModelError::OutOfRange { key: key.into(), found: found.to_string(), expected: expected.into() }
    }
}

impl Diagnose for ModelError {
    fn hint(&self) -> Option<String> {
        match self {
            ModelError::OutOfRange { key, .. } => Some(format!("set `{key}` inside that range")),
            ModelError::NotDivisible { divisor_key, dividend_key, dividend, .. } => {
                let divisors: Vec<String> =
                    (1..=(*dividend).min(64)).filter(|d| dividend % d == 0).map(|d| d.to_string()).collect();
                Some(format!(
                    "choose `{divisor_key}` among {}, or change `{dividend_key}`",
                    divisors.join(", ")
                ))
            }
            ModelError::TooLong { maximum, .. } => {
                Some(format!("use at most {maximum} positions, or train with a larger `model.max_length`"))
            }
            ModelError::WrongLength { length, .. } => Some(format!(
                "train with `model.max_length = {length}`, or choose what becomes of other lengths by \
                 `model.mixer.length` (\"truncate\", \"pad\", \"interpolate\", \"block_diagonal\")"
            )),
            ModelError::Unsupported { remedy, .. } => Some(remedy.clone()),
            ModelError::IdentityCollision { .. } => Some("rename one of the two modules".to_owned()),
        }
    }

    fn exit(&self) -> ExitKind {
        ExitKind::Usage
    }
}
