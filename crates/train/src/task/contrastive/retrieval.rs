//! How well embeddings find what belongs together.

use burn::tensor::Tensor;

/// Anchors whose scores are computed at once: 2²⁰ scores.
const SCORES: usize = 1 << 20;

/// Hands out the scores of every anchor among all candidates, an anchor at a time.
fn for_each_anchor(anchors: &Tensor<2>, candidates: &Tensor<2>, receive: &mut dyn FnMut(usize, &[f64])) {
    let ([rows, _], [others, _]) = (anchors.dims(), candidates.dims());
    let turned = candidates.clone().transpose();
    let block = (SCORES / others.max(1)).clamp(1, rows.max(1));
    for start in (0..rows).step_by(block) {
        let part = anchors.clone().narrow(0, start, block.min(rows - start));
        let scores: Vec<f64> = part.matmul(turned.clone()).into_data().iter().collect();
        for (i, scores) in scores.chunks_exact(others).enumerate() {
            receive(start + i, scores);
        }
    }
}

/// Share of anchors whose nearest candidate is their own, row i of the candidates for row i of the anchors. What is as near as
/// another is not found.
pub(super) fn recall_at_one(anchors: &Tensor<2>, candidates: &Tensor<2>) -> f64 {
    let (mut found, mut all) = (0usize, 0usize);
    for_each_anchor(anchors, candidates, &mut |i, scores| {
        let better = scores.iter().enumerate().any(|(j, &score)| j != i && score >= scores[i]);
        found += usize::from(!better);
        all += 1;
    });
    found as f64 / all.max(1) as f64
}

/// Share of rows whose nearest other row has their label; of equal scores the first counts.
pub(super) fn nearest_has_label(embeddings: &Tensor<2>, labels: &[u32]) -> f64 {
    let mut found = 0usize;
    for_each_anchor(embeddings, embeddings, &mut |i, scores| {
        let others = scores.iter().enumerate().filter(|&(j, _)| j != i);
        let nearest = others.max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
        found += usize::from(nearest.is_some_and(|(j, _)| labels[j] == labels[i]));
    });
    found as f64 / labels.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device, TensorData};

    fn on_circle(degrees: &[f64]) -> Tensor<2> {
        let points: Vec<f64> =
            degrees.iter().flat_map(|a| [a.to_radians().cos(), a.to_radians().sin()]).collect();
        Tensor::from_data(TensorData::new(points, [degrees.len(), 2]), (&Device::flex(), DType::F64))
    }

    #[test]
    fn the_nearest_is_found() {
        let (anchors, candidates) = (on_circle(&[0.0, 90.0, 180.0]), on_circle(&[10.0, 100.0, 95.0]));
        assert_eq!(recall_at_one(&anchors, &candidates), 1.0 / 3.0);
        // What is equal to all others is not found.
        let same = on_circle(&[5.0, 5.0]);
        assert_eq!(recall_at_one(&same, &same), 0.0);
        let embeddings = on_circle(&[0.0, 5.0, 90.0, 95.0]);
        assert_eq!(nearest_has_label(&embeddings, &[1, 1, 2, 2]), 1.0);
        assert_eq!(nearest_has_label(&embeddings, &[1, 2, 2, 1]), 0.0);
    }
}
