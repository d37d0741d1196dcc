//! One learned value for each offset between key and query.
//!
//! With N the longest length trained for and a vector w of 2N − 1 values, `B[i, j] = w[N − 1 + j − i]`.
//! The appendix of Hua et al. 2022 counts from the present length n instead, `B[i, j] = w[n − 1 + j − i]`,
//! which gives one offset a different parameter at every length; that form has a type of its own.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Span;
use crate::{Builder, Initialiser};

/// `B[i, j] = w[N − 1 + j − i]`: the same offset, the same value, at every length.
#[derive(Module, Debug)]
pub struct ToeplitzBias {
    /// `[2N − 1]`.
    weight: Param<Tensor<1>>,
}

impl ToeplitzBias {
    /// Values for lengths up to `max_length`, normal with the deviation given.
    pub fn new(max_length: usize, deviation: f64, builder: &Builder) -> Self {
        ToeplitzBias { weight: weight(max_length, deviation, builder) }
    }

    /// The values of the offsets of `span`.
    ///
    /// # Panics
    /// If the span has more keys than the maximum length.
    pub fn values(&self, span: Span) -> Tensor<1> {
        let weight = self.weight.val();
        let maximum = maximum(&weight, span);
        weight.narrow(0, maximum - span.keys, span.len())
    }
}

/// `B[i, j] = w[n − 1 + j − i]` at length n: for weights that were trained in this form.
#[derive(Module, Debug)]
pub struct LengthToeplitzBias {
    /// `[2N − 1]`, of which a sequence of length n uses the first 2n − 1.
    weight: Param<Tensor<1>>,
}

impl LengthToeplitzBias {
    /// Values for lengths up to `max_length`, normal with the deviation given.
    pub fn new(max_length: usize, deviation: f64, builder: &Builder) -> Self {
        LengthToeplitzBias { weight: weight(max_length, deviation, builder) }
    }

    /// The values of the offsets of `span`.
    ///
    /// # Panics
    /// If the span has more keys than the maximum length, or is not a whole sequence: a continued
    /// sequence does not know its final length.
    pub fn values(&self, span: Span) -> Tensor<1> {
        assert_eq!(span.queries, span.keys, "a bias by length needs the whole sequence");
        let weight = self.weight.val();
        maximum(&weight, span);
        weight.narrow(0, 0, span.len())
    }
}

fn weight(max_length: usize, deviation: f64, builder: &Builder) -> Param<Tensor<1>> {
    builder.parameter("weight", [2 * max_length - 1], Initialiser::Normal { deviation })
}

fn maximum(weight: &Tensor<1>, span: Span) -> usize {
    let maximum = weight.dims()[0].div_ceil(2);
    assert!(span.keys <= maximum, "{} positions, but a bias for {maximum} only", span.keys);
    maximum
}
