//! The loss of one anchor and its derivatives by the scores, from the kernel of Mixlab, and how far two of them are apart.

use burn::tensor::{DType, Tensor, TensorData};
use mixlab_core::DeviceChoice;
use mixlab_kernels::{ContrastiveOptions, Pairing, Part, RowLoss, Special, contrastive_loss};

use super::format::Format;
use super::report::Errors;

/// The loss of one anchor and its derivatives by the scores `[K]`, of which the first is the positive's.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Derivatives {
    pub loss: f64,
    pub by_scores: Vec<f64>,
}

/// The first candidate is the positive of the only anchor.
struct FirstIsPositive;

impl Pairing for FirstIsPositive {
    fn specials(&self, _anchor: usize) -> Vec<Special> {
        vec![Special { candidate: 0, part: Part::Positive(1.0) }]
    }
}

/// By the kernel on tensors in single precision, with scores and probabilities rounded to the format.
pub(super) fn by_kernel(scores: &[f64], loss: RowLoss, format: Format) -> Derivatives {
    run(scores, DType::F32, ContrastiveOptions { loss, rounding: format.rounding(), ..plain() })
}

/// By the kernel in double precision, where nothing cancels: what the others are compared with.
pub(super) fn in_double(scores: &[f64], loss: RowLoss) -> Derivatives {
    let loss = if loss == RowLoss::NaiveInfoNce { RowLoss::InfoNce } else { loss };
    run(scores, DType::F64, ContrastiveOptions { loss, ..plain() })
}

fn plain() -> ContrastiveOptions {
    ContrastiveOptions { loss: RowLoss::InfoNce, scale: 1.0, weight: 1.0, rounding: Default::default() }
}

/// The anchor is the vector (1), and the candidates are the scores themselves: products are exact, so that single and double
/// precision start from the same scores, and the gradient by a candidate is the derivative by its score.
fn run(scores: &[f64], dtype: DType, options: ContrastiveOptions) -> Derivatives {
    let device = DeviceChoice::default().device();
    let column = |values: Vec<f64>| {
        let rows = values.len();
        Tensor::<2>::from_data(TensorData::new(values, [rows, 1]), (&device, dtype))
    };
    let found = contrastive_loss(&column(vec![1.0]), &column(scores.to_vec()), &FirstIsPositive, options);
    Derivatives { loss: found.loss, by_scores: found.candidates.to_data().iter::<f64>().collect() }
}

impl Derivatives {
    /// Relative errors against what is exact.
    pub fn errors(&self, exact: &Derivatives) -> Errors {
        let (found, expected) = (&self.by_scores, &exact.by_scores);
        Errors {
            positive: relative_error(found[0], expected[0]),
            negatives: relative_distance(&found[1..], &expected[1..]),
            loss: relative_error(self.loss, exact.loss),
            lost: relative_distance(found, expected),
        }
    }
}

/// |found − expected| / |expected|.
fn relative_error(found: f64, expected: f64) -> f64 {
    relative_distance(&[found], &[expected])
}

/// ‖found − expected‖ / ‖expected‖.
pub(super) fn relative_distance(found: &[f64], expected: &[f64]) -> f64 {
    let difference = found.iter().zip(expected).map(|(found, expected)| found - expected);
    let distance = norm(difference);
    // Two zeros are equal, and no quotient says so.
    if distance == 0.0 { 0.0 } else { distance / norm(expected.iter().copied()) }
}

/// ‖x‖. The smallest derivatives that options allow are about 10⁻⁹⁰, whose squares are still numbers.
fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}
