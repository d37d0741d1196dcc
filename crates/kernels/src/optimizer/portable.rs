//! The updates in plain back-end operations.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;

use super::{AdaptiveMoments, Coefficients, UpdateRule};

/// Arithmetic on back-end tensors with the operators' names.
fn scale<B: Backend>(x: FloatTensor<B>, factor: f64) -> FloatTensor<B> {
    B::float_mul_scalar(x, factor.into())
}

fn sum<B: Backend>(x: FloatTensor<B>, y: FloatTensor<B>) -> FloatTensor<B> {
    B::float_add(x, y)
}

fn product<B: Backend>(x: FloatTensor<B>, y: FloatTensor<B>) -> FloatTensor<B> {
    B::float_mul(x, y)
}

pub(super) fn adaptive_update<B: Backend>(
    [parameter, gradient, first, second]: [FloatTensor<B>; 4],
    coefficients: Coefficients,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let rule = coefficients.step.rule;
    let (UpdateRule::AdamW(moments) | UpdateRule::Lamb(moments)) = rule else {
        unreachable!("only rules with two moments are updated here")
    };
    let AdaptiveMoments { beta1, beta2, epsilon, .. } = moments;
    let gradient = scale::<B>(gradient, coefficients.step.gradient_scale);
    let square = product::<B>(gradient.clone(), gradient.clone());
    let first = sum::<B>(scale::<B>(first, beta1), scale::<B>(gradient, 1.0 - beta1));
    let second = sum::<B>(scale::<B>(second, beta2), scale::<B>(square, 1.0 - beta2));
    let (correct1, correct2) = coefficients.corrections(&moments);
    let root = B::float_sqrt(scale::<B>(second.clone(), correct2));
    let update = B::float_div(scale::<B>(first.clone(), correct1), B::float_add_scalar(root, epsilon.into()));
    let (rate, decay) = (coefficients.step.learning_rate, coefficients.weight_decay);
    let parameter = match rule {
        UpdateRule::Lamb(_) => {
            let update = sum::<B>(update, scale::<B>(parameter.clone(), decay));
            let ratio = trust_ratio::<B>(parameter.clone(), update.clone());
            B::float_sub(parameter, scale::<B>(product::<B>(update, ratio), rate))
        }
        UpdateRule::AdamW(_) | UpdateRule::Sgd { .. } => {
            B::float_sub(scale::<B>(parameter, 1.0 - rate * decay), scale::<B>(update, rate))
        }
    };
    (parameter, first, second)
}

/// ‖p‖ / ‖u‖, or 1 where either is zero; shape `[1]`.
fn trust_ratio<B: Backend>(parameter: FloatTensor<B>, update: FloatTensor<B>) -> FloatTensor<B> {
    let norm = |x: FloatTensor<B>| B::float_sqrt(sum_of_squares::<B>(x));
    let (p, u) = (norm(parameter), norm(update));
    let bools = burn::tensor::BoolDType::Native;
    let zero = B::bool_or(
        B::float_equal_elem(p.clone(), 0.0.into(), bools),
        B::float_equal_elem(u.clone(), 0.0.into(), bools),
    );
    let safe = B::float_mask_fill(u, zero.clone(), 1.0.into());
    B::float_mask_fill(B::float_div(p, safe), zero, 1.0.into())
}

pub(super) fn momentum_update<B: Backend>(
    [parameter, gradient, velocity]: [FloatTensor<B>; 3],
    coefficients: Coefficients,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let UpdateRule::Sgd { momentum, nesterov } = coefficients.step.rule else {
        unreachable!("only SGD keeps a velocity")
    };
    let gradient = decayed::<B>(&parameter, gradient, &coefficients);
    let velocity = match coefficients.step.step {
        1 => gradient.clone(),
        _ => sum::<B>(scale::<B>(velocity, momentum), gradient.clone()),
    };
    let update =
        if nesterov { sum::<B>(gradient, scale::<B>(velocity.clone(), momentum)) } else { velocity.clone() };
    let parameter = B::float_sub(parameter, scale::<B>(update, coefficients.step.learning_rate));
    (parameter, velocity)
}

pub(super) fn plain_update<B: Backend>(
    parameter: FloatTensor<B>,
    gradient: FloatTensor<B>,
    coefficients: Coefficients,
) -> FloatTensor<B> {
    let gradient = decayed::<B>(&parameter, gradient, &coefficients);
    B::float_sub(parameter, scale::<B>(gradient, coefficients.step.learning_rate))
}

/// `gradient_scale · g + w · p`.
fn decayed<B: Backend>(
    parameter: &FloatTensor<B>,
    gradient: FloatTensor<B>,
    coefficients: &Coefficients,
) -> FloatTensor<B> {
    let gradient = scale::<B>(gradient, coefficients.step.gradient_scale);
    sum::<B>(gradient, scale::<B>(parameter.clone(), coefficients.weight_decay))
}

pub(super) fn sum_of_squares<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_sum(product::<B>(x.clone(), x))
}
