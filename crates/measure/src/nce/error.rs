//! What can be wrong with a study of rounding.

use mixlab_core::{Diagnose, ExitKind};

/// A study that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum NceError {
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
}

impl Diagnose for NceError {
    fn hint(&self) -> Option<String> {
        let NceError::OutOfRange { argument, expected, .. } = self;
        Some(format!("give `{argument}` {expected}"))
    }

    fn exit(&self) -> ExitKind {
        ExitKind::Usage
    }
}
