//! The updates in plain tensor operations, one parameter at a time.

use burn::tensor::Tensor;

use super::{AdaptiveMoments, Slot, UpdateRule, UpdateStep, Updated};

pub(super) fn update(slot: Slot, step: &UpdateStep) -> Updated {
    let gradient = slot.gradient.mul_scalar(step.gradient_scale);
    match step.rule {
        UpdateRule::AdamW(rule) => {
            let (direction, moments) = direction(gradient, slot.moments, &rule, step);
            let kept = slot.parameter.mul_scalar(1.0 - step.learning_rate * slot.weight_decay);
            Updated { parameter: kept - direction.mul_scalar(step.learning_rate), moments }
        }
        UpdateRule::Lamb(rule) => {
            let (direction, moments) = direction(gradient, slot.moments, &rule, step);
            let update = direction + slot.parameter.clone().mul_scalar(slot.weight_decay);
            let ratio = super::trust_ratio(square_sum(&slot.parameter), square_sum(&update));
            Updated { parameter: slot.parameter - update.mul_scalar(step.learning_rate * ratio), moments }
        }
        UpdateRule::Sgd { momentum, nesterov } => {
            let gradient = gradient + slot.parameter.clone().mul_scalar(slot.weight_decay);
            let velocity = slot.moments.into_iter().next();
            let velocity = velocity.map(|velocity| velocity.mul_scalar(momentum) + gradient.clone());
            let update = match &velocity {
                None => gradient,
                Some(velocity) if nesterov => gradient + velocity.clone().mul_scalar(momentum),
                Some(velocity) => velocity.clone(),
            };
            let parameter = slot.parameter - update.mul_scalar(step.learning_rate);
            Updated { parameter, moments: velocity.into_iter().collect() }
        }
    }
}

/// m̂ / (sqrt(v̂) + ε) and the new moments.
fn direction(
    gradient: Tensor<1>,
    moments: Vec<Tensor<1>>,
    rule: &AdaptiveMoments,
    step: &UpdateStep,
) -> (Tensor<1>, Vec<Tensor<1>>) {
    let (first_correction, second_correction) = step.corrections(rule);
    let square = gradient.clone() * gradient.clone();
    let moved = [(rule.beta1, gradient), (rule.beta2, square)];
    let moments: Vec<_> = moments
        .into_iter()
        .zip(moved)
        .map(|(moment, (beta, new))| moment.mul_scalar(beta) + new.mul_scalar(1.0 - beta))
        .collect();
    let root = moments[1].clone().div_scalar(second_correction).sqrt().add_scalar(rule.epsilon);
    (moments[0].clone().div_scalar(first_correction) / root, moments)
}

/// Σ x² in double precision.
pub(super) fn square_sum(x: &Tensor<1>) -> f64 {
    x.to_data().iter::<f64>().map(|x| x * x).sum()
}
