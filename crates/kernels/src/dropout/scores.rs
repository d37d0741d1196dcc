//! Dropout of attention weights.

use burn::tensor::{Tensor, TensorData};

use super::Dropout;

/// Index of the weight of (head, query position, key position) in a sample's stream; positions are
/// absolute, so that the mask does not depend on how a sequence is cut.
#[inline]
pub(crate) fn score_element(head: usize, query: usize, key: usize) -> u64 {
    (head as u64) << 48 | (query as u64) << 24 | key as u64
}

impl Dropout {
    /// What the weight of (head, query, key) of row `b` is multiplied by.
    #[inline]
    pub(crate) fn score_factor(&self, b: usize, head: usize, query: usize, key: usize) -> f64 {
        let bits = self.key.sample(self.samples[b]).bits(score_element(head, query, key));
        if bits < self.threshold() { 0.0 } else { self.survivor_scale() }
    }
}

/// Dropout of attention weights `[batch, heads, queries, keys]`; queries are the last of the keys' positions,
/// unless they outnumber the keys.
pub(crate) fn drop_scores(weights: Tensor<4>, options: &Dropout) -> Tensor<4> {
    let shape @ [batch, heads, queries, keys] = weights.dims();
    let offset = keys.saturating_sub(queries);
    let mut mask = Vec::with_capacity(shape.iter().product());
    for b in 0..batch {
        for head in 0..heads {
            for i in 0..queries {
                mask.extend((0..keys).map(|j| options.score_factor(b, head, offset + i, j)));
            }
        }
    }
    let mask = Tensor::from_data(TensorData::new(mask, shape), (&weights.device(), weights.dtype()));
    weights * mask
}
