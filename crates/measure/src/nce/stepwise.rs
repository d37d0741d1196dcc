//! The losses as usual kernels compute them: every operation gives a number of the format.
//!
//! ```text
//! softmax(s)    m = max s,  e_i = exp(s_i − m),  Z = Σ e_i,  p_i = e_i / Z,  LSE = m + log Z
//! naive         loss = LSE − s_t              ∂/∂s_t = p_t − 1              ∂/∂s_i = p_i
//! exact         loss = log1p(ξ)               ∂/∂s_t = −Σ_{i≠t} p_i         ∂/∂s_i = p_i
//! FlatNCE       loss = LSE of negatives − s_t ∂/∂s_t = −1                   ∂/∂s_i = softmax over negatives
//! ```
//!
//! Sums are kept in single precision, as all processors do for narrower formats, and rounded at their end.

use mixlab_kernels::RowLoss;

use super::derivatives::Derivatives;
use super::format::Format;

/// Partial sums that a sum runs in side by side: a vector register of single precision.
const LANES: usize = 4;
/// Numbers that are added one after the other; longer sums are halved.
const BLOCK: usize = 64;

/// A loss and its derivatives by scores, of which the first is the positive's, with every operation rounded.
pub(super) fn stepwise(scores: &[f64], loss: RowLoss, format: Format) -> Derivatives {
    let round = |x: f64| format.round(x);
    let positive = scores[0];
    match loss {
        RowLoss::NaiveInfoNce => {
            let Softmax { mut shares, log_sum } = softmax(scores, format);
            shares[0] = round(shares[0] - 1.0);
            Derivatives { loss: round(log_sum - positive), by_scores: shares }
        }
        RowLoss::InfoNce => {
            let Softmax { mut shares, log_sum } = softmax(scores, format);
            shares[0] = -round(sum(&shares[1..]));
            let behind: Vec<f64> = scores[1..].iter().map(|score| round(score - positive)).collect();
            // A positive that is not the first has no small loss, and ξ might overflow.
            let loss = if behind.iter().all(|&distance| distance <= 0.0) {
                let each: Vec<f64> = behind.iter().map(|distance| round(distance.exp())).collect();
                round(round(sum(&each)).ln_1p())
            } else {
                round(log_sum - positive)
            };
            Derivatives { loss, by_scores: shares }
        }
        RowLoss::FlatNce => {
            let Softmax { shares, log_sum } = softmax(&scores[1..], format);
            let by_scores = [&[-1.0], shares.as_slice()].concat();
            Derivatives { loss: round(log_sum - positive), by_scores }
        }
    }
}

/// The softmax of some scores, and their logsumexp.
struct Softmax {
    shares: Vec<f64>,
    log_sum: f64,
}

fn softmax(scores: &[f64], format: Format) -> Softmax {
    let round = |x: f64| format.round(x);
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = scores.iter().map(|score| round(round(score - highest).exp())).collect();
    let mass = round(sum(&exponentials));
    let shares = exponentials.iter().map(|e| round(e / mass)).collect();
    Softmax { shares, log_sum: round(highest + round(mass.ln())) }
}

/// A sum in single precision, in the order of a vectorised kernel.
fn sum(values: &[f64]) -> f64 {
    fn single(values: &[f64]) -> f32 {
        if values.len() > BLOCK {
            let (first, second) = values.split_at(values.len() / 2);
            return single(first) + single(second);
        }
        let mut lanes = [0.0f32; LANES];
        for (index, &value) in values.iter().enumerate() {
            lanes[index % LANES] += value as f32;
        }
        (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
    }
    f64::from(single(values))
}
