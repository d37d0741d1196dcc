//! What can be wrong with an examination of depth.

use mixlab_core::{Diagnose, ExitKind};
use mixlab_nn::ModelError;

/// An examination that cannot be made, or whose picture cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum DepthError {
    /// An argument outside its range.
    #[error("`{argument}` is {found}, expected {expected}")]
    OutOfRange {
        /// The argument on the command line.
        argument: &'static str,
        /// What was given.
        found: String,
        /// The range in words.
        expected: String,
    },
    /// A name that is no scheme's.
    #[error("there is no residual scheme `{name}`{}", nearest.as_ref().map_or_else(String::new, |n| format!("; did you mean `{n}`?")))]
    UnknownScheme {
        /// The name.
        name: String,
        /// The scheme that was probably meant.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// The model cannot be built.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl Diagnose for DepthError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            DepthError::OutOfRange { argument, expected, .. } => format!("give `{argument}` {expected}"),
            DepthError::UnknownScheme { known, .. } => format!("schemes are {}", known.join(", ")),
            DepthError::Model(error) => return error.hint(),
        })
    }

    fn exit(&self) -> ExitKind {
        ExitKind::Usage
    }
}
