//! One line of `metrics.jsonl`.

use std::path::Path;

use mixlab_objectives::contrastive::{Geometry, Monitors};
use serde::{Deserialize, Serialize};

use crate::adversarial::{AdversarialTerms, ModeTerms, SteepnessTerms};
use crate::text_vae::{LatentUse, LayerUse};
use crate::{TrainError, storage};

/// Which data a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The data updates are made from.
    Train,
    /// The held-out data.
    Eval,
}

/// The two terms of the evidence lower bound of texts, each in nats of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextVaeTerms {
    /// −log p(x|z), over the tokens of a sentence and its end, at latents drawn from its posterior.
    pub reconstruction: f64,
    /// Divergence of the posterior from the prior, over all layers.
    pub divergence: f64,
    /// β that was in force; only on train lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beta: Option<f64>,
}

impl TextVaeTerms {
    fn entries(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let beta = self.beta.map(|beta| ("beta", beta));
        [("reconstruction", self.reconstruction), ("divergence", self.divergence)].into_iter().chain(beta)
    }
}

/// One line of `metrics.jsonl`. Everything but `seconds` and `tokens_per_second` is the same in every
/// run of the same configuration, interrupted or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsLine {
    /// Updates made, or tried, so far.
    pub step: u64,
    /// Which data the line is about.
    pub split: Split,
    /// Mean negative log-likelihood in nats per token; on train lines over the updates since the last
    /// line. Absent if every one of them was skipped. Of text VAEs a bound of it: reconstruction and divergence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Negative log-likelihood of the held-out text in bits per UTF-8 byte; only on eval lines of
    /// causal models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_byte: Option<f64>,
    /// Share of the held-out examples whose class was told right, on eval lines of classifiers; share of held-out anchors
    /// whose nearest candidate belongs to them, on eval lines of embedding models; share of held-out sentences that come back
    /// exactly, on eval lines of text VAEs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// What the anchors of the update tell; only on train lines of contrastive runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitors: Option<Monitors>,
    /// Where held-out embeddings lie; only on eval lines of contrastive runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geometry: Option<Geometry>,
    /// What the loss is made of; only of text VAEs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<TextVaeTerms>,
    /// How the latents of held-out sentences are used; only on eval lines of text VAEs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<LatentUse>,
    /// What both players say; only on train lines of adversarial runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adversarial: Option<AdversarialTerms>,
    /// Energy distance of made samples from real ones, which is the loss; only on eval lines of generators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_distance: Option<f64>,
    /// How made points lie at the modes of a mixture; only on eval lines of generators of points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modes: Option<ModeTerms>,
    /// How steep the critic is at held-out samples; only on eval lines of generators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steepness: Option<SteepnessTerms>,
    /// Learning rate of the update; only on train lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Global norm of the gradient before clipping; only on train lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f64>,
    /// Why the update was skipped, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Tokens trained on so far, or tokens scored on eval lines.
    pub tokens: u64,
    /// Seconds the run has been training, over all its sittings.
    pub seconds: f64,
    /// Tokens per second since the last line of the same split.
    pub tokens_per_second: f64,
}

impl MetricsLine {
    /// The line with its end.
    pub(super) fn to_json(&self) -> String {
        // A struct of numbers and text has no way to fail; an empty line would still be readable.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// Tag and value of every number, for viewers.
    pub(super) fn scalars(&self) -> Vec<(String, f64)> {
        let split = match self.split {
            Split::Train => "train",
            Split::Eval => "eval",
        };
        [
            ("loss", self.loss),
            ("bits_per_byte", self.bits_per_byte),
            ("accuracy", self.accuracy),
            ("alignment", self.geometry.and_then(|geometry| geometry.alignment)),
            ("uniformity", self.geometry.and_then(|geometry| geometry.uniformity)),
            ("learning_rate", self.learning_rate),
            ("grad_norm", self.grad_norm),
            ("tokens_per_second", Some(self.tokens_per_second)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((format!("{split}/{name}"), value?)))
        .chain(
            self.monitors
                .iter()
                .flat_map(Monitors::entries)
                .chain(self.terms.iter().flat_map(TextVaeTerms::entries))
                .chain(self.adversarial.iter().flat_map(AdversarialTerms::entries))
                .chain(self.modes.iter().flat_map(ModeTerms::entries))
                .chain(self.steepness.iter().flat_map(SteepnessTerms::entries))
                .map(|(name, value)| (format!("{split}/{name}"), value)),
        )
        .chain(self.usage.iter().flat_map(|usage| {
            let layer = move |layer: &LayerUse| {
                (format!("{split}/rise_of_layer_{}", layer.layer), layer.rise_by_other)
            };
            usage.layers.iter().map(layer)
        }))
        .collect()
    }
}

/// Reads a metrics file.
///
/// # Errors
/// [`TrainError::Read`], or [`TrainError::Damaged`] with the number of the first line that is wrong.
pub fn read_lines(path: &Path) -> Result<Vec<MetricsLine>, TrainError> {
    let text = storage::read(path)?;
    let text = str::from_utf8(&text).map_err(TrainError::damaged(path))?;
    let parse = |(index, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| TrainError::Damaged {
            path: path.to_owned(),
            reason: format!("line {}: {error}", index + 1),
        })
    };
    text.lines().enumerate().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_numbers_are_absent() {
        let line = MetricsLine {
            step: 3,
            split: Split::Eval,
            loss: Some(1.5),
            bits_per_byte: Some(2.25),
            accuracy: None,
            monitors: None,
            geometry: None,
            terms: None,
            usage: None,
            adversarial: None,
            energy_distance: None,
            modes: None,
            steepness: None,
            learning_rate: None,
            grad_norm: None,
            skipped: None,
            tokens: 7,
            seconds: 0.5,
            tokens_per_second: 14.0,
        };
        let expected = concat!(
            r#"{"step":3,"split":"eval","loss":1.5,"bits_per_byte":2.25,"#,
            r#""tokens":7,"seconds":0.5,"tokens_per_second":14.0}"#,
            "\n"
        );
        assert_eq!(line.to_json(), expected);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        std::fs::write(&path, expected).unwrap();
        assert_eq!(read_lines(&path).unwrap(), [line]);
        std::fs::write(&path, format!("{expected}oops\n")).unwrap();
        assert!(read_lines(&path).unwrap_err().to_string().contains("line 2"));
    }
}
