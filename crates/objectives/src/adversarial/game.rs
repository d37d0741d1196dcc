//! One step of each player: losses, and gradients of the critic's weights or of the samples that a generator made.

use burn::tensor::Tensor;
use mixlab_core::Key;
use mixlab_nn::adversarial::Critic;

use super::constraint::{ConstraintConfig, Normalisation, Normalised, Penalty};
use super::loss::{AdversarialLoss, Scored};
use super::numbers::column;
use super::tangent::{Evaluation, Form, by_sample, first_order, like, second_order_by_sample};
use crate::ByPath;

/// The rules: who wants what, and what keeps the critic from growing steep.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The losses.
    pub loss: AdversarialLoss,
    /// The constraint. Those on weights act outside of a step.
    pub constraint: &'a ConstraintConfig,
    /// λ of consistency: `λ·mean (f̂(Tx) − f̂(x))²` over real samples x and their changed copies Tx; 0 for none. Source: Zhang, Zhang, Odena and
    /// Lee, "Consistency regularization for generative adversarial networks", ICLR 2020, equation 1.
    pub consistency: f64,
    /// How the critic's gradients are computed.
    pub form: Form,
}

/// What the critic sees: samples with the channels of their class, none of which has a graph.
#[derive(Clone, Debug)]
pub struct Samples {
    /// From the data.
    pub real: Tensor<4>,
    /// From the generator; as many.
    pub made: Tensor<4>,
    /// The real ones, changed, if consistency is asked for.
    pub changed: Option<Tensor<4>>,
}

/// What a critic's step found.
#[derive(Clone, Debug)]
pub struct CriticStep {
    /// The whole loss.
    pub loss: f64,
    /// The penalty's part of it, with that of consistency.
    pub penalty: f64,
    /// Mean v of real and of made samples.
    pub means: [f64; 2],
    /// ‖∇ₓf‖ where it was taken; empty without.
    pub norms: Vec<f64>,
    /// Gradients of all parameters, by path.
    pub gradients: ByPath,
}

/// What a generator's step found.
#[derive(Clone, Debug)]
pub struct GeneratorStep {
    /// The loss.
    pub loss: f64,
    /// Its gradient by the samples `[b, h, w, c]`, nothing where the class is given.
    pub samples: Tensor<4>,
}

/// Weights of f(x_b) and of ‖∇ₓf(x_b)‖ in the loss, to first order, with the loss itself.
#[derive(Debug, Default)]
struct Weights {
    loss: f64,
    penalty: f64,
    means: [f64; 2],
    a: Vec<f64>,
    c: Vec<f64>,
}

impl Weights {
    fn step(self, norms: Vec<f64>, gradients: ByPath) -> CriticStep {
        let Weights { loss, penalty, means, .. } = self;
        CriticStep { loss, penalty, means, norms, gradients }
    }
}

impl Rules<'_> {
    /// Loss and parameter gradients of a critic with gradient tracking. `key` places points between samples.
    ///
    /// # Panics
    /// If there are not as many real samples as made ones.
    pub fn critic(&self, critic: &Critic, samples: Samples, key: Key) -> CriticStep {
        let batch = samples.real.dims()[0];
        assert_eq!(batch, samples.made.dims()[0], "as many real samples as made ones");
        let penalty = self.constraint.penalty();
        let between = penalty.filter(|penalty| penalty.is_between());
        let points = between.map(|_| super::points::between(samples.real.clone(), samples.made.clone(), key));
        let all = [Some(samples.real), Some(samples.made), samples.changed, points].into_iter().flatten();
        let all = Tensor::cat(all.collect(), 0);
        match (between, self.constraint.normalisation(), penalty) {
            (Some(penalty), ..) => self.beside(critic, all, batch, penalty),
            (None, None, None) => self.plain(critic, all, batch),
            (None, normalisation, penalty) => {
                let evaluation = Evaluation::new(critic, all, self.form);
                let norms = evaluation.norms.clone();
                let weights = self.weights(&evaluation.values, &norms, batch, normalisation, penalty);
                let directions = evaluation.directions();
                let gradients = evaluation.parameter_gradients(&weights.a, &weights.c, directions);
                weights.step(norms, gradients)
            }
        }
    }

    /// A loss of the values, and a penalty on slopes at the last of all samples, one for each pair, where the values do not count.
    fn beside(&self, critic: &Critic, all: Tensor<4>, batch: usize, penalty: Penalty) -> CriticStep {
        let mut weights = Weights::default();
        let weigh = |values: &[f64]| {
            weights = self.of_values(values, batch);
            weights.a.clone()
        };
        let (mut gradients, evaluation) = Evaluation::after_first_order(critic, all, batch, self.form, weigh);
        let norms = evaluation.norms.clone();
        let share = 1.0 / batch as f64;
        let scored: Vec<Scored> = norms.iter().map(|&norm| penalty.at(norm)).collect();
        let cost = share * scored.iter().map(|scored| scored.value).sum::<f64>();
        let c: Vec<f64> = scored.iter().map(|scored| share * scored.slope).collect();
        let directions = evaluation.directions();
        let of_penalty = evaluation.slope_gradients(&c, directions);
        mixlab_nn::add_gradients(&mut gradients, of_penalty);
        weights.penalty += cost;
        weights.loss += cost;
        weights.step(norms, gradients)
    }

    /// A loss of the values alone.
    fn plain(&self, critic: &Critic, all: Tensor<4>, batch: usize) -> CriticStep {
        let mut weights = Weights::default();
        let (_, gradients) = first_order(critic, all, |values| {
            weights = self.of_values(values, batch);
            weights.a.clone()
        });
        weights.step(Vec::new(), gradients)
    }

    /// [`Rules::weights`] of a loss without slopes in it.
    fn of_values(&self, values: &[f64], batch: usize) -> Weights {
        self.weights(values, &vec![0.0; values.len()], batch, None, None)
    }

    /// From values and norms of real, made and changed samples, in this order, to the weights of the primitive.
    fn weights(
        &self,
        values: &[f64],
        norms: &[f64],
        batch: usize,
        normalisation: Option<Normalisation>,
        penalty: Option<Penalty>,
    ) -> Weights {
        let share = 1.0 / batch as f64;
        let seen: Vec<Normalised> =
            values.iter().zip(norms).map(|(&f, &n)| normal(normalisation, f, n)).collect();
        let mut weights = Weights::default();
        // By f̂ first.
        let mut slopes = vec![0.0; values.len()];
        for (index, seen) in seen.iter().enumerate().take(2 * batch) {
            let real = index < batch;
            let scored = if real { self.loss.real(seen.value) } else { self.loss.made(seen.value) };
            weights.loss += share * scored.value;
            weights.means[usize::from(!real)] += share * seen.value;
            slopes[index] += share * scored.slope;
        }
        for changed in 2 * batch..values.len() {
            let real = changed - 2 * batch;
            let apart = seen[changed].value - seen[real].value;
            weights.penalty += share * self.consistency * apart * apart;
            slopes[changed] += 2.0 * share * self.consistency * apart;
            slopes[real] -= 2.0 * share * self.consistency * apart;
        }
        // Then by f and n.
        weights.a = slopes.iter().zip(&seen).map(|(slope, seen)| slope * seen.by_value).collect();
        weights.c = slopes.iter().zip(&seen).map(|(slope, seen)| slope * seen.by_norm).collect();
        if let Some(penalty) = penalty {
            // `Samples` takes the mean over real and made ones together.
            let both = penalty.takes(true) && penalty.takes(false);
            let share = if both { 0.5 * share } else { share };
            for index in (0..2 * batch).filter(|&index| penalty.takes(index < batch)) {
                let scored = penalty.at(norms[index]);
                weights.penalty += share * scored.value;
                weights.c[index] += share * scored.slope;
            }
        }
        weights.loss += weights.penalty;
        weights
    }

    /// Loss of a generator and its gradient by the samples it made; `critic` has gradient tracking.
    ///
    /// Between kinks of a piecewise linear critic ∂f̂/∂x is ∂f̂/∂f·∇f and no more, since ‖∇f‖ does not change: the first-order gradient,
    /// rescaled. A smooth critic has a second term, ∂f̂/∂n·H·u, which is computed.
    pub fn generator(&self, critic: &Critic, made: Tensor<4>) -> GeneratorStep {
        let share = 1.0 / made.dims()[0] as f64;
        let mut loss = 0.0;
        let Some(normalisation) = self.constraint.normalisation() else {
            let (_, samples) = by_sample(critic, made, |values| {
                let scored: Vec<Scored> = values.iter().map(|&v| self.loss.generator(v)).collect();
                loss = share * scored.iter().map(|scored| scored.value).sum::<f64>();
                scored.iter().map(|scored| share * scored.slope).collect()
            });
            return GeneratorStep { loss, samples };
        };
        let evaluation = Evaluation::new(critic, made.clone(), self.form);
        let (mut a, mut c) = (Vec::new(), Vec::new());
        for (&f, &n) in evaluation.values.iter().zip(&evaluation.norms) {
            let seen = normalisation.at(f, n);
            let scored = self.loss.generator(seen.value);
            loss += share * scored.value;
            a.push(share * scored.slope * seen.by_value);
            c.push(share * scored.slope * seen.by_norm);
        }
        let samples = if critic.is_piecewise_linear() {
            evaluation.gradients.clone() * column(&like(&a, &evaluation.gradients))
        } else {
            let directions = evaluation.directions();
            second_order_by_sample(critic, made, directions, &a, &c)
        };
        GeneratorStep { loss, samples }
    }
}

fn normal(normalisation: Option<Normalisation>, f: f64, n: f64) -> Normalised {
    match normalisation {
        Some(normalisation) => normalisation.at(f, n),
        None => Normalised { value: f, by_value: 1.0, by_norm: 0.0 },
    }
}
