//! One square matrix over tokens with a number for each: `W·X + b`, dense or Toeplitz, in either direction.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, TokenOptions, token_linear};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::documents::without_padding;
use super::lengths::from_offsets;
use super::{LengthPolicy, Lengths, RowCache};
use crate::dual::Dual;
use crate::{Builder, Context, Initialiser};

/// What a weight between two tokens is a function of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenWeights {
    /// Both positions: N² values.
    #[default]
    Dense,
    /// Their distance: 2N − 1 values, counted from the longest length, so that an offset has the same value at every
    /// length up to N.
    Toeplitz,
}

impl TokenWeights {
    /// The lengths that weights of `maximum` positions serve.
    pub(super) fn lengths(self, policy: LengthPolicy, maximum: usize, causal: bool) -> Lengths {
        match self {
            TokenWeights::Dense => policy.lengths(maximum, causal),
            TokenWeights::Toeplitz => Lengths::AtMost(maximum),
        }
    }
}

/// `W·X + b` over tokens.
#[derive(Module, Debug)]
pub struct TokenMatrix {
    /// `[N, N]`.
    weight: Option<Param<Tensor<2>>>,
    /// `[2N − 1]`: `W[i, j] = offsets[N − 1 + j − i]`.
    offsets: Option<Param<Tensor<1>>>,
    /// `[N]`.
    bias: Param<Tensor<1>>,
    #[module(skip)]
    policy: LengthPolicy,
}

impl TokenMatrix {
    /// Weights of `maximum` positions; `first` are the distributions of W and b.
    pub fn new(
        weights: TokenWeights,
        maximum: usize,
        policy: LengthPolicy,
        first: [Initialiser; 2],
        builder: &Builder,
    ) -> Self {
        let [weight, bias] = first;
        let (dense, toeplitz) = (weights == TokenWeights::Dense, weights == TokenWeights::Toeplitz);
        TokenMatrix {
            weight: dense.then(|| builder.parameter("weight", [maximum, maximum], weight)),
            offsets: toeplitz.then(|| builder.parameter("offsets", [2 * maximum - 1], weight)),
            bias: builder.parameter("bias", [maximum], bias),
            policy,
        }
    }

    /// Mixes `x` `[b, n, c]`; hidden tokens count as zero.
    ///
    /// # Panics
    /// If the length policy does not allow n.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        let n = x.dims()[1];
        if self.weight.is_some() {
            self.policy.assert_allows(n, self.bias.lazy_shape()[0], context.causal);
        }
        let options = TokenOptions {
            activation: Activation::Identity,
            causal: context.causal,
            segments: context.mask.segments.clone(),
        };
        let x = without_padding(x, &context.mask);
        token_linear(x, self.weights(n), Some(self.bias(n)), options)
    }

    /// The same on duals, in no direction and without padding.
    pub fn forward_dual(&self, x: Dual<3>) -> Dual<3> {
        let n = x.value.dims()[1];
        let product = |x, bias| token_linear(x, self.weights(n), bias, TokenOptions::default());
        x.affine(|x| product(x, Some(self.bias(n))), |x| product(x, None))
    }

    /// Mixes the next positions `x` `[b, k, c]` with all that `cache` holds.
    ///
    /// # Panics
    /// If the length policy does not allow so many positions.
    pub fn step(&self, x: Tensor<3>, cache: &mut RowCache<3>) -> Tensor<3> {
        let start = cache.position();
        let all = cache.append(x);
        let n = all.dims()[1];
        let weight = self.weights(n).slice([start..n, 0..n]).tril(start as i64);
        token_linear(all, weight, Some(self.bias(n).narrow(0, start, n - start)), TokenOptions::default())
    }

    fn weights(&self, n: usize) -> Tensor<2> {
        match (&self.weight, &self.offsets) {
            (Some(weight), _) => self.policy.square(weight.val(), n),
            (None, Some(offsets)) => {
                self.assert_at_most(n);
                from_offsets(offsets.val(), n)
            }
            (None, None) => unreachable!("a token matrix is dense or Toeplitz"),
        }
    }

    fn bias(&self, n: usize) -> Tensor<1> {
        if self.weight.is_none() {
            return self.bias.val().narrow(0, 0, n);
        }
        self.policy.tokens(self.bias.val(), n)
    }

    fn assert_at_most(&self, n: usize) {
        let maximum = self.bias.lazy_shape()[0];
        assert!(n <= maximum, "{n} positions, but weights for {maximum} only");
    }
}
