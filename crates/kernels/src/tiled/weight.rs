//! From a row of scores to a row of weights, and back.

use super::vector;
use crate::cpu::Real;

/// The function from scores to weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Weight<T> {
    /// exp(score − log Σ exp) over the row.
    Softmax,
    /// max(score, 0)².
    SquaredRelu,
    /// 0.5 · (1 + erf((score − mean) / (deviation · sqrt 2))).
    Laplace { mean: T, deviation: T },
    /// The score itself.
    Identity,
}

impl<T: Real> Weight<T> {
    /// Scores to weights where each weight depends on its own score alone; the softmax is left to the caller,
    /// who sees the row in pieces.
    pub(crate) fn apply(self, row: &mut [T]) {
        match self {
            Weight::Softmax | Weight::Identity => {}
            Weight::SquaredRelu => vector::squared_relu(row),
            Weight::Laplace { mean, deviation } => vector::laplace(row, mean, deviation),
        }
    }

    /// Scores to weights and gradients of the weights to gradients of the scores, in place.
    pub(crate) fn backward(self, scores: &mut [T], gradients: &mut [T], softmax: SoftmaxRow<T>) {
        match self {
            Weight::Identity => {}
            Weight::Softmax => vector::softmax_backward(scores, gradients, softmax.log_sum, softmax.mean),
            Weight::SquaredRelu => vector::squared_relu_backward(scores, gradients),
            Weight::Laplace { mean, deviation } => {
                vector::laplace_backward(scores, gradients, mean, deviation);
            }
        }
    }
}

/// What the backward pass of a softmax knows of a whole row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoftmaxRow<T> {
    /// log Σ exp(score).
    pub(crate) log_sum: T,
    /// Σ weight · gradient of the weight, which is the product of output and its gradient.
    pub(crate) mean: T,
}
