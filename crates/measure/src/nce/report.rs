//! What a study of rounding found.

use mixlab_kernels::RowLoss;
use serde::Serialize;

use super::format::Format;

/// Errors of three contrastive losses by batch, temperature, gap, format and arithmetic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NceReport {
    /// Draws of negatives that errors are means of.
    pub draws: u64,
    /// Seed of the negatives.
    pub seed: u64,
    /// Standard deviation of the cosines of negatives around 0.
    pub deviation: f64,
    /// Every batch at every temperature and gap.
    pub cases: Vec<CaseReport>,
    /// What is lost, and which loss keeps it.
    pub verdict: String,
}

/// One batch, temperature and gap.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseReport {
    /// Candidates of the anchor, its positive among them.
    pub batch: usize,
    /// τ, which cosines are divided by.
    pub temperature: f64,
    /// Cosine of the positive; that of negatives is 0 in the mean.
    pub gap: f64,
    /// ξ = Σ e^(s_i − s_t) over the negatives, mean of the draws.
    pub xi: f64,
    /// By format.
    pub formats: Vec<FormatReport>,
}

/// One format of numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FormatReport {
    /// The format.
    pub format: Format,
    /// How far rounding the scores, and nothing else, moves the gradient of InfoNCE, relative to its norm. The other errors
    /// start from rounded scores and are beside this one.
    pub rounded_scores: f64,
    /// With the result of every operation rounded, as usual kernels do.
    pub stepwise: Losses,
    /// In the kernel of Mixlab, whose sums are in double precision.
    pub kernel: Losses,
}

/// Errors of the three losses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Losses {
    /// InfoNCE as `LSE − s_t` and `softmax − 1`.
    pub naive: Errors,
    /// InfoNCE as `log1p(ξ)` and minus the sum of the negatives' shares.
    pub exact: Errors,
    /// FlatNCE, against FlatNCE.
    pub flat_nce: Errors,
}

/// Relative errors against double precision on the same scores, mean of the draws.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Errors {
    /// Of the derivative by the positive's score.
    pub positive: f64,
    /// Of the derivatives by the negatives' scores: ‖g − g₆₄‖ / ‖g₆₄‖.
    pub negatives: f64,
    /// Of the loss.
    pub loss: f64,
    /// The share of the gradient that is lost: ‖g − g₆₄‖ / ‖g₆₄‖ over all scores.
    pub lost: f64,
}

impl Losses {
    /// The losses in the order of the tables.
    pub const ALL: [RowLoss; 3] = [RowLoss::NaiveInfoNce, RowLoss::InfoNce, RowLoss::FlatNce];

    /// The errors of one loss.
    pub fn of(&self, loss: RowLoss) -> &Errors {
        match loss {
            RowLoss::NaiveInfoNce => &self.naive,
            RowLoss::InfoNce => &self.exact,
            RowLoss::FlatNce => &self.flat_nce,
        }
    }

    pub(super) fn each(errors: impl Fn(RowLoss) -> Errors) -> Self {
        let [naive, exact, flat_nce] = Self::ALL.map(errors);
        Losses { naive, exact, flat_nce }
    }

    pub(super) fn mean(all: &[Losses]) -> Self {
        Self::each(|loss| {
            let mean = |part: fn(&Errors) -> f64| {
                all.iter().map(|losses| part(losses.of(loss))).sum::<f64>() / all.len() as f64
            };
            Errors {
                positive: mean(|errors| errors.positive),
                negatives: mean(|errors| errors.negatives),
                loss: mean(|errors| errors.loss),
                lost: mean(|errors| errors.lost),
            }
        })
    }
}
