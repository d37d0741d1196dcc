//! Parameter updates of first-order optimisers, all tensors in one pass.
//!
//! Tensors are vectors: the update of an element does not depend on the shape of its parameter, except
//! through LAMB's norms, which are over the whole parameter.

mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

/// Adam with decoupled weight decay, or LAMB when a trust ratio is used.
///
/// ```text
/// m ← β1·m + (1−β1)·g        v ← β2·v + (1−β2)·g²
/// u = m̂ / (sqrt(v̂) + ε)      m̂ = m / (1−β1^t), v̂ = v / (1−β2^t) with bias correction, else m, v
/// ```
///
/// Sources: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, algorithm 2; You et al.,
/// "Large batch optimization for deep learning", 2020, algorithm 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveMoments {
    /// Decay of the first moment, β1.
    pub beta1: f64,
    /// Decay of the second moment, β2.
    pub beta2: f64,
    /// ε, added to the root of the second moment.
    pub epsilon: f64,
    /// Whether the moments' start at zero is corrected for.
    pub bias_correction: bool,
}

/// The rule that turns gradients into updates. λ is the learning rate, w the weight decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UpdateRule {
    /// `p ← p·(1 − λ·w) − λ·u`.
    AdamW(AdaptiveMoments),
    /// `p ← p − λ·r·(u + w·p)` with the trust ratio r = ‖p‖ / ‖u + w·p‖, or 1 where either norm is zero.
    Lamb(AdaptiveMoments),
    /// `g ← g + w·p`, `b ← μ·b + g` (b = g at the first step), `p ← p − λ·b`, or `p − λ·(g + μ·b)` with Nesterov's look-ahead.
    Sgd {
        /// μ; zero: no velocity is kept.
        momentum: f64,
        /// Nesterov's form.
        nesterov: bool,
    },
}

impl UpdateRule {
    /// Names of the vectors the rule keeps for every parameter, in the order of [`Slot::moments`].
    pub fn moment_names(&self) -> &'static [&'static str] {
        match self {
            UpdateRule::AdamW(_) | UpdateRule::Lamb(_) => &["first_moment", "second_moment"],
            UpdateRule::Sgd { momentum, .. } if *momentum != 0.0 => &["velocity"],
            UpdateRule::Sgd { .. } => &[],
        }
    }
}

/// One parameter on its way through an update.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Its values.
    pub parameter: Tensor<1>,
    /// Gradient of the loss.
    pub gradient: Tensor<1>,
    /// What the rule keeps, as [`UpdateRule::moment_names`] lists; zeros before the first step.
    pub moments: Vec<Tensor<1>>,
    /// Weight decay of this parameter.
    pub weight_decay: f64,
}

/// A parameter after an update.
#[derive(Clone, Debug)]
pub struct Updated {
    /// New values.
    pub parameter: Tensor<1>,
    /// New vectors of the rule.
    pub moments: Vec<Tensor<1>>,
}

/// What all parameters share in one update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpdateStep {
    /// The rule.
    pub rule: UpdateRule,
    /// λ of this step.
    pub learning_rate: f64,
    /// Number of this update, from 1.
    pub step: u64,
    /// Factor on every gradient, below 1 when the global norm was clipped.
    pub gradient_scale: f64,
}

/// The update of one element-wise rule with everything that does not depend on the element worked out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coefficients {
    pub step: UpdateStep,
    pub weight_decay: f64,
}

impl Coefficients {
    /// 1/(1−β1^t) and 1/(1−β2^t), or 1 and 1 without bias correction.
    pub(crate) fn corrections(&self, moments: &AdaptiveMoments) -> (f64, f64) {
        if !moments.bias_correction {
            return (1.0, 1.0);
        }
        let correction = |beta: f64| 1.0 / (1.0 - beta.powf(self.step.step as f64));
        (correction(moments.beta1), correction(moments.beta2))
    }
}

/// Applies one update to every slot.
///
/// # Panics
/// If a slot does not hold the moments its rule keeps.
pub fn optimizer_update(slots: Vec<Slot>, step: &UpdateStep) -> Vec<Updated> {
    slots.into_iter().map(|slot| update(slot, step)).collect()
}

/// `sqrt(Σ g²)` over all elements of all tensors, summed in an order that depends on their sizes alone.
pub fn global_norm(gradients: &[Tensor<1>]) -> f64 {
    gradients.iter().map(sum_of_squares).sum::<f64>().sqrt()
}

fn sum_of_squares(tensor: &Tensor<1>) -> f64 {
    let sum = <Dispatch as OptimizerBackend>::sum_of_squares(tensor.clone().into_dispatch());
    Tensor::<1>::from_dispatch(sum).into_scalar::<f64>()
}

fn update(slot: Slot, step: &UpdateStep) -> Updated {
    let coefficients = Coefficients { step: *step, weight_decay: slot.weight_decay };
    assert_eq!(slot.moments.len(), step.rule.moment_names().len(), "one vector for each that the rule keeps");
    let (parameter, gradient) = (slot.parameter.into_dispatch(), slot.gradient.into_dispatch());
    let mut moments = slot.moments.into_iter().map(Tensor::into_dispatch);
    match (moments.next(), moments.next()) {
        (Some(first), Some(second)) => {
            let (p, m, v) = <Dispatch as OptimizerBackend>::adaptive_update(
                parameter,
                gradient,
                first,
                second,
                coefficients,
            );
            let moments = vec![Tensor::from_dispatch(m), Tensor::from_dispatch(v)];
            Updated { parameter: Tensor::from_dispatch(p), moments }
        }
        (Some(velocity), None) => {
            let (p, b) =
                <Dispatch as OptimizerBackend>::momentum_update(parameter, gradient, velocity, coefficients);
            Updated { parameter: Tensor::from_dispatch(p), moments: vec![Tensor::from_dispatch(b)] }
        }
        (None, _) => {
            let p = <Dispatch as OptimizerBackend>::plain_update(parameter, gradient, coefficients);
            Updated { parameter: Tensor::from_dispatch(p), moments: Vec::new() }
        }
    }
}

#[backend_extension(Flex)]
pub(crate) trait OptimizerBackend: Backend {
    fn adaptive_update(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        coefficients: Coefficients,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        portable::adaptive_update::<Self>([parameter, gradient, first, second], coefficients)
    }

    fn momentum_update(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        coefficients: Coefficients,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        portable::momentum_update::<Self>([parameter, gradient, velocity], coefficients)
    }

    fn plain_update(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        coefficients: Coefficients,
    ) -> FloatTensor<Self> {
        portable::plain_update::<Self>(parameter, gradient, coefficients)
    }

    fn sum_of_squares(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        portable::sum_of_squares::<Self>(tensor)
    }
}

impl OptimizerBackend for Flex {
    fn adaptive_update(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        coefficients: Coefficients,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        cpu::adaptive_update([parameter, gradient, first, second], coefficients)
    }

    fn momentum_update(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        coefficients: Coefficients,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        cpu::momentum_update([parameter, gradient, velocity], coefficients)
    }

    fn plain_update(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        coefficients: Coefficients,
    ) -> FloatTensor<Self> {
        cpu::plain_update(parameter, gradient, coefficients)
    }

    fn sum_of_squares(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        cpu::sum_of_squares(tensor)
    }
}
