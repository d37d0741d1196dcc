//! Options of contrastive runs.

use std::num::NonZeroUsize;

use mixlab_data::ContrastiveKind;
use mixlab_objectives::contrastive::{
    Contrast, ContrastiveLoss, Directions, Layout, Logits, TemperatureConfig,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// How much goes through the model at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number of rows of at least 1, or { tokens = N }")]
pub enum Chunk {
    /// So many rows.
    Rows(NonZeroUsize),
    /// As many rows as have so many tokens together, padding included, or patches; one at least. A batch of short texts goes
    /// through in fewer chunks than one of long ones.
    Tokens {
        /// The number of tokens.
        tokens: NonZeroUsize,
    },
}

impl Chunk {
    /// Its rows, of `positions` tokens or patches each.
    pub fn rows(self, positions: usize) -> usize {
        match self {
            Chunk::Rows(rows) => rows.get(),
            Chunk::Tokens { tokens } => (tokens.get() / positions.max(1)).max(1),
        }
    }
}

/// What a contrastive run learns from, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ContrastiveConfig {
    /// What the examples are.
    pub examples: ContrastiveKind,
    /// How the scores of an anchor become a loss.
    pub loss: ContrastiveLoss,
    /// What cosines are divided by.
    pub temperature: TemperatureConfig,
    /// Which of the two texts of a pair are anchors.
    pub directions: Directions,
    /// Weight of an anchor's own hard negatives among all negatives, of triples.
    pub hard_negative_weight: f64,
    /// Whether rows that are the same text, or have the same text as their partner, are never each other's negatives.
    pub mask_same: bool,
    /// Rows that go through the model at once, or `{ tokens = N }`; absent: all. The gradient is that of the whole batch in any
    /// case, noise included; smaller chunks take less memory, and a forward pass more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk: Option<Chunk>,
    /// What scores and probabilities are rounded to, to see what narrower arithmetic would do.
    pub logits: Logits,
}

impl Default for ContrastiveConfig {
    fn default() -> Self {
        ContrastiveConfig {
            examples: ContrastiveKind::default(),
            loss: ContrastiveLoss::default(),
            temperature: TemperatureConfig::default(),
            directions: Directions::default(),
            hard_negative_weight: 1.0,
            mask_same: true,
            chunk: None,
            logits: Logits::default(),
        }
    }
}

impl ContrastiveConfig {
    /// # Errors
    /// A number out of its range; FlatNCE with a temperature that is learned without bounds; both directions of examples
    /// that have one.
    pub fn validate(&self) -> Result<(), TrainError> {
        if let Err((key, found, expected)) = self.temperature.check() {
            let key = match key {
                "value" => "objective.temperature.value",
                "initial" => "objective.temperature.initial",
                "minimum" => "objective.temperature.minimum",
                _ => "objective.temperature.maximum",
            };
            return Err(TrainError::out_of_range(key, found, expected));
        }
        if !(self.hard_negative_weight > 0.0 && self.hard_negative_weight.is_finite()) {
            let key = "objective.hard_negative_weight";
            return Err(TrainError::out_of_range(key, self.hard_negative_weight, "above 0"));
        }
        if let (ContrastiveLoss::FlatNce, TemperatureConfig::Learned { .. }) = (self.loss, self.temperature) {
            return Err(TrainError::Conflict {
                first: "objective.loss = \"flat_nce\"".into(),
                second: "objective.temperature.kind = \"learned\"".into(),
                reason: "the loss falls without end as the temperature goes to 0".into(),
                remedy: "use `objective.temperature.kind = \"clamped\"` or \"fixed\"".into(),
            });
        }
        let one_tower = !matches!(self.examples, ContrastiveKind::Pairs | ContrastiveKind::Triples);
        if one_tower && self.directions == Directions::Both {
            return Err(TrainError::Conflict {
                first: "objective.directions = \"both\"".into(),
                second: "examples of one text or image".into(),
                reason: "every row is an anchor already".into(),
                remedy: "leave out `objective.directions`".into(),
            });
        }
        Ok(())
    }

    /// Rows that go through the model at once, of a batch of `rows` with `positions` tokens or patches each.
    pub fn rows_at_once(&self, rows: usize, positions: usize) -> usize {
        self.chunk.map_or(rows, |chunk| chunk.rows(positions)).clamp(1, rows.max(1))
    }

    /// The loss of a batch of this layout, whose rows have these identities, at a logarithm of 1/τ.
    pub fn contrast<'a>(&self, layout: &'a Layout, identities: &'a [u64], log_scale: f64) -> Contrast<'a> {
        Contrast {
            layout,
            identities: self.mask_same.then_some(identities),
            loss: self.loss,
            directions: self.directions,
            scale: self.temperature.clamp(log_scale).exp(),
            logits: self.logits,
        }
    }

    /// What the rows of a batch of `examples` examples are to each other.
    pub fn layout(&self, examples: usize, labels: Option<&[u64]>) -> Layout {
        match self.examples {
            ContrastiveKind::Pairs => Layout::TwoTowers { pairs: examples, negatives: 0, shift: 0.0 },
            ContrastiveKind::Triples => {
                let shift = self.hard_negative_weight.ln();
                Layout::TwoTowers { pairs: examples, negatives: 1, shift }
            }
            ContrastiveKind::Sentences | ContrastiveKind::Images => Layout::TwoViews { items: examples },
            ContrastiveKind::Labelled => Layout::Labelled { labels: labels.unwrap_or_default().to_vec() },
        }
    }
}
