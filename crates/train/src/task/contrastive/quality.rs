//! What the embeddings of a trained model are good for.

use burn::tensor::{Device, Tensor};
use mixlab_core::Precision;
use mixlab_data::ContrastiveRows;
use mixlab_nn::{EmbeddingModel, unit_length};
use mixlab_objectives::contrastive::Geometry;
use mixlab_objectives::representation::{
    LinearProbe, ProbeOptions, mean_reciprocal_rank, neighbour_accuracy, ranks, recall, spearman,
};
use serde::Serialize;

use super::embed::embed_column;
use crate::TrainError;
use crate::embed::check_finite;

/// Neighbours that vote on a class.
pub const NEIGHBOURS: usize = 5;

/// Measures of embeddings; absent what the data do not tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EmbeddingQuality {
    /// Examples that were measured on.
    pub examples: usize,
    /// Of pairs: share of sources whose own target is the nearest of all, among the nearest 5 and 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall: Option<[f64; 3]>,
    /// Of pairs: mean of one over the place of the own target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_reciprocal_rank: Option<f64>,
    /// Where the embeddings lie.
    #[serde(flatten)]
    pub geometry: Geometry,
    /// Of scored pairs: Spearman's correlation of cosines and scores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spearman: Option<f64>,
    /// Of labelled texts and images: share whose class most of the nearest [`NEIGHBOURS`] have, among the training texts if there are any, and
    /// else among the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbour_accuracy: Option<f64>,
    /// Of labelled texts and images with those of the training beside them: share that a linear classifier of the embeddings tells right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_accuracy: Option<f64>,
}

/// Measures a model on texts or images. Pairs are measured by what they find, or where they have scores by how well cosines follow them;
/// labelled texts and images by what their neighbours and a linear classifier tell, which learns from `references`.
/// `batch` examples go through the model at once; `place` is where it lives and its type.
///
/// # Errors
/// [`TrainError::EmbeddingNotFinite`] of a model that diverged.
///
/// # Panics
/// If there is not one score for each pair, or the references have no labels.
pub fn evaluate_embedder(
    model: &EmbeddingModel,
    rows: &ContrastiveRows,
    references: Option<&ContrastiveRows>,
    scores: Option<&[f64]>,
    batch: usize,
    place: (&Device, Precision),
) -> Result<EmbeddingQuality, TrainError> {
    let embedded = |rows, column| -> Result<Tensor<2>, TrainError> {
        let found = embed_column(model, rows, column, batch, place);
        let values: Vec<f64> = found.to_data().iter().collect();
        check_finite(&values, found.dims()[1], 0)?;
        // Embeddings of a model without normalisation have any length.
        Ok(unit_length(found))
    };
    let first = embedded(rows, 0)?;
    let second = (rows.columns() > 1).then(|| embedded(rows, 1)).transpose()?;
    let mut quality = EmbeddingQuality {
        examples: rows.len(),
        geometry: Geometry::of(&first, second.as_ref()),
        ..EmbeddingQuality::default()
    };
    if let Some(labels) = rows.labels() {
        let references = match references {
            Some(rows) => Some((embedded(rows, 0)?, rows.labels().expect("labelled texts"))),
            None => None,
        };
        let others = references.as_ref().map(|(embedded, labels)| (embedded, *labels));
        quality.neighbour_accuracy = Some(neighbour_accuracy((&first, labels), others, NEIGHBOURS));
        quality.probe_accuracy = others.map(|(embedded, known)| {
            let classes = labels.iter().chain(known).max().map_or(0, |&last| last as usize + 1);
            LinearProbe::fit(embedded, known, classes, ProbeOptions::default()).accuracy(&first, labels)
        });
    }
    if let Some(second) = second {
        match scores {
            Some(scores) => {
                let cosines: Vec<f64> = (first * second).sum_dim(1).into_data().iter().collect();
                quality.spearman = spearman(&cosines, scores);
            }
            None => {
                let ranks = ranks(&first, &second, Some(rows.identities(1)));
                quality.recall = Some([1, 5, 10].map(|k| recall(&ranks, k)));
                quality.mean_reciprocal_rank = Some(mean_reciprocal_rank(&ranks));
            }
        }
    }
    Ok(quality)
}
