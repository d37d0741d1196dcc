//! Contrastive losses of embeddings: every anchor has to tell its positives among all candidates.
//!
//! With scores `s_ij = β·⟨q_i, d_j⟩`, weights `t_ij ≥ 0` of the positives of anchor i and `r_i = Σ_j t_ij`,
//!
//! ```text
//! InfoNCE   Σ_i Σ_j t_ij · log(1 + ξ_ij)    ξ_ij = Σ_{k≠j} e^(s_ik − s_ij)      ∂/∂s_ij = r_i·p_ij − t_ij
//! FlatNCE   Σ_i Σ_j t_ij · log ξ⁻_ij         ξ⁻_ij: over the negatives only      ∂/∂s_ij = r_i·w_ij − t_ij
//! ```
//!
//! where p is the softmax over all candidates and w that over the negatives. The loss comes with its gradients, which seed
//! the backward pass of whatever made the embeddings; no graph is kept, and scores are held for a block of anchors at a
//! time. Sources: van den Oord et al. 2018, equation 4; Chen et al., "Simpler, faster, stronger: breaking the log-K curse
//! on contrastive learners with FlatNCE", 2021; Gao et al., "Scaling deep contrastive learning batch size under memory
//! limited setup", 2021.

mod row;
mod stage;
#[cfg(test)]
mod tests;

use burn::tensor::{DType, Tensor, bf16, f16};

/// How a row of scores becomes a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowLoss {
    /// InfoNCE as usual kernels compute it: `logsumexp − s` and `softmax − 1`, which round to nothing once a positive is far
    /// above its negatives. To show the failure.
    NaiveInfoNce,
    /// InfoNCE in forms that keep every digit: `log1p(ξ)`, and for the positive minus the sum of the others' gradients.
    InfoNce,
    /// The logarithm of ξ itself: every anchor pulls with its whole weight, however well it does already.
    FlatNce,
}

/// Numbers that scores and probabilities are rounded to, to see what narrower arithmetic would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// None beyond that of the tensors.
    #[default]
    None,
    /// bfloat16: 8 bits of precision.
    Bfloat16,
    /// IEEE half precision: 11 bits.
    Half,
}

impl Rounding {
    /// The nearest number that is left.
    pub fn round(self, x: f64) -> f64 {
        match self {
            Rounding::None => x,
            Rounding::Bfloat16 => bf16::from_f64(x).to_f64(),
            Rounding::Half => f16::from_f64(x).to_f64(),
        }
    }
}

/// What a candidate is to an anchor, where it is no plain negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    /// It does not take part.
    Absent,
    /// It is to be told, with this weight.
    Positive(f64),
    /// It is a negative whose score has this much added.
    Shifted(f64),
}

/// A candidate that is no plain negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Special {
    /// Index of the candidate.
    pub candidate: usize,
    /// What it is.
    pub part: Part,
}

/// Which candidates are what to which anchor.
pub trait Pairing: Sync {
    /// The candidates of an anchor that are no plain negatives, each once. An anchor without a positive does not count.
    fn specials(&self, anchor: usize) -> Vec<Special>;
}

/// Options of a contrastive loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContrastiveOptions {
    /// The loss of a row.
    pub loss: RowLoss,
    /// β, the inverse of the temperature.
    pub scale: f64,
    /// What every anchor's loss is multiplied by, usually one over their number.
    pub weight: f64,
    /// Simulated rounding.
    pub rounding: Rounding,
}

/// What is known of an anchor, for monitoring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnchorStatistics {
    /// Score of the positive; of several their weighted mean.
    pub positive: f64,
    /// logsumexp of the scores of the negatives; −∞ without any.
    pub negatives: f64,
    /// 1 − p of the positive, the weight that InfoNCE gives to the anchor; of several their weighted mean.
    pub error: f64,
    /// Kish's effective number of negatives, `(Σ e^s)² / Σ e^(2s)`.
    pub effective: f64,
}

/// A loss with its gradients.
#[derive(Clone, Debug)]
pub struct Contrasted {
    /// The weighted loss of all anchors.
    pub loss: f64,
    /// Its gradient by the anchors' embeddings `[b, d]`.
    pub anchors: Tensor<2>,
    /// Its gradient by the candidates' embeddings `[m, d]`.
    pub candidates: Tensor<2>,
    /// Its derivative by β.
    pub scale: f64,
    /// Of every anchor that counts, in order.
    pub statistics: Vec<AnchorStatistics>,
}

/// The loss of anchors `[b, d]` among candidates `[m, d]`, with its gradients.
///
/// The same bits come out on any number of threads.
///
/// # Panics
/// If the widths differ, or a special candidate is not below m.
pub fn contrastive_loss(
    anchors: &Tensor<2>,
    candidates: &Tensor<2>,
    pairing: &dyn Pairing,
    options: ContrastiveOptions,
) -> Contrasted {
    let ([_, width], [_, other]) = (anchors.dims(), candidates.dims());
    assert_eq!(width, other, "anchors and candidates have one width");
    match anchors.dtype() {
        DType::F64 => stage::run::<f64>(anchors, candidates, pairing, options),
        _ => stage::run::<f32>(anchors, candidates, pairing, options),
    }
}
