//! Two matrices over tokens with an activation between them: `W2 · f(W1 · X + b1) + b2`, the same for every channel.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, TokenOptions, token_linear};

use super::LengthPolicy;
use crate::dual::{Dual, DualActivation};
use crate::{Builder, Initialiser, Role};

/// An MLP over the token axis.
#[derive(Module, Debug)]
pub struct TokenMlp {
    /// W1, `[h, N]`.
    up: Param<Tensor<2>>,
    /// `[h]`.
    up_bias: Param<Tensor<1>>,
    /// W2, `[N, h]`.
    down: Param<Tensor<2>>,
    /// `[N]`.
    down_bias: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    policy: LengthPolicy,
}

impl TokenMlp {
    /// Weights of `maximum` positions and `hidden` units.
    pub fn new(
        [maximum, hidden]: [usize; 2],
        activation: Activation,
        policy: LengthPolicy,
        builder: &Builder,
    ) -> Self {
        let bias = |name: &str, count| builder.parameter(name, [count], Initialiser::Zeros);
        TokenMlp {
            up: builder.token_matrix("up", [hidden, maximum], Role::Value { factors: 2 }),
            up_bias: bias("up_bias", hidden),
            down: builder.token_matrix("down", [maximum, hidden], Role::Output { factors: 2 }),
            down_bias: bias("down_bias", maximum),
            activation,
            policy,
        }
    }

    /// Number of positions N the weights belong to.
    pub fn maximum(&self) -> usize {
        self.down_bias.lazy_shape()[0]
    }

    /// Mixes `x` `[b, n, d]`, the weights made to fit n by the length policy.
    ///
    /// # Panics
    /// If the policy does not allow n.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let (policy, n) = (self.policy, x.dims()[1]);
        policy.assert_allows(n, self.maximum(), false);
        let (up, down) = (policy.reading(self.up.val(), n), policy.writing(self.down.val(), n));
        let up_bias = policy.hidden(self.up_bias.val(), self.maximum(), n);
        let down_bias = policy.tokens(self.down_bias.val(), n);
        let hidden = token_linear(x, up, Some(up_bias), TokenOptions::new(self.activation));
        token_linear(hidden, down, Some(down_bias), TokenOptions::default())
    }

    /// The same on duals of the length that the weights belong to.
    pub fn forward_dual(&self, x: Dual<3>) -> Dual<3> {
        let map = |x: Dual<3>, weight: &Param<Tensor<2>>, bias: &Param<Tensor<1>>| {
            let product = |x, bias| token_linear(x, weight.val(), bias, TokenOptions::default());
            x.affine(|x| product(x, Some(bias.val())), |x| product(x, None))
        };
        let hidden = map(x, &self.up, &self.up_bias).activation(DualActivation::Other(self.activation));
        map(hidden, &self.down, &self.down_bias)
    }
}
