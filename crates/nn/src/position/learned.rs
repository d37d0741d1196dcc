//! Learned absolute positions: `x_p ← x_p + w_p` for positions p below a maximum.
//!
//! Source: Gehring et al., "Convolutional sequence to sequence learning", 2017, section 3.1; BERT, GPT-2.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::{Builder, Initialiser};

/// Learned absolute positions: `x_p ← x_p + w_p` for positions p below a maximum.
#[derive(Module, Debug)]
pub struct LearnedPosition {
    /// One row a position, `[max_length, width]`.
    weight: Param<Tensor<2>>,
}

impl LearnedPosition {
    /// Vectors for `max_length` positions, normal with the deviation given.
    pub fn new(width: usize, max_length: usize, deviation: f64, builder: &Builder) -> Self {
        let initialiser = Initialiser::Normal { deviation };
        LearnedPosition { weight: builder.parameter("weight", [max_length, width], initialiser) }
    }

    /// Adds positions `start..start + n` to `x` `[batch, n, width]`.
    ///
    /// # Panics
    /// If `start + n` exceeds [`LearnedPosition::length`].
    pub fn add(&self, x: Tensor<3>, start: usize) -> Tensor<3> {
        let (end, length) = (start + x.dims()[1], self.length());
        assert!(end <= length, "{end} positions, but vectors for {length} only");
        x + self.weight.val().narrow(0, start, end - start).unsqueeze()
    }

    /// Number of positions that have a vector.
    pub fn length(&self) -> usize {
        self.weight.val().dims()[0]
    }
}
