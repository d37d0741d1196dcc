//! From a batch of embeddings to the loss and its gradient.

use burn::tensor::Tensor;
use mixlab_kernels::{AnchorStatistics, Contrasted, ContrastiveOptions, Rounding, RowLoss, contrastive_loss};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Layout;
use super::layout::{Backward, Forward};

/// How the scores of an anchor become a loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContrastiveLoss {
    /// Cross-entropy of the positive among all candidates, computed so that no digit is lost.
    #[default]
    InfoNce,
    /// The same as usual kernels compute it, whose gradient rounds to nothing for anchors that are told well. To show that.
    NaiveInfoNce,
    /// log of the negatives' sum over the positive: every anchor counts alike, however well it is told.
    FlatNce,
}

impl From<ContrastiveLoss> for RowLoss {
    fn from(loss: ContrastiveLoss) -> Self {
        match loss {
            ContrastiveLoss::InfoNce => RowLoss::InfoNce,
            ContrastiveLoss::NaiveInfoNce => RowLoss::NaiveInfoNce,
            ContrastiveLoss::FlatNce => RowLoss::FlatNce,
        }
    }
}

/// Which of two towers are anchors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Directions {
    /// The first of every pair.
    #[default]
    Forward,
    /// Both, whose losses are averaged (CLIP).
    Both,
}

/// What scores and probabilities are rounded to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Logits {
    /// Nothing beyond the precision of the run.
    #[default]
    Full,
    /// bfloat16, to see what it would do.
    Bfloat16,
    /// Half precision, to see what it would do.
    Half,
}

impl From<Logits> for Rounding {
    fn from(logits: Logits) -> Self {
        match logits {
            Logits::Full => Rounding::None,
            Logits::Bfloat16 => Rounding::Bfloat16,
            Logits::Half => Rounding::Half,
        }
    }
}

/// A loss of embeddings with its gradient.
#[derive(Clone, Debug)]
pub struct EmbeddingGradient {
    /// The loss.
    pub loss: f64,
    /// Its gradient by the embeddings `[rows, d]`.
    pub embeddings: Tensor<2>,
    /// Its derivative by the logarithm of 1/τ.
    pub log_scale: f64,
    /// Of every anchor that counts.
    pub statistics: Vec<AnchorStatistics>,
}

/// A loss that sees embeddings and nothing else: all that cached gradients ask for.
pub trait EmbeddingLoss {
    /// Loss and gradient for embeddings `[rows, d]`, which have no graph.
    fn evaluate(&self, embeddings: &Tensor<2>) -> EmbeddingGradient;
}

/// A contrastive loss of one batch.
#[derive(Clone, Debug)]
pub struct Contrast<'a> {
    /// What the rows are to each other.
    pub layout: &'a Layout,
    /// Of every row the identity of the thing: rows of one identity are never each other's negatives.
    pub identities: Option<&'a [u64]>,
    /// The loss of an anchor.
    pub loss: ContrastiveLoss,
    /// Anchors of two towers; of one tower every row is an anchor anyway.
    pub directions: Directions,
    /// 1/τ.
    pub scale: f64,
    /// Simulated rounding.
    pub logits: Logits,
}

impl EmbeddingLoss for Contrast<'_> {
    /// The mean over all anchors. Scores are scalar products over τ: embeddings of unit length make them cosines.
    ///
    /// # Panics
    /// If the embeddings are not as many rows as the layout says.
    fn evaluate(&self, embeddings: &Tensor<2>) -> EmbeddingGradient {
        let [rows, width] = embeddings.dims();
        assert_eq!(rows, self.layout.rows(), "rows of the layout");
        let part = |rows: std::ops::Range<usize>| embeddings.clone().slice([rows, 0..width]);
        let (anchors, candidates) = (part(self.layout.anchors()), part(self.layout.candidates()));
        let both = self.directions == Directions::Both;
        let forward = Forward::new(self.layout, self.identities);
        match *self.layout {
            Layout::TwoTowers { pairs, .. } => {
                let share = if both { 0.5 } else { 1.0 };
                let options = self.options(share / pairs as f64);
                let found = contrastive_loss(&anchors, &candidates, &forward, options);
                let turned = both.then(|| {
                    let backward = Backward::new(pairs, self.identities);
                    contrastive_loss(&part(pairs..2 * pairs), &anchors, &backward, options)
                });
                self.of_two_towers(found, turned, [pairs, rows, width])
            }
            _ => {
                let Contrasted { loss, anchors, candidates, scale, statistics } =
                    contrastive_loss(&anchors, &candidates, &forward, self.options(1.0 / rows as f64));
                let log_scale = scale * self.scale;
                EmbeddingGradient { loss, embeddings: anchors + candidates, log_scale, statistics }
            }
        }
    }
}

impl Contrast<'_> {
    fn options(&self, weight: f64) -> ContrastiveOptions {
        let (loss, rounding) = (self.loss.into(), self.logits.into());
        ContrastiveOptions { loss, scale: self.scale, weight, rounding }
    }

    fn of_two_towers(
        &self,
        forward: Contrasted,
        backward: Option<Contrasted>,
        [pairs, rows, width]: [usize; 3],
    ) -> EmbeddingGradient {
        let Contrasted { mut loss, mut anchors, mut candidates, mut scale, statistics } = forward;
        if let Some(turned) = backward {
            loss += turned.loss;
            scale += turned.scale;
            anchors = anchors + turned.candidates;
            let positives = candidates.clone().slice([0..pairs, 0..width]) + turned.anchors;
            let hard = (rows > 2 * pairs).then(|| candidates.clone().slice([pairs..rows - pairs, 0..width]));
            candidates = Tensor::cat([Some(positives), hard].into_iter().flatten().collect(), 0);
        }
        let embeddings = Tensor::cat(vec![anchors, candidates], 0);
        EmbeddingGradient { loss, embeddings, log_scale: scale * self.scale, statistics }
    }
}
