//! One learned value for each bucket of offsets: single offsets near, logarithmic ranges far.
//!
//! Source: Raffel et al., "Exploring the limits of transfer learning", 2020, section 2.1, and its
//! published code; used by FLASH-pytorch with one head.

use burn::module::{Module, Param};
use burn::tensor::{DType, Int, Tensor, TensorData};

use super::Span;
use crate::{Builder, Initialiser};

/// `B[i, j] = scale · w[bucket(j − i)]`.
#[derive(Module, Debug)]
pub struct T5Bias {
    /// `[buckets]`.
    weight: Param<Tensor<1>>,
    #[module(skip)]
    max_distance: usize,
    #[module(skip)]
    scale: f64,
}

impl T5Bias {
    /// A table of `buckets` values, normal with the deviation given.
    pub fn new(buckets: usize, max_distance: usize, scale: f64, deviation: f64, builder: &Builder) -> Self {
        let weight = builder.parameter("weight", [buckets], Initialiser::Normal { deviation });
        T5Bias { weight, max_distance, scale }
    }

    /// The values of the offsets of `span`. Causal use spends all buckets on keys at or before the query.
    pub fn values(&self, span: Span) -> Tensor<1> {
        let weight = self.weight.val();
        let buckets = weight.dims()[0];
        let index: Vec<i64> = span
            .offsets()
            .map(|offset| t5_bucket(offset, span.causal, buckets, self.max_distance) as i64)
            .collect();
        let index = TensorData::new(index, [span.len()]);
        let index = Tensor::<1, Int>::from_data(index, (&weight.device(), DType::I64));
        weight.select(0, index).mul_scalar(self.scale)
    }
}

/// The bucket of `offset` = key position − query position.
///
/// Causal: keys ahead of the query share bucket 0 with the query's own. Otherwise the upper half of the
/// buckets is for keys ahead. Of the buckets of one direction the first half are exact; the others grow
/// logarithmically up to `max_distance`, and the last holds everything beyond.
pub fn t5_bucket(offset: i64, causal: bool, buckets: usize, max_distance: usize) -> usize {
    let (first, buckets, distance) = if causal {
        (0, buckets, (-offset).max(0) as usize)
    } else {
        let half = buckets / 2;
        (if offset > 0 { half } else { 0 }, half, offset.unsigned_abs() as usize)
    };
    let exact = buckets / 2;
    if distance < exact {
        return first + distance;
    }
    // The distance is at least 1 here, so the logarithm is finite.
    let ratio = (distance as f64 / exact as f64).ln() / (max_distance as f64 / exact as f64).ln();
    let far = exact + (ratio * (buckets - exact) as f64) as usize;
    first + far.min(buckets - 1)
}
