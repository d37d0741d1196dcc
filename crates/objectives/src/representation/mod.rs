//! How good embeddings are: what they find, and what can be read off them.
//!
//! All measures take embeddings `[n, d]` whose scalar products are similarities, cosines where rows have unit length.

mod correlation;
mod neighbours;
mod probe;
mod retrieval;

pub use correlation::{pearson, spearman};
pub use neighbours::neighbour_accuracy;
pub use probe::{LinearProbe, ProbeOptions};
pub use retrieval::{mean_reciprocal_rank, ranks, recall};

use burn::tensor::Tensor;

/// Scores that are computed at once.
const SCORES: usize = 1 << 20;

/// Hands out the scores of every row of `a` among all rows of `b`, a row at a time.
fn for_each_row(a: &Tensor<2>, b: &Tensor<2>, receive: &mut dyn FnMut(usize, &[f64])) {
    let ([rows, _], [others, _]) = (a.dims(), b.dims());
    let turned = b.clone().transpose();
    let block = (SCORES / others.max(1)).clamp(1, rows.max(1));
    for start in (0..rows).step_by(block) {
        let part = a.clone().narrow(0, start, block.min(rows - start));
        let scores: Vec<f64> = part.matmul(turned.clone()).into_data().iter().collect();
        for (i, scores) in scores.chunks_exact(others).enumerate() {
            receive(start + i, scores);
        }
    }
}

#[cfg(test)]
mod support {
    use burn::tensor::{DType, Device, Tensor, TensorData};

    /// Unit vectors at these angles.
    pub fn on_circle(degrees: &[f64]) -> Tensor<2> {
        let points: Vec<f64> =
            degrees.iter().flat_map(|a| [a.to_radians().cos(), a.to_radians().sin()]).collect();
        Tensor::from_data(TensorData::new(points, [degrees.len(), 2]), (&Device::flex(), DType::F64))
    }
}
