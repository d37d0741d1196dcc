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
    scaled: Scaled,
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
        let (values, gradients, tape) = match form.trace(critic, samples.clone()) {
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
        Evaluation::found(critic, samples, numbers(values), gradients, tape)
    }

    /// [`first_order`] of all samples but the last `count`, and the evaluation of those: in one pass where the closed form is used.
    pub fn after_first_order(
        critic: &'m Critic,
        samples: Tensor<4>,
        count: usize,
        form: Form,
        weigh: impl FnOnce(&[f64]) -> Vec<f64>,
    ) -> (ByPath, Self) {
        let all = samples.dims()[0];
        let before = all - count;
        let last = samples.clone().narrow(0, before, count);
        let Some((values, mut tape)) = form.trace(critic, samples.clone()) else {
            let (_, gradients) = first_order(critic, samples.narrow(0, 0, before), weigh);
            return (gradients, Evaluation::new(critic, last, form));
        };
        let mut values = numbers(values);
        let mut weights = weigh(&values[..before]);
        weights.resize(all, 1.0);
        let by_sample = tape.pull_of(column(&like(&weights, &samples)), before..all);
        let mut gradients = ByPath::new();
        tape.of(0..before).weigh(&mut gradients);
        let tape = tape.of(before..all);
        (gradients, Evaluation::found(critic, last, values.split_off(before), by_sample, Some(tape)))
    }

    fn found(
        critic: &'m Critic,
        samples: Tensor<4>,
        values: Vec<f64>,
        gradients: Tensor<4>,
        tape: Option<Tape>,
    ) -> Self {
        let gradients = without_class(gradients, critic.sample().channels);
        let scaled = Scaled::new(gradients.clone());
        let norms = scaled.norms();
        Evaluation { critic, samples, tape, values, gradients, norms, scaled }
    }

    /// g/‖g‖, zero where g is.
    pub fn directions(&self) -> Tensor<4> {
        // Of what is scaled: 1/‖g‖ may be beyond what a float holds where g/‖g‖ is not.
        let inverse = |&root: &f64| if root > 0.0 { root.recip() } else { 0.0 };
        let inverses: Vec<f64> = self.scaled.roots.iter().map(inverse).collect();
        self.scaled.shares.clone() * column(&like(&inverses, &self.gradients))
    }

    /// ∂/∂θ Σ_b [a_b·f(x_b) + c_b·D_{u_b}f(x_b)], by path.
    pub fn parameter_gradients(self, a: &[f64], c: &[f64], directions: Tensor<4>) -> ByPath {
        let [a, c] = [a, c].map(|weights| like(weights, &self.samples));
        let Some(tape) = self.tape else {
            return by_duals(self.critic, self.samples, directions, a, c);
        };
        let mut gradients = ByPath::new();
        let start = self.samples * column(&a) + directions * column(&c);
        tape.push(start, Some(&a), &mut gradients);
        gradients
    }

    /// The same for a = 0; without those that are 0 then, of biases, where the critic has a closed form.
    pub fn slope_gradients(self, c: &[f64], directions: Tensor<4>) -> ByPath {
        let Some(tape) = &self.tape else {
            return self.parameter_gradients(&vec![0.0; c.len()], c, directions);
        };
        let mut gradients = ByPath::new();
        let start = directions * column(&like(c, &self.samples));
        tape.push(start, None, &mut gradients);
        gradients
    }
}

impl Form {
    /// What the critic did at the samples, if it is to be used.
    fn trace(self, critic: &Critic, samples: Tensor<4>) -> Option<(Tensor<1>, Tape)> {
        match self {
            Form::Fastest => critic.valid().trace(samples),
            Form::Dual => None,
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
        tape.pull_to_parameters(column(&like(&weigh(&values), &samples)));
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

/// Gradients g by the sample, each as the size of its largest number times a share, so that no square overflows or vanishes.
pub(super) struct Scaled {
    largest: Vec<f64>,
    /// g over its largest number; 0 where g is.
    shares: Tensor<4>,
    /// ‖·‖ of each share.
    roots: Vec<f64>,
}

impl Scaled {
    pub(super) fn new(gradients: Tensor<4>) -> Self {
        let rows: Tensor<2> = gradients.clone().abs().flatten(1, 3);
        let largest: Tensor<1> = rows.max_dim(1).flatten(0, 1);
        let safe = largest.clone().mask_fill(largest.clone().equal_elem(0.0), 1.0);
        let shares = gradients / column(&safe);
        let squares: Tensor<2> = (shares.clone() * shares.clone()).flatten(1, 3);
        let roots = numbers(squares.sum_dim(1).flatten::<1>(0, 1).sqrt());
        Scaled { largest: numbers(largest), shares, roots }
    }

    /// ‖g‖ of each sample.
    pub(super) fn norms(&self) -> Vec<f64> {
        self.largest.iter().zip(&self.roots).map(|(largest, root)| largest * root).collect()
    }
}

/// Numbers as a tensor where `tensor` is and as it is.
pub(super) fn like<const D: usize>(values: &[f64], tensor: &Tensor<D>) -> Tensor<1> {
    super::numbers::vector(values, &tensor.device(), tensor.dtype())
}
