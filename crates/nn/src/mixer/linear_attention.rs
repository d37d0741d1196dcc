//! Linear attention: `o_i = φ(q_i)ᵀ Σ_j φ(k_j)v_jᵀ / (φ(q_i)·Σ_j φ(k_j) + ε)` with φ = elu + 1, in h heads.
//!
//! The two sums are the whole memory, so generation takes constant time and space a token. Source:
//! Katharopoulos et al., "Transformers are RNNs", 2020, equations 4, 5 and 7. With rotation on, φ(q) and
//! φ(k) turn in the numerator only, which keeps the denominator positive (Su et al., "RoFormer", 2021,
//! equation 19).

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use mixlab_kernels::{Activation, LinearOptions, Mask, Positions, linear_attention};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::state::numbers;
use super::{MixerCost, Place, check_divides};
use crate::position::{Rotary, RotaryConfig};
use crate::{Builder, Context, Linear, ModelError, Promises, Role};

/// Positions the causal form processes together: speed only, the result does not depend on it.
const CHUNK: usize = 64;

/// Options of linear attention.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LinearAttentionConfig {
    /// Number of heads; divides the model width.
    pub heads: usize,
    /// ε of the denominator.
    pub epsilon: f64,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
    /// Whether the output matrix has a bias.
    pub output_bias: bool,
    /// Rotation of mapped queries and keys; off by default.
    #[serde(default = "RotaryConfig::none")]
    pub rotary: RotaryConfig,
}

impl Default for LinearAttentionConfig {
    fn default() -> Self {
        LinearAttentionConfig {
            heads: 4,
            epsilon: 1e-6,
            qkv_bias: false,
            output_bias: false,
            rotary: RotaryConfig::none(),
        }
    }
}

impl LinearAttentionConfig {
    /// # Errors
    /// Heads that do not divide the width, a rotation wider than a head, or an ε that is not positive.
    pub fn validate(&self, width: usize) -> Result<(), ModelError> {
        check_divides(("model.mixer.heads", self.heads), ("model.width", width))?;
        self.rotary.validate(width / self.heads)?;
        if self.epsilon > 0.0 && self.epsilon.is_finite() {
            return Ok(());
        }
        Err(ModelError::out_of_range("model.mixer.epsilon", self.epsilon, "a positive number"))
    }

    /// Per token and head a product of d_h × d_h numbers, read once, and d_h for the denominator; four projections.
    pub fn cost(&self, place: Place, length: usize) -> MixerCost {
        let (n, d) = (length as u64, place.width as u64);
        let head = d / self.heads as u64;
        MixerCost { projections: 4 * n * d * d, mixing: n * d * (2 * head + 1), scores: 0 }
    }

    pub(super) fn init(&self, width: usize, builder: &Builder) -> LinearAttention {
        let part = |name: &str, role, bias| Linear::new([width, width], role, bias, &builder.child(name));
        LinearAttention {
            query: part("query", Role::Input, self.qkv_bias),
            key: part("key", Role::Input, self.qkv_bias),
            value: part("value", Role::Value { factors: 2 }, self.qkv_bias),
            output: part("output", Role::Output { factors: 2 }, self.output_bias),
            rotary: self.rotary.init(width / self.heads),
            config: self.clone(),
        }
    }

    /// What linear attention promises in one direction.
    pub fn promises(&self, causal: bool) -> Promises {
        Promises {
            causal,
            any_length: true,
            padding_safe: true,
            streaming: causal,
            prefix_consistent: causal,
            permutation_equivariant: !causal && self.rotary.is_none(),
        }
    }
}

/// Linear attention: `o_i = φ(q_i)ᵀ Σ_j φ(k_j)v_jᵀ / (φ(q_i)·Σ_j φ(k_j) + ε)` with φ = elu + 1, in heads
/// (Katharopoulos et al. 2020, equations 4, 5 and 7). Shapes: `[b, n, d]` to the same.
#[derive(Module, Debug)]
pub struct LinearAttention {
    /// `[d, d]`.
    query: Linear,
    /// `[d, d]`.
    key: Linear,
    /// `[d, d]`.
    value: Linear,
    /// `[d, d]`.
    output: Linear,
    #[module(skip)]
    rotary: Option<Rotary>,
    #[module(skip)]
    config: LinearAttentionConfig,
}

/// The running sums of linear attention.
#[derive(Clone, Debug)]
pub struct LinearAttentionState {
    /// Σ φ(k_j)v_jᵀ, `[b, h, d_h, d_h]`; rotated keys if rotation is on.
    products: Tensor<4>,
    /// Σ φ(k_j), `[b, h, d_h, 1]`; never rotated.
    keys: Tensor<4>,
    position: usize,
}

impl LinearAttentionState {
    /// The state of some sequences of the batch.
    pub(super) fn select(&self, rows: &Tensor<1, Int>) -> Self {
        let pick = |sums: &Tensor<4>| sums.clone().select(0, rows.clone());
        LinearAttentionState {
            products: pick(&self.products),
            keys: pick(&self.keys),
            position: self.position,
        }
    }

    /// Number of positions seen.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Numbers held.
    pub fn size(&self) -> usize {
        numbers(&self.products) + numbers(&self.keys)
    }
}

/// Mapped queries and keys, their rotated forms and the values, all `[b, n, h, d_h]`.
struct Projected {
    query: Tensor<4>,
    key: Tensor<4>,
    turned_query: Tensor<4>,
    turned_key: Tensor<4>,
    value: Tensor<4>,
}

impl LinearAttention {
    /// Mixes `x` `[b, n, d]`.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        let p = self.project(x, context.positions());
        let options = |epsilon| LinearOptions {
            causal: context.causal,
            epsilon,
            chunk: CHUNK,
            mask: context.mask.clone(),
        };
        if self.rotary.is_none() {
            return self.join(linear_attention(p.query, p.key, p.value, options(Some(self.config.epsilon))));
        }
        let ones = p.value.clone().narrow(3, 0, 1).ones_like();
        let numerator = linear_attention(p.turned_query, p.turned_key, p.value, options(None));
        let denominator = linear_attention(p.query, p.key, ones, options(None));
        self.join(numerator / denominator.add_scalar(self.config.epsilon))
    }

    /// Zero sums for `batch` sequences.
    pub fn state(&self, batch: usize) -> LinearAttentionState {
        let (h, width) = (self.config.heads, self.value.shape()[1] / self.config.heads);
        let zeros = |columns| self.value.zeros([batch, h, width, columns]);
        LinearAttentionState { products: zeros(width), keys: zeros(1), position: 0 }
    }

    /// Mixes the next positions `x` `[b, k, d]` and adds them to the sums.
    pub fn step(&self, x: Tensor<3>, state: &mut LinearAttentionState, positions: Positions) -> Tensor<3> {
        let count = x.dims()[1];
        let p = self.project(x, positions);
        let ones = p.value.clone().narrow(3, 0, 1).ones_like();
        let options = || LinearOptions { causal: true, epsilon: None, chunk: CHUNK, mask: Mask::default() };
        let before = |query: &Tensor<4>, sums: &Tensor<4>| {
            query.clone().swap_dims(1, 2).matmul(sums.clone()).swap_dims(1, 2)
        };
        let added = |key: Tensor<4>, value: Tensor<4>| {
            key.swap_dims(1, 2).swap_dims(2, 3).matmul(value.swap_dims(1, 2)).detach()
        };
        let numerator = before(&p.turned_query, &state.products)
            + linear_attention(p.turned_query, p.turned_key.clone(), p.value.clone(), options());
        let denominator =
            before(&p.query, &state.keys) + linear_attention(p.query, p.key.clone(), ones.clone(), options());
        state.products = state.products.clone() + added(p.turned_key, p.value);
        state.keys = state.keys.clone() + added(p.key, ones);
        state.position += count;
        self.join(numerator / denominator.add_scalar(self.config.epsilon))
    }

    /// The options the mixer was made from.
    pub fn config(&self) -> &LinearAttentionConfig {
        &self.config
    }

    fn project(&self, x: Tensor<3>, positions: Positions) -> Projected {
        let [b, n, d] = x.dims();
        let heads = self.config.heads;
        let part = |linear: &Linear, activation| {
            linear.forward(x.clone(), activation).reshape([b, n, heads, d / heads])
        };
        let turn = |x: &Tensor<4>| match &self.rotary {
            Some(rotary) => rotary.rotate(x.clone(), positions),
            None => x.clone(),
        };
        let query = part(&self.query, Activation::EluPlusOne);
        let key = part(&self.key, Activation::EluPlusOne);
        Projected {
            turned_query: turn(&query),
            turned_key: turn(&key),
            query,
            key,
            value: part(&self.value, Activation::Identity),
        }
    }

    fn join(&self, heads: Tensor<4>) -> Tensor<3> {
        let [b, n, h, width] = heads.dims();
        self.output.forward(heads.reshape([b, n, h * width]), Activation::Identity)
    }
}
