//! Optimiser updates of all parameters of a model in one pass.

mod cpu;
mod portable;
#[cfg(test)]
mod tests;

use burn::tensor::Tensor;

use crate::cpu::serves;
use crate::profile;

/// Numbers of the rules that keep a first and a second moment of the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveMoments {
    /// Decay rate β₁ of the first moment, in [0, 1).
    pub beta1: f64,
    /// Decay rate β₂ of the second moment, in [0, 1).
    pub beta2: f64,
    /// ε, added to the root of the second moment.
    pub epsilon: f64,
    /// Whether the moments are divided by 1 − βᵗ.
    pub bias_correction: bool,
}

/// How a gradient g moves a parameter p. With `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`,
/// `m̂ = m/(1−β₁ᵗ)`, `v̂ = v/(1−β₂ᵗ)` (or m and v themselves without bias correction), rate η and weight decay λ:
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UpdateRule {
    /// `p ← (1 − ηλ)·p − η·m̂/(sqrt(v̂) + ε)`. Source: Loshchilov and Hutter, "Decoupled weight decay
    /// regularization", 2019, algorithm 2.
    AdamW(AdaptiveMoments),
    /// `u = m̂/(sqrt(v̂) + ε) + λ·p`, `p ← p − η·‖p‖/‖u‖·u`; the ratio is 1 where a norm is zero. Source:
    /// You et al., "Large batch optimization for deep learning", 2020, algorithm 2 with φ the identity.
    Lamb(AdaptiveMoments),
    /// `g ← g + λ·p`, `velocity ← momentum·velocity + g`, `p ← p − η·velocity`; with `nesterov` the step is
    /// `g + momentum·velocity`. Source: Sutskever et al., 2013, in the form common to training frameworks.
    Sgd {
        /// Share of the velocity that is kept, in [0, 1). At 0 there is no velocity.
        momentum: f64,
        /// Whether the step looks ahead along the velocity.
        nesterov: bool,
    },
}

impl UpdateRule {
    /// Names of the vectors a slot of this rule keeps, in the order of [`Slot::moments`].
    pub fn moment_names(&self) -> &'static [&'static str] {
        match self {
            UpdateRule::AdamW(_) | UpdateRule::Lamb(_) => &["first_moment", "second_moment"],
            UpdateRule::Sgd { momentum, .. } if *momentum == 0.0 => &[],
            UpdateRule::Sgd { .. } => &["velocity"],
        }
    }
}

/// One parameter, flattened, with what an update of it needs. All vectors have one length.
///
/// Moments that nothing else holds are updated in place: move them in, do not clone them.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The parameter.
    pub parameter: Tensor<1>,
    /// Its gradient.
    pub gradient: Tensor<1>,
    /// Its moments, zero before the first update; see [`UpdateRule::moment_names`].
    pub moments: Vec<Tensor<1>>,
    /// Weight decay λ of this parameter.
    pub weight_decay: f64,
}

/// What one update of all slots has in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpdateStep {
    /// The rule.
    pub rule: UpdateRule,
    /// Rate η of this step.
    pub learning_rate: f64,
    /// Number t of this update, from 1.
    pub step: u64,
    /// Factor on every gradient, such as that of norm clipping.
    pub gradient_scale: f64,
}

impl UpdateStep {
    /// What the moments are divided by.
    fn corrections(&self, rule: &AdaptiveMoments) -> (f64, f64) {
        if !rule.bias_correction {
            return (1.0, 1.0);
        }
        let power = |beta: f64| 1.0 - beta.powf(self.step as f64);
        (power(rule.beta1), power(rule.beta2))
    }
}

/// A parameter after its update.
#[derive(Clone, Debug)]
pub struct Updated {
    /// The new parameter.
    pub parameter: Tensor<1>,
    /// The new moments.
    pub moments: Vec<Tensor<1>>,
}

/// Updates every parameter once, in one pass over all of them; the results are in the order of `slots`.
///
/// # Panics
/// If the vectors of a slot differ in length, if a slot has another number of moments than its rule,
/// if `step` is 0, or if a tensor is tracked by autodiff.
pub fn optimizer_update(slots: Vec<Slot>, step: &UpdateStep) -> Vec<Updated> {
    assert!(step.step > 0, "updates are counted from 1");
    for slot in &slots {
        let length = slot.parameter.dims();
        let vectors = slot.moments.iter().chain([&slot.gradient]);
        assert!(vectors.clone().all(|v| v.dims() == length), "vectors of a slot differ in length");
        assert_eq!(slot.moments.len(), step.rule.moment_names().len(), "moments of {:?}", step.rule);
        let mut all = vectors.chain([&slot.parameter]);
        assert!(all.all(|v| !v.device().is_autodiff()), "an update is not tracked: pass `inner()` tensors");
    }
    let Some(dtype) = slots.first().map(|slot| slot.parameter.dtype()) else { return Vec::new() };
    let uniform = |x: &Tensor<1>| serves(x) && x.dtype() == dtype;
    if slots.iter().all(|s| uniform(&s.parameter) && uniform(&s.gradient) && s.moments.iter().all(uniform)) {
        profile::operation("optimizer", [], || cpu::update(slots, step))
    } else {
        slots.into_iter().map(|slot| portable::update(slot, step)).collect()
    }
}

/// Euclidean norm of all tensors together, `sqrt(Σ x²)`, summed in double precision in a fixed order.
pub fn global_norm(tensors: &[Tensor<1>]) -> f64 {
    let square = |x: &Tensor<1>| {
        if serves(x) && !x.device().is_autodiff() { cpu::square_sum(x) } else { portable::square_sum(x) }
    };
    profile::operation("global_norm", [], || tensors.iter().map(square).sum::<f64>().sqrt())
}

/// ‖p‖/‖u‖ from the squares of the norms; 1 where either vanishes.
fn trust_ratio(parameter: f64, update: f64) -> f64 {
    if parameter > 0.0 && update > 0.0 { (parameter / update).sqrt() } else { 1.0 }
}
