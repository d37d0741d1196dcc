//! How embeddings lie on the sphere.
//!
//! Source: Wang and Isola, "Understanding contrastive representation learning through alignment and uniformity on the
//! hypersphere", 2020, equations 2 and 3 with α = t = 2.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Where embeddings lie; absent what cannot be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    /// [`alignment`] of pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<f64>,
    /// [`uniformity`] of all texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uniformity: Option<f64>,
}

impl Geometry {
    /// Of unit vectors `[n, d]` alone, or of pairs of them.
    pub fn of(first: &Tensor<2>, second: Option<&Tensor<2>>) -> Self {
        let finite = |value: f64| value.is_finite().then_some(value);
        let all = second.map(|second| Tensor::cat(vec![first.clone(), second.clone()], 0));
        Geometry {
            alignment: second.and_then(|second| finite(alignment(first, second))),
            uniformity: finite(uniformity(all.as_ref().unwrap_or(first))),
        }
    }
}

/// Mean squared distance of pairs of unit vectors, `[n, d]` each.
pub fn alignment(a: &Tensor<2>, b: &Tensor<2>) -> f64 {
    (a.clone() - b.clone()).powi_scalar(2).sum_dim(1).mean().into_scalar::<f64>()
}

/// log of the mean of e^(−2·distance²) over all pairs of different rows of unit vectors `[n, d]`; −4 at best, and 0 where all
/// are one. NaN of fewer than two rows.
pub fn uniformity(x: &Tensor<2>) -> f64 {
    let [rows, _] = x.dims();
    let turned = x.clone().transpose();
    // Of unit vectors the squared distance is 2 − 2·cosine; a block of rows at a time.
    let block = ((1 << 20) / rows.max(1)).max(1);
    let mut sum = 0.0;
    for start in (0..rows).step_by(block) {
        let part = x.clone().narrow(0, start, block.min(rows - start));
        let near = (part.matmul(turned.clone()) * 4.0 - 4.0).exp();
        sum += near.sum().into_scalar::<f64>();
    }
    let pairs = (rows * rows.saturating_sub(1)) as f64;
    // Every row is at distance 0 of itself.
    ((sum - rows as f64) / pairs).ln()
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
    fn a_square_by_hand() {
        let square = on_circle(&[0.0, 90.0, 180.0, 270.0]);
        // Of every corner two others are at distance √2 and one at 2.
        let expected = ((2.0 * (-4f64).exp() + (-8f64).exp()) / 3.0).ln();
        assert!((uniformity(&square) - expected).abs() < 1e-12);
        assert!(uniformity(&on_circle(&[10.0, 10.0])).abs() < 1e-12);
        let own = Geometry::of(&square, Some(&square));
        assert_eq!(own.alignment, Some(0.0));
        // Every corner has its twin at distance 0 besides.
        let twins = ((1.0 + 4.0 * (-4f64).exp() + 2.0 * (-8f64).exp()) / 7.0).ln();
        assert!((own.uniformity.unwrap() - twins).abs() < 1e-12);
        assert_eq!(Geometry::of(&on_circle(&[10.0]), None), Geometry::default());
        assert!((alignment(&square, &on_circle(&[90.0, 180.0, 270.0, 0.0])) - 2.0).abs() < 1e-12);
    }
}
