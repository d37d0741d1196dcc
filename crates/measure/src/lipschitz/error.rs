//! What can be wrong with a measurement of a critic.

use mixlab_core::{Diagnose, ExitKind};
use mixlab_train::TrainError;

/// A critic that cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum LipschitzError {
    /// The run or its data.
    #[error(transparent)]
    Run(#[from] TrainError),
    /// Too few samples, or too many.
    #[error("`--samples` is {found}, expected 2 to 1000000")]
    Samples {
        /// How many were asked for.
        found: usize,
    },
    /// A radius that leads nowhere.
    #[error("a radius is {found}, expected a number above 0")]
    Radius {
        /// The radius.
        found: f64,
    },
}

impl Diagnose for LipschitzError {
    fn hint(&self) -> Option<String> {
        match self {
            LipschitzError::Run(error) => error.hint(),
            LipschitzError::Samples { .. } => {
                Some("1000 are enough for quantiles; maxima grow with more".into())
            }
            LipschitzError::Radius { .. } => {
                Some("give radii in units of the samples, for example `--radii 0.001,0.1`".into())
            }
        }
    }

    fn exit(&self) -> ExitKind {
        match self {
            LipschitzError::Run(error) => error.exit(),
            LipschitzError::Samples { .. } | LipschitzError::Radius { .. } => ExitKind::Usage,
        }
    }
}
