//! Gradients of a loss of embeddings, chunk by chunk: exact at any size of the batch.
//!
//! ```text
//! 1  for every chunk   h_c = f(x_c; θ)                  without a graph
//! 2  L, ∂L/∂h of all embeddings together
//! 3  for every chunk   h_c = f(x_c; θ) with a graph,    ∂L/∂θ += (∂L/∂h_c)ᵀ·∂h_c/∂θ
//! ```
//!
//! The chain rule is a sum over samples, so that step 3 adds up to the gradient of the whole batch. What it takes is the
//! activations of one chunk, twice the embeddings, and the forward pass once more; the last chunk keeps its graph from step 1
//! and is spared that. Noise is a function of the sample, so both passes see the same and chunks may be of any size. Layers
//! that couple the samples of a batch have no place in `f`. Source: Gao, Zhang, Han and Callan, "Scaling deep contrastive
//! learning batch size under memory limited setup", 2021, section 3.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::Tensor;
use mixlab_nn::{add_gradients, backward_from, parameter_gradients};

use super::{EmbeddingGradient, EmbeddingLoss};
use crate::ByPath;

/// Makes embeddings of some rows of a batch.
pub trait Embedder<M> {
    /// Rows of the batch.
    fn rows(&self) -> usize;

    /// Embeddings `[rows, d]` of some rows. A row's embedding depends on the row alone. With `tracked` the model has
    /// gradient tracking, and the inputs have to be where it is.
    fn embed(&self, model: &M, rows: Range<usize>, tracked: bool) -> Tensor<2>;
}

/// A loss with the gradients of all parameters.
#[derive(Clone, Debug)]
pub struct CachedGradients {
    /// What the loss stage found.
    pub stage: EmbeddingGradient,
    /// Gradients by path.
    pub parameters: ByPath,
    /// The embeddings `[rows, d]`.
    pub embeddings: Tensor<2>,
}

/// Ranges of at most `size` rows; the last may be shorter.
///
/// # Panics
/// If `size` is 0.
pub fn chunks(rows: usize, size: usize) -> Vec<Range<usize>> {
    assert!(size > 0, "chunks have rows");
    (0..rows).step_by(size).map(|start| start..rows.min(start + size)).collect()
}

/// Loss and gradients of a batch whose rows go through the model in `chunks`, which cover them in order. One chunk is the
/// plain backward pass. `model` has gradient tracking; results have not.
///
/// # Panics
/// If there is no chunk.
pub fn cached_gradients<M: Module>(
    model: &M,
    embedder: &dyn Embedder<M>,
    chunks: &[Range<usize>],
    loss: &dyn EmbeddingLoss,
) -> CachedGradients {
    let (last, others) = chunks.split_last().expect("a batch has rows");
    let valid = model.valid();
    let mut parts: Vec<Tensor<2>> =
        others.iter().map(|rows| embedder.embed(&valid, rows.clone(), false)).collect();
    let kept = embedder.embed(model, last.clone(), true);
    parts.push(kept.clone().inner());
    let embeddings = Tensor::cat(parts, 0);
    let stage = loss.evaluate(&embeddings);
    let seed = |rows: &Range<usize>| stage.embeddings.clone().narrow(0, rows.start, rows.len());
    let mut parameters = ByPath::new();
    let mut back = |embedded: Tensor<2>, rows: &Range<usize>| {
        let mut gradients = backward_from(embedded, seed(rows));
        add_gradients(&mut parameters, parameter_gradients(model, &mut gradients));
    };
    // First, so that its graph is gone before the next is made.
    back(kept, last);
    for rows in others {
        back(embedder.embed(model, rows.clone(), true), rows);
    }
    CachedGradients { stage, parameters, embeddings }
}
