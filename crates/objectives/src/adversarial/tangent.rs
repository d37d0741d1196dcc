//! The one primitive of critics whose loss has a gradient of a sample in it.
//!
//! For a critic f, samples x_b, directions u_b and weights a_b, c_b, all constants:
//!
//! ```text
//! g_b = ∇ₓf(x_b)                    ∂/∂θ Σ_b [a_b·f(x_b; θ) + c_b·D_{u_b}f(x_b; θ)]          D_u f = ⟨∇ₓf, u⟩
//! ```
//!
//! With u = g/‖g‖ the second sum is c_b·‖∇ₓf(x_b)‖ to first order in θ, since ∂‖g‖/∂θ = ∂⟨g, u⟩/∂θ at fixed u. Every normalised critic and every
//! gradient penalty is a choice of a and c; none needs a second-order autodiff. Two ways, equal to rounding: any critic goes forward on
//! duals (x, u) and back once; a critic that is linear between kinks has a closed form, [`mixlab_nn::adversarial::Tape`]. Samples must not
//! touch each other, since g_b is read from the gradient of Σ_b f(x_b).

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_nn::adversarial::{Critic, Tape};
use mixlab_nn::dual::Dual;
use mixlab_nn::parameter_gradients;

use super::numbers::{column, numbers};
use crate::ByPath;

/// A critic at some samples: values and gradients by the sample, without a graph, and what parameter gradients need.
pub struct Evaluation<'m> {
    critic: &'m Critic,
    samples: Tensor<4>,
    tape: Option<Tape>,
    /// f(x_b).
    pub values: Vec<f64>,
    /// ∇ₓf `[b, h, w, c]`; nothing where the class is given.
    pub gradients: Tensor<4>,
    /// ‖∇ₓf‖ of each sample.
    pub norms: Vec<f64>,
}

/// How parameter gradients are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The closed form where the critic has one.
    Fastest,
    /// Duals and an ordinary backward pass, whatever the critic.
    Dual,
}

impl<'m> Evaluation<'m> {
    /// Evaluates `critic`, which has gradient tracking, at `samples` `[b, h, w, c]`, which have none.
    pub fn new(critic: &'m Critic, samples: Tensor<4>, form: Form) -> Self {
        let traced = match form {
            Form::Fastest => critic.valid().trace(samples.clone()),
            Form::Dual => None,
        };
        let (values, gradients, tape) = match traced {
            Some((values, mut tape)) => {
                let ones = column(&values.clone().ones_like());
                let gradients = tape.pull(ones);
                (values, gradients, Some(tape))
            }
            None => {
                let (values, gradients) = by_autodiff(critic, samples.clone());
                (values, gradients, None)
            }
        };
        let gradients = without_class(gradients, critic.sample().channels);
        let norms = norms(gradients.clone());
        Evaluation { critic, samples, tape, values: numbers(values), gradients, norms }
    }

    /// g/‖g‖, zero where g is.
    pub fn directions(&self) -> Tensor<4> {
        let inverse: Vec<f64> =
            self.norms.iter().map(|&norm| if norm > 0.0 { norm.recip() } else { 0.0 }).collect();
        // Two steps: 1/‖g‖ may be beyond what a float holds where g/‖g‖ is not.
        let largest = largest(self.gradients.clone());
        let safe = largest.clone().mask_fill(largest.clone().equal_elem(0.0), 1.0);
        let share = self.gradients.clone() / column(&safe);
        let rest: Vec<f64> =
            numbers(safe).iter().zip(&inverse).map(|(largest, inverse)| largest * inverse).collect();
        share * column(&like(&rest, &self.gradients))
    }

    /// ∂/∂θ Σ_b [a_b·f(x_b) + c_b·D_{u_b}f(x_b)], by path.
    pub fn parameter_gradients(self, a: &[f64], c: &[f64], directions: Tensor<4>) -> ByPath {
        let [a, c] = [a, c].map(|weights| like(weights, &self.samples));
        match self.tape {
            Some(tape) => {
                let mut gradients = ByPath::new();
                let weights = column(&a);
                let start = self.samples * weights.clone() + directions * column(&c);
                tape.push(start, &weights, &mut gradients);
                gradients
            }
            None => by_duals(self.critic, self.samples, directions, a, c),
        }
    }
}

/// f and the gradient of Σ_b a_b·f(x_b), where `weigh` gives a for the values of f; for losses without a gradient in them.
pub fn first_order(
    critic: &Critic,
    samples: Tensor<4>,
    weigh: impl FnOnce(&[f64]) -> Vec<f64>,
) -> (Vec<f64>, ByPath) {
    if let Some((values, mut tape)) = critic.valid().trace(samples.clone()) {
        let values = numbers(values);
        let mut gradients = ByPath::new();
        tape.pull(column(&like(&weigh(&values), &samples)));
        tape.weigh(&mut gradients);
        return (values, gradients);
    }
    let found = critic.forward(Tensor::from_inner(samples.clone()));
    let values = numbers(found.clone().inner());
    let weights = like(&weigh(&values), &samples);
    let mut gradients = (found * Tensor::from_inner(weights)).sum().backward();
    (values, parameter_gradients(critic, &mut gradients))
}

/// f and ∇ₓ Σ_b a_b·f(x_b) for the a that `weigh` gives.
pub(super) fn by_sample(
    critic: &Critic,
    samples: Tensor<4>,
    weigh: impl FnOnce(&[f64]) -> Vec<f64>,
) -> (Vec<f64>, Tensor<4>) {
    if let Some((values, mut tape)) = critic.valid().trace(samples.clone()) {
        let values = numbers(values);
        let gradient = tape.pull(column(&like(&weigh(&values), &samples)));
        return (values, without_class(gradient, critic.sample().channels));
    }
    let (values, gradient) = by_autodiff(critic, samples);
    let values = numbers(values);
    let weights = column(&like(&weigh(&values), &gradient));
    (values, without_class(gradient * weights, critic.sample().channels))
}

/// ∇ₓ Σ_b [a_b·f(x_b) + c_b·D_{u_b}f(x_b)] with constant u: what a smooth critic needs in place of a·g.
pub(super) fn second_order_by_sample(
    critic: &Critic,
    samples: Tensor<4>,
    directions: Tensor<4>,
    a: &[f64],
    c: &[f64],
) -> Tensor<4> {
    let [a, c] = [a, c].map(|weights| Tensor::from_inner(like(weights, &samples)));
    let samples = Tensor::from_inner(samples).require_grad();
    let frozen = critic.clone().no_grad();
    let (value, tangent) = frozen.dual(Dual::new(samples.clone(), Tensor::from_inner(directions)));
    let tangent = tangent.expect("a tangent was carried");
    let mut gradients = (value * a + tangent * c).sum().backward();
    let gradient = samples.grad_remove(&mut gradients).expect("a critic depends on its sample");
    without_class(gradient, critic.sample().channels)
}

fn by_autodiff(critic: &Critic, samples: Tensor<4>) -> (Tensor<1>, Tensor<4>) {
    let samples = Tensor::from_inner(samples).require_grad();
    let values = critic.clone().no_grad().forward(samples.clone());
    let mut gradients = values.clone().sum().backward();
    let gradient = samples.grad_remove(&mut gradients).unwrap_or_else(|| samples.inner().zeros_like());
    (values.inner(), gradient)
}

fn by_duals(
    critic: &Critic,
    samples: Tensor<4>,
    directions: Tensor<4>,
    a: Tensor<1>,
    c: Tensor<1>,
) -> ByPath {
    let [samples, directions] = [samples, directions].map(Tensor::from_inner);
    let (value, tangent) = critic.dual(Dual::new(samples, directions));
    let tangent = tangent.expect("a tangent was carried");
    let mut gradients = (value * Tensor::from_inner(a) + tangent * Tensor::from_inner(c)).sum().backward();
    parameter_gradients(critic, &mut gradients)
}

/// The gradient by the sample itself: a class is given, not moved.
fn without_class(gradients: Tensor<4>, channels: usize) -> Tensor<4> {
    let [batch, height, width, all] = gradients.dims();
    if all == channels {
        return gradients;
    }
    let nothing =
        Tensor::zeros([batch, height, width, all - channels], (&gradients.device(), gradients.dtype()));
    Tensor::cat(vec![gradients.narrow(3, 0, channels), nothing], 3)
}

/// ‖g‖ of each sample, scaled by its largest number so that no square overflows or vanishes.
pub(super) fn norms(gradients: Tensor<4>) -> Vec<f64> {
    let largest = largest(gradients.clone());
    let safe = largest.clone().mask_fill(largest.clone().equal_elem(0.0), 1.0);
    let share = gradients / column(&safe);
    let squares: Tensor<2> = (share.clone() * share).flatten(1, 3);
    let roots = numbers(squares.sum_dim(1).flatten::<1>(0, 1).sqrt());
    numbers(largest).into_iter().zip(roots).map(|(largest, root)| largest * root).collect()
}

fn largest(gradients: Tensor<4>) -> Tensor<1> {
    let rows: Tensor<2> = gradients.abs().flatten(1, 3);
    rows.max_dim(1).flatten(0, 1)
}

/// Numbers as a tensor where `tensor` is and as it is.
pub(super) fn like<const D: usize>(values: &[f64], tensor: &Tensor<D>) -> Tensor<1> {
    super::numbers::vector(values, &tensor.device(), tensor.dtype())
}
