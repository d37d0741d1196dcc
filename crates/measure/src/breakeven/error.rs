//! What can be wrong with a comparison.

use mixlab_core::{Diagnose, ExitKind};
use mixlab_nn::ModelError;

/// A comparison that cannot be made, or whose picture cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum BreakevenError {
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
    /// Channels that do not divide into heads.
    #[error("`--heads` = {heads} does not divide `--width` = {width}")]
    Heads {
        /// Number of heads.
        heads: usize,
        /// Width of the model.
        width: usize,
    },
    /// A name that is no mixer's.
    #[error("there is no mixer `{name}`{}", nearest.as_ref().map_or_else(String::new, |n| format!("; did you mean `{n}`?")))]
    UnknownMixer {
        /// The name.
        name: String,
        /// The mixer that was probably meant.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// Softmax attention, with which everything is compared, cannot be built.
    #[error("softmax attention cannot be built")]
    Reference(#[source] ModelError),
}

impl Diagnose for BreakevenError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            BreakevenError::OutOfRange { argument, expected, .. } => format!("give `{argument}` {expected}"),
            BreakevenError::Heads { width, .. } => {
                let divisors = (1..=(*width).min(64)).filter(|heads| width.is_multiple_of(*heads));
                let divisors: Vec<String> = divisors.map(|heads| heads.to_string()).collect();
                format!("choose `--heads` among {}, or change `--width`", divisors.join(", "))
            }
            BreakevenError::UnknownMixer { known, .. } => format!("mixers are {}", known.join(", ")),
            BreakevenError::Reference(_) => {
                "its heads are rotated in pairs of channels: choose `--heads` so that a head has an even width".into()
            }
        })
    }

    fn exit(&self) -> ExitKind {
        ExitKind::Usage
    }
}
