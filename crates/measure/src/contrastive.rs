//! What is asked of contrastive runs only.

use mixlab_train::{Config, ContrastiveConfig, TrainError};

/// The options of a contrastive run.
///
/// # Errors
/// [`TrainError::Conflict`] of what was asked with another objective, for the reason given.
pub(crate) fn contrastive_only<'a>(
    config: &'a Config,
    asked: &str,
    reason: &str,
) -> Result<&'a ContrastiveConfig, TrainError> {
    config.objective.contrastive().ok_or_else(|| TrainError::Conflict {
        first: asked.into(),
        second: "an objective that is not contrastive".into(),
        reason: reason.into(),
        remedy: "name a config with `objective.kind = \"contrastive\"`".into(),
    })
}
