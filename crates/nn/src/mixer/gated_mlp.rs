//! gMLP: `(Z1 ⊙ G)·V` with `[Z1, Z2] = f(X·U)` and the spatial gate `G = W·LN(Z2) + b` over tokens.
//!
//! W starts near 0 and b at 1, so a new block is a plain feed-forward layer. aMLP adds one small attention head to the
//! gate, which reads the block's own input: two independent implementations agree on that, the paper's figure leaves
//! it open. With a lower triangular W the unit is exactly causal, as the norm acts on each token alone. Source: Liu et
//! al., "Pay attention to MLPs", 2021, equations 1 to 3 and figure 1.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use mixlab_kernels::{Activation, Mask, SoftmaxOptions, gated_product, softmax_attention};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gau::{one, yes};
use super::token_matrix::TokenMatrix;
use super::{KeyValueCache, LengthPolicy, Lengths, MixerCost, Place, RowCache, TokenWeights};
use crate::channel::ActivationConfig;
use crate::dual::{Dual, DualActivation};
use crate::{Builder, Context, Initialiser, Linear, ModelError, Norm, NormConfig, Promises, Role};

/// Options of gMLP and aMLP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GmlpConfig {
    /// Width of the gated unit, d_ffn, as a multiple of the model width; half of it is mixed over tokens.
    pub expansion: f64,
    /// What a spatial weight is a function of.
    pub weights: TokenWeights,
    /// Width of the attention head that makes a gMLP an aMLP; absent: no attention.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_width: Option<usize>,
    /// Activation before the split.
    pub activation: ActivationConfig,
    /// Activation of the gate; the paper has none.
    pub gate_activation: ActivationConfig,
    /// ε of the norm inside the spatial gate.
    pub epsilon: f64,
    /// Whether the two outer projections have biases.
    pub bias: bool,
    /// What becomes of sequences of another length than `model.max_length`; for dense weights only.
    pub length: LengthPolicy,
    /// Units that one of `model.depth` stands for.
    pub layers_per_block: usize,
}

impl Default for GmlpConfig {
    fn default() -> Self {
        GmlpConfig {
            expansion: 6.0,
            weights: TokenWeights::Dense,
            attention_width: None,
            activation: ActivationConfig::Gelu,
            gate_activation: ActivationConfig::Identity,
            epsilon: 1e-5,
            bias: yes(),
            length: LengthPolicy::default(),
            layers_per_block: one(),
        }
    }
}

impl GmlpConfig {
    /// # Errors
    /// A number outside its range, an odd width of the unit, or a length policy for Toeplitz weights, which need none.
    pub fn validate(&self, width: usize) -> Result<(), ModelError> {
        let unit = self.unit_width(width);
        if !(self.expansion.is_finite() && self.expansion <= 64.0 && unit >= 2 && unit.is_multiple_of(2)) {
            let expected = "a number of at most 64 that gives an even width of the unit";
            return Err(ModelError::out_of_range("model.mixer.expansion", self.expansion, expected));
        }
        if self.attention_width == Some(0) {
            return Err(ModelError::out_of_range("model.mixer.attention_width", 0, "at least 1"));
        }
        if !(self.epsilon > 0.0 && self.epsilon < 1.0) {
            let expected = "a number between 0 and 1, both excluded";
            return Err(ModelError::out_of_range("model.mixer.epsilon", self.epsilon, expected));
        }
        if self.layers_per_block == 0 || self.layers_per_block > 1 << 16 {
            let found = self.layers_per_block;
            return Err(ModelError::out_of_range("model.mixer.layers_per_block", found, "1 to 65536"));
        }
        if self.weights == TokenWeights::Toeplitz && self.length != LengthPolicy::Refuse {
            return Err(ModelError::Unsupported {
                method: "gmlp".to_owned(),
                purpose: "a length policy beside Toeplitz weights",
                reason: "weights by distance are defined at every length up to `model.max_length` already"
                    .to_owned(),
                remedy: "leave `model.mixer.length` out".to_owned(),
            });
        }
        Ok(())
    }

    /// # Errors
    /// A length policy that moves weights between positions, in a causal model.
    pub fn check_direction(&self, causal: bool) -> Result<(), ModelError> {
        self.length.check_direction("gmlp", causal)
    }

    pub(super) fn init(&self, place: Place, builder: &Builder) -> Gmlp {
        let (d, n) = (place.width, place.max_length);
        let half = self.unit_width(d) / 2;
        let spatial = [Initialiser::Uniform { bound: 1e-3 / n as f64 }, Initialiser::Ones];
        let norm = NormConfig::LayerNorm { epsilon: self.epsilon };
        let attention = |width| TinyAttention::new(d, width, half, &builder.child("attention"));
        // The gate starts at 1: two matrices decide on the size of the branch.
        let value = Role::Value { factors: 2 };
        Gmlp {
            input: Linear::fused(d, &[(half, value), (half, value)], self.bias, &builder.child("input")),
            norm: norm.init(half, &builder.child("norm")),
            spatial: TokenMatrix::new(self.weights, n, self.length, spatial, &builder.child("spatial")),
            attention: self.attention_width.map(attention),
            output: Linear::new([half, d], Role::Output { factors: 2 }, self.bias, &builder.child("output")),
            config: self.clone(),
        }
    }

    /// What the unit promises in one direction.
    pub fn promises(&self, causal: bool) -> Promises {
        let causal = causal && self.length.keeps_weights();
        Promises {
            causal,
            any_length: self.lengths(1, causal) == Lengths::Any,
            padding_safe: self.length.keeps_weights(),
            streaming: causal,
            prefix_consistent: causal,
            permutation_equivariant: false,
        }
    }

    pub(super) fn lengths(&self, max_length: usize, causal: bool) -> Lengths {
        self.weights.lengths(self.length, max_length, causal)
    }

    /// n · d · d_ffn + d_ffn/2 · n² + n · d_ffn/2 · d, and the attention's four products.
    pub fn cost(&self, place: Place, length: usize, causal: bool) -> MixerCost {
        let (n, d) = (length as u64, place.width as u64);
        let half = self.unit_width(place.width) as u64 / 2;
        let pairs = super::cost::pairs(length, causal);
        let own = MixerCost { projections: 3 * n * d * half, mixing: half * pairs, ..MixerCost::default() };
        let attention = self.attention_width.map_or(MixerCost::default(), |width| {
            let width = width as u64;
            MixerCost {
                projections: n * width * (3 * d + half),
                mixing: 2 * width * pairs,
                scores: (length * length) as u64,
            }
        });
        own + attention
    }

    fn unit_width(&self, width: usize) -> usize {
        (self.expansion * width as f64).round() as usize
    }
}

/// A gated unit whose gate mixes tokens: `(Z1 ⊙ (W·LN(Z2) + b))·V` (Liu et al. 2021, equations 1 to 3). Shapes:
/// `[b, n, d]` to the same.
#[derive(Module, Debug)]
pub struct Gmlp {
    /// U, `[d, d_ffn]`: Z1, then Z2.
    input: Linear,
    norm: Norm,
    spatial: TokenMatrix,
    attention: Option<TinyAttention>,
    /// V, `[d_ffn / 2, d]`.
    output: Linear,
    #[module(skip)]
    config: GmlpConfig,
}

/// What a gMLP remembers: normed gate rows, and keys and values of its attention. Grows with every position.
#[derive(Clone, Debug, Default)]
pub struct GmlpState {
    rows: RowCache<3>,
    attention: KeyValueCache<4>,
}

impl GmlpState {
    /// The state of some sequences of the batch.
    pub(super) fn select(&self, rows: &Tensor<1, Int>) -> Self {
        GmlpState { rows: self.rows.select(rows), attention: self.attention.select(rows) }
    }

    /// Number of positions seen.
    pub fn position(&self) -> usize {
        self.rows.position()
    }

    /// Numbers held.
    pub fn size(&self) -> usize {
        self.rows.size() + self.attention.size()
    }
}

impl Gmlp {
    /// Mixes `x` `[b, n, d]`.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        let (value, rows) = self.split(x.clone());
        let gate = self.spatial.forward(rows, context);
        let gate = match &self.attention {
            Some(attention) => gate + attention.forward(x, context),
            None => gate,
        };
        self.finish(value, gate)
    }

    /// The same on duals, in no direction and without padding.
    ///
    /// # Panics
    /// If the gate has attention.
    pub fn forward_dual(&self, x: Dual<3>) -> Dual<3> {
        assert!(self.attention.is_none(), "aMLP's attention has no tangent");
        let half = self.output.shape()[0];
        let [value, rows] = self.input.forward_dual(x, self.config.activation.into()).halves(half);
        let gate = self.spatial.forward_dual(self.norm.forward_dual(rows));
        let gate = gate.activation(DualActivation::Other(self.config.gate_activation.into()));
        self.output.forward_dual(value.multiply(gate), Activation::Identity)
    }

    /// Mixes the next positions `x` `[b, k, d]` with all that `state` holds.
    pub fn step(&self, x: Tensor<3>, state: &mut GmlpState) -> Tensor<3> {
        let (value, rows) = self.split(x.clone());
        let gate = self.spatial.step(rows, &mut state.rows);
        let gate = match &self.attention {
            Some(attention) => gate + attention.step(x, &mut state.attention),
            None => gate,
        };
        self.finish(value, gate)
    }

    /// The options the mixer was made from.
    pub fn config(&self) -> &GmlpConfig {
        &self.config
    }

    /// Z1 and the normed Z2, each `[b, n, d_ffn / 2]`.
    fn split(&self, x: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        let half = self.output.shape()[0];
        let activation = self.config.activation.into();
        let value = self.input.forward_columns(x.clone(), 0..half, activation);
        (value, self.norm.forward(self.input.forward_columns(x, half..2 * half, activation)))
    }

    fn finish(&self, value: Tensor<3>, gate: Tensor<3>) -> Tensor<3> {
        let gated = gated_product(value, gate, self.config.gate_activation.into());
        self.output.forward(gated, Activation::Identity)
    }
}

/// The one small attention head of aMLP: `softmax(QKᵀ/√w)·V` to the width of the gate.
#[derive(Module, Debug)]
struct TinyAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
}

impl TinyAttention {
    fn new(inputs: usize, width: usize, outputs: usize, builder: &Builder) -> Self {
        let part = |name: &str, role| Linear::new([inputs, width], role, false, &builder.child(name));
        TinyAttention {
            query: part("query", Role::Input),
            key: part("key", Role::Input),
            value: part("value", Role::Value { factors: 2 }),
            output: Linear::new(
                [width, outputs],
                Role::Output { factors: 2 },
                true,
                &builder.child("output"),
            ),
        }
    }

    fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        let [query, key, value] = self.project(x);
        self.join(softmax_attention(query, key, value, self.options(context.causal, context.mask.clone())))
    }

    fn step(&self, x: Tensor<3>, cache: &mut KeyValueCache<4>) -> Tensor<3> {
        let [query, key, value] = self.project(x);
        let (key, value) = cache.append(key, value);
        self.join(softmax_attention(query, key, value, self.options(true, Mask::default())))
    }

    fn options(&self, causal: bool, mask: Mask) -> SoftmaxOptions {
        let scale = (self.query.shape()[1] as f64).powf(-0.5);
        SoftmaxOptions { scale, causal, mask, dropout: None }
    }

    /// Query, key and value, `[b, n, 1, w]`.
    fn project(&self, x: Tensor<3>) -> [Tensor<4>; 3] {
        let [b, n, _] = x.dims();
        [&self.query, &self.key, &self.value].map(|part| {
            let width = part.shape()[1];
            part.forward(x.clone(), Activation::Identity).reshape([b, n, 1, width])
        })
    }

    fn join(&self, head: Tensor<4>) -> Tensor<3> {
        let [b, n, _, width] = head.dims();
        self.output.forward(head.reshape([b, n, width]), Activation::Identity)
    }
}
