//! A bias from two learned vectors rotated by their positions: `B[i, j] = R(i)a · R(j)b`.
//!
//! As R(i)ᵀR(j) = R(j − i), the bias is a function of the offset and is defined at every length.
//! Source: Hua et al., "Transformer quality in linear time", 2022, appendix, the form for long sequences.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{RotaryLayout, RotaryOptions, rotary};

use super::Span;
use crate::{Builder, Initialiser};

/// `B[i, j] = R(i)a · R(j)b` with learned vectors a and b, whose channels (i, i + width/2) turn together.
#[derive(Module, Debug)]
pub struct RotaryBias {
    /// The vector a at the query's position, `[width]`.
    query: Param<Tensor<1>>,
    /// The vector b at the key's position, `[width]`.
    key: Param<Tensor<1>>,
    #[module(skip)]
    base: f64,
}

impl RotaryBias {
    /// Two vectors of an even `width`, normal with the deviation given.
    pub fn new(width: usize, base: f64, deviation: f64, builder: &Builder) -> Self {
        let vector = |name: &str| builder.parameter(name, [width], Initialiser::Normal { deviation });
        RotaryBias { query: vector("query"), key: vector("key"), base }
    }

    /// The values of the offsets of `span`.
    pub fn values(&self, span: Span) -> Tensor<1> {
        let (query, key) = (self.query.val(), self.key.val());
        let (width, count) = (query.dims()[0], span.len());
        let options = RotaryOptions { layout: RotaryLayout::SplitHalf, width, base: self.base };
        let turn = |x, start| rotary(x, options, start);
        // A query that stands at the last key sees the keys at offsets −(m−1), −(m−2), …
        let query: Tensor<4> = turn(query.reshape([1, 1, 1, width]), span.keys - 1);
        let key = key.reshape([1, 1, 1, width]).expand([1, count, 1, width]);
        (turn(key, 0) * query).sum_dim(3).reshape([count])
    }
}
