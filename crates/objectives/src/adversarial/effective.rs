//! What a critic says under its constraint, and how steep that is.

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_nn::adversarial::Critic;

use super::constraint::ConstraintConfig;
use super::numbers::numbers;
use super::tangent::{Evaluation, Form, Scaled, second_order_by_sample};

/// A critic under its constraint at some samples.
#[derive(Clone, Debug)]
pub struct Effective {
    /// f̂ of each sample; f where nothing takes its place.
    pub values: Vec<f64>,
    /// ‖∇f̂‖ almost everywhere: where the sample is, between kinks.
    pub slopes: Vec<f64>,
    /// ‖∇f‖ of the critic itself.
    pub critic_slopes: Vec<f64>,
}

/// Evaluates a critic with gradient tracking at `samples` `[b, h, w, c]`, which have none.
pub fn effective(critic: &Critic, constraint: &ConstraintConfig, samples: Tensor<4>) -> Effective {
    let evaluation = Evaluation::new(critic, samples.clone(), Form::Fastest);
    let critic_slopes = evaluation.norms.clone();
    let Some(normalisation) = constraint.normalisation() else {
        return Effective { values: evaluation.values, slopes: critic_slopes.clone(), critic_slopes };
    };
    let pairs = || evaluation.values.iter().zip(&evaluation.norms);
    let values = pairs().map(|(&f, &n)| normalisation.at(f, n).value).collect();
    let slopes = if critic.is_piecewise_linear() {
        pairs().map(|(&f, &n)| normalisation.slope(f, n)).collect()
    } else {
        let (a, c): (Vec<f64>, Vec<f64>) = pairs()
            .map(|(&f, &n)| {
                let seen = normalisation.at(f, n);
                (seen.by_value, seen.by_norm)
            })
            .unzip();
        Scaled::new(second_order_by_sample(critic, samples, evaluation.directions(), &a, &c)).norms()
    };
    Effective { values, slopes, critic_slopes }
}

/// What [`effective`] says of the values alone.
pub(super) fn effective_values(
    critic: &Critic,
    constraint: &ConstraintConfig,
    samples: Tensor<4>,
) -> Vec<f64> {
    let Some(normalisation) = constraint.normalisation() else {
        return numbers(critic.valid().forward(samples));
    };
    let Evaluation { values, norms, .. } = Evaluation::new(critic, samples, Form::Fastest);
    values.iter().zip(&norms).map(|(&f, &n)| normalisation.at(f, n).value).collect()
}
