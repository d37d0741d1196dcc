//! What is known to go wrong, before a run begins: combinations that are refused, and those that are named.

use mixlab_nn::adversarial::NetworkConfig;
use mixlab_objectives::adversarial::{AdversarialLoss, ConstraintConfig};

use super::{AdversarialConfig, GeneratorGradient};
use crate::{Config, TrainError};

/// Combinations that have no meaning or a wrong one.
///
/// # Errors
/// The first that is found.
pub(super) fn refused(objective: &AdversarialConfig, config: &Config) -> Result<(), TrainError> {
    let conflict = |first: &str, second: String, reason: &str, remedy: &str| {
        Err(TrainError::Conflict {
            first: first.to_owned(),
            second,
            reason: reason.to_owned(),
            remedy: remedy.to_owned(),
        })
    };
    let linear = objective.critic.is_piecewise_linear();
    let kind = format!("objective.constraint.kind = \"{}\"", objective.constraint.name());
    let normalised = objective.constraint.normalisation().is_some();
    if normalised && !linear && objective.generator_gradient == GeneratorGradient::FirstOrder {
        return conflict(
            "objective.generator_gradient = \"first_order\"",
            "a smooth critic".to_owned(),
            "the slope of such a critic changes with the sample, and the rescaled gradient misses that (by 70 to 116 % in a small network)",
            "leave `objective.generator_gradient` out, or take `relu` or `leaky_relu` for `objective.critic.activation`",
        );
    }
    if objective.rescale && !linear {
        return conflict(
            "objective.rescale",
            "a smooth critic".to_owned(),
            "dividing its weights does not divide its values",
            "remove `objective.rescale`, or take `relu` or `leaky_relu` for `objective.critic.activation`",
        );
    }
    let scale_free =
        matches!(objective.constraint, ConstraintConfig::Plain | ConstraintConfig::GradientNormalisation);
    if objective.rescale && !scale_free {
        return conflict(
            "objective.rescale",
            kind,
            "its loss depends on the scale of the critic",
            "remove `objective.rescale`, or set `objective.constraint.kind = \"gradient_normalisation\"`",
        );
    }
    if config.train.accumulation != 1 {
        return conflict(
            "objective.kind = \"adversarial\"",
            format!("train.accumulation = {}", config.train.accumulation),
            "an update is of whole batches",
            "raise `train.batch` instead",
        );
    }
    if config.data.augment.mixup > 0.0 {
        return conflict(
            "objective.kind = \"adversarial\"",
            format!("data.augment.mixup = {}", config.data.augment.mixup),
            "the generator would learn to make mixtures",
            "remove `data.augment.mixup`",
        );
    }
    let image = &config.data.image;
    if !(image.mean.is_empty() && image.deviation.is_empty()) {
        return conflict(
            "objective.kind = \"adversarial\"",
            "data.image.mean and data.image.deviation".to_owned(),
            "generators end in tanh, so that black is −1 and white is 1",
            "remove both",
        );
    }
    if config.data.points.is_some() {
        let of_images = [
            (objective.conditional, "objective.conditional", "points have no classes"),
            (objective.consistency > 0.0, "objective.consistency", "points are not mirrored or moved"),
            (objective.uses_patches(), "a network of kind \"patches\"", "a point is one pixel"),
        ];
        if let Some((_, option, reason)) = of_images.into_iter().find(|(set, ..)| *set) {
            return conflict(option, "data.points".to_owned(), reason, "name images under `data.train`");
        }
    }
    Ok(())
}

/// What a person should know of a combination that runs.
pub(crate) fn named(objective: &AdversarialConfig) -> Vec<String> {
    let mut notices = Vec::new();
    let normalised = objective.constraint.normalisation().is_some();
    if objective.constraint == ConstraintConfig::GradientNormalisation
        && objective.loss == AdversarialLoss::Hinge
    {
        notices.push(
            "under gradient normalisation |f̂| < 1, so that no sample is beyond a margin: the hinge loss is the Wasserstein loss and 2".to_owned(),
        );
    }
    if normalised && !objective.critic.is_piecewise_linear() {
        notices.push(
            "the critic is smooth: what a normalisation says of its slope holds between the kinks of a piecewise linear critic only, and slopes \
             of 0.2 to 93 have been seen where 1 is meant; `relu` and `leaky_relu` keep the promise"
                .to_owned(),
        );
    }
    if objective.constraint == ConstraintConfig::SpectralNorm
        && objective.loss == AdversarialLoss::Wasserstein
    {
        notices.push(
            "spectral normalisation with the Wasserstein loss is widely reported not to train, as the product of the layers' bounds is far above \
             the slope reached: `hinge` or `non_saturating` are usual"
                .to_owned(),
        );
    }
    if objective.constraint == ConstraintConfig::None && objective.loss == AdversarialLoss::Wasserstein {
        notices.push(
            "nothing bounds the critic, and the Wasserstein loss has no end without a bound: set `objective.constraint`"
                .to_owned(),
        );
    }
    if matches!(objective.constraint, ConstraintConfig::Gran { .. })
        && objective.loss == AdversarialLoss::Wasserstein
    {
        notices.push(
            "GraN bounds the slope between kinks and not the value: with the Wasserstein loss the critic can grow without end; `non_saturating` \
             stops it"
                .to_owned(),
        );
    }
    if let (ConstraintConfig::WeightClipping { limit }, NetworkConfig::Mlp { depth, .. }) =
        (&objective.constraint, &objective.critic)
        && *limit < 0.05
        && *depth > 2
    {
        notices.push(format!(
            "weights within ±{limit} in {depth} hidden layers can leave a critic that says the same everywhere: watch `critic_slope`"
        ));
    }
    notices
}
