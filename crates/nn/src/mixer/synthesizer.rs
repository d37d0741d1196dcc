//! Synthesizer: softmax attention whose scores do not come from pairs of tokens, `O = softmax(B)·V`.
//!
//! ```text
//! random       B ∈ R^{h×N×N}, learned or fixed            dense        B_i = relu(x_i·W_q)·W_p, per head
//! factorised   B = R1ᵀ·R2 of rank k per head               mixtures     with QKᵀ/√d_h: a sum, or (1−σ(a))·QKᵀ/√d_h + σ(a)·B
//! ```
//!
//! A sequence of n tokens uses the first n rows and columns. Source: Tay et al., "Synthesizer: rethinking self-attention
//! in Transformer models", 2020, section 3. A widely copied implementation contracts the wrong axis of the factors, so
//! that all rows of B are equal; this one does not.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, Geometry, Mask, softmax};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KeyValueCache, Lengths, MixerCost, Place, check_divides};
use crate::{Builder, Context, Initialiser, Linear, ModelError, Promises, Role};

/// Where scores come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SynthesizerScores {
    /// A table of all pairs of positions.
    Random {
        /// Whether it is learned, or stays as it was drawn.
        #[serde(default = "super::gau::yes")]
        learned: bool,
    },
    /// The product of two tables of a few rows.
    Factorised {
        /// Rows of each, k.
        #[serde(default = "default_rank")]
        rank: usize,
    },
    /// A map of the token that looks.
    Dense,
}

fn default_rank() -> usize {
    16
}

impl Default for SynthesizerScores {
    fn default() -> Self {
        SynthesizerScores::Random { learned: true }
    }
}

/// How synthesized scores meet those of queries and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SynthesizerMixture {
    /// Their sum.
    Sum,
    /// `(1 − σ(a)) · QKᵀ/√d_h + σ(a) · B` with one learned number a, which starts at 0.
    Gate,
}

/// Options of Synthesizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SynthesizerConfig {
    /// Where scores come from.
    pub scores: SynthesizerScores,
    /// How they meet the scores of queries and keys; absent: there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixture: Option<SynthesizerMixture>,
    /// Number of heads; divides the model width.
    pub heads: usize,
    /// Standard deviation of the first tables; fixed random scores use 1.
    pub deviation: f64,
}

impl Default for SynthesizerConfig {
    fn default() -> Self {
        SynthesizerConfig { scores: SynthesizerScores::default(), mixture: None, heads: 4, deviation: 0.02 }
    }
}

impl SynthesizerConfig {
    /// # Errors
    /// Heads that do not divide the width, a rank of 0, or a negative deviation.
    pub fn validate(&self, width: usize) -> Result<(), ModelError> {
        check_divides(("model.mixer.heads", self.heads), ("model.width", width))?;
        if let SynthesizerScores::Factorised { rank } = self.scores
            && (rank == 0 || rank > 1 << 16)
        {
            return Err(ModelError::out_of_range("model.mixer.scores.rank", rank, "1 to 65536"));
        }
        crate::position::check_deviation("model.mixer.deviation", self.deviation)
    }

    pub(super) fn init(&self, place: Place, builder: &Builder) -> Synthesizer {
        let (d, n, h) = (place.width, place.max_length, self.heads);
        let drawn = Initialiser::Normal { deviation: self.deviation };
        let part = |name: &str, role| Linear::new([d, d], role, false, &builder.child(name));
        let scores = builder.child("scores");
        let table = |name: &str, shape: [usize; 3], first| scores.parameter(name, shape, first);
        let empty = ScoreSource { table: None, rows: None, columns: None, hidden: None };
        let scores = match self.scores {
            SynthesizerScores::Random { learned } => {
                let first = if learned { drawn } else { Initialiser::Normal { deviation: 1.0 } };
                ScoreSource { table: Some(table("table", [h, n, n], first)), ..empty }
            }
            SynthesizerScores::Factorised { rank } => ScoreSource {
                rows: Some(table("rows", [h, n, rank], drawn)),
                columns: Some(table("columns", [h, rank, n], drawn)),
                ..empty
            },
            SynthesizerScores::Dense => ScoreSource {
                hidden: Some(Linear::new([d, d], Role::Input, false, &scores.child("hidden"))),
                columns: Some(table("columns", [h, d / h, n], drawn)),
                ..empty
            },
        };
        let pairs = self.mixture.is_some();
        Synthesizer {
            scores,
            query: pairs.then(|| part("query", Role::Input)),
            key: pairs.then(|| part("key", Role::Input)),
            gate: (self.mixture == Some(SynthesizerMixture::Gate))
                .then(|| builder.parameter("gate", [1], Initialiser::Zeros)),
            value: part("value", Role::Value { factors: 2 }),
            output: part("output", Role::Output { factors: 2 }),
            config: self.clone(),
        }
    }

    /// What Synthesizer promises in one direction.
    pub fn promises(&self, causal: bool) -> Promises {
        Promises {
            causal,
            any_length: false,
            padding_safe: true,
            streaming: causal,
            prefix_consistent: causal,
            permutation_equivariant: false,
        }
    }

    pub(super) fn lengths(&self, max_length: usize) -> Lengths {
        Lengths::AtMost(max_length)
    }

    /// A·V and two projections; what makes the scores; a query, a key and their pairs for mixtures.
    pub fn cost(&self, place: Place, length: usize, causal: bool) -> MixerCost {
        let (n, d, h) = (length as u64, place.width as u64, self.heads as u64);
        let pairs = super::cost::pairs(length, causal);
        let values = MixerCost { projections: 2 * n * d * d, mixing: d * pairs, scores: h * n * n };
        let scores = match self.scores {
            SynthesizerScores::Random { .. } => MixerCost::default(),
            SynthesizerScores::Factorised { rank } => {
                MixerCost { mixing: h * rank as u64 * pairs, ..MixerCost::default() }
            }
            SynthesizerScores::Dense => {
                MixerCost { projections: n * d * d, mixing: d * pairs, ..MixerCost::default() }
            }
        };
        let of_pairs = match self.mixture {
            Some(_) => MixerCost { projections: 2 * n * d * d, mixing: d * pairs, ..MixerCost::default() },
            None => MixerCost::default(),
        };
        values + scores + of_pairs
    }
}

/// Where the scores of a Synthesizer come from: a table, rows and columns, or a hidden layer and columns.
#[derive(Module, Debug)]
struct ScoreSource {
    /// `[h, N, N]`.
    table: Option<Param<Tensor<3>>>,
    /// `[h, N, k]`.
    rows: Option<Param<Tensor<3>>>,
    /// `[h, k, N]`, or `[h, d_h, N]`.
    columns: Option<Param<Tensor<3>>>,
    /// `[d, d]`.
    hidden: Option<Linear>,
}

/// `softmax(B)·V` with scores B that do not come from pairs of tokens (Tay et al. 2020, section 3). Shapes: `[b, n, d]`
/// to the same.
#[derive(Module, Debug)]
pub struct Synthesizer {
    scores: ScoreSource,
    /// `[d, d]`, of mixtures.
    query: Option<Linear>,
    /// `[d, d]`, of mixtures.
    key: Option<Linear>,
    /// `[1]`, of gated mixtures.
    gate: Option<Param<Tensor<1>>>,
    value: Linear,
    output: Linear,
    #[module(skip)]
    config: SynthesizerConfig,
}

/// Positions of the queries and the number of keys.
#[derive(Clone, Copy)]
struct Range {
    start: usize,
    end: usize,
}

impl Synthesizer {
    /// Mixes `x` `[b, n, d]`.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        let end = x.dims()[1];
        let (key, value) = self.keys_and_values(x.clone());
        self.attend(x, Range { start: 0, end }, key, value, context.causal, &context.mask)
    }

    /// Mixes the next positions `x` `[b, k, d]` with all that `cache` holds.
    pub fn step(&self, x: Tensor<3>, cache: &mut KeyValueCache<4>) -> Tensor<3> {
        let start = cache.position();
        let (key, value) = self.keys_and_values(x.clone());
        // Without a mixture there are no keys; a cache of nothing keeps count.
        let (key, value) = cache.append(key.unwrap_or_else(|| value.clone().narrow(3, 0, 1)), value);
        let range = Range { start, end: value.dims()[1] };
        let key = self.key.is_some().then_some(key);
        self.attend(x, range, key, value, true, &Mask::default())
    }

    /// The options the mixer was made from.
    pub fn config(&self) -> &SynthesizerConfig {
        &self.config
    }

    /// `[b, n, h, d_h]` each; keys for mixtures only.
    fn keys_and_values(&self, x: Tensor<3>) -> (Option<Tensor<4>>, Tensor<4>) {
        (self.key.as_ref().map(|key| self.heads(key, x.clone())), self.heads(&self.value, x))
    }

    fn heads(&self, part: &Linear, x: Tensor<3>) -> Tensor<4> {
        let [b, n, d] = x.dims();
        part.forward(x, Activation::Identity).reshape([b, n, self.config.heads, d / self.config.heads])
    }

    fn attend(
        &self,
        x: Tensor<3>,
        range: Range,
        key: Option<Tensor<4>>,
        value: Tensor<4>,
        causal: bool,
        mask: &Mask,
    ) -> Tensor<3> {
        let [b, queries, d] = x.dims();
        let scores = self.synthesized(x.clone(), range);
        let scores = match (&self.query, key) {
            (Some(query), Some(key)) => {
                let width = key.dims()[3] as f64;
                let query = self.heads(query, x).swap_dims(1, 2).mul_scalar(width.powf(-0.5));
                self.mixed(query.matmul(key.swap_dims(1, 2).transpose()), scores)
            }
            _ => scores,
        };
        let geometry = Geometry { batch: b, queries, keys: range.end, causal };
        let weights = softmax(masked(scores, mask, &geometry));
        let value = value.swap_dims(1, 2);
        let weights = if weights.dims()[0] == b { weights } else { weights.repeat_dim(0, b) };
        let joined = weights.matmul(value).swap_dims(1, 2).reshape([b, queries, d]);
        self.output.forward(joined, Activation::Identity)
    }

    fn mixed(&self, pairs: Tensor<4>, scores: Tensor<4>) -> Tensor<4> {
        let Some(gate) = &self.gate else { return pairs + scores };
        let share: Tensor<4> = burn::tensor::activation::sigmoid(gate.val()).reshape([1, 1, 1, 1]);
        pairs.clone() + (scores - pairs) * share
    }

    /// B of some rows, `[1 or b, h, queries, keys]`.
    fn synthesized(&self, x: Tensor<3>, Range { start, end }: Range) -> Tensor<4> {
        let heads = self.config.heads;
        let columns = self.scores.columns.as_ref().map(|columns| {
            let [_, inner, maximum] = columns.val().dims();
            assert_at_most(end, maximum);
            columns.val().slice([0..heads, 0..inner, 0..end])
        });
        match (&self.scores.table, &self.scores.rows, &self.scores.hidden, columns) {
            (Some(table), ..) => {
                let fixed = self.config.scores == SynthesizerScores::Random { learned: false };
                let table = if fixed { table.val().detach() } else { table.val() };
                assert_at_most(end, table.dims()[1]);
                table.slice([0..heads, start..end, 0..end]).unsqueeze()
            }
            (_, Some(rows), _, Some(columns)) => {
                let rank = columns.dims()[1];
                rows.val().slice([0..heads, start..end, 0..rank]).matmul(columns).unsqueeze()
            }
            (_, _, Some(hidden), Some(columns)) => {
                let [b, n, d] = x.dims();
                let hidden = hidden.forward(x, Activation::Relu).reshape([b, n, heads, d / heads]);
                hidden.swap_dims(1, 2).matmul(columns.unsqueeze())
            }
            _ => unreachable!("scores come from a table, from rows or from hidden units"),
        }
    }
}

fn assert_at_most(length: usize, maximum: usize) {
    assert!(length <= maximum, "{length} positions, but scores for {maximum} only");
}

/// `scores` `[1 or b, h, queries, keys]` with −∞ where a key is hidden.
fn masked(scores: Tensor<4>, mask: &Mask, geometry: &Geometry) -> Tensor<4> {
    if mask.is_trivial(geometry) {
        return scores;
    }
    // Direction alone is the same for all rows of the batch.
    let rows = if mask.padding.is_none() && mask.segments.is_none() { 1 } else { geometry.batch };
    let geometry = Geometry { batch: rows, ..*geometry };
    let hidden = mask.hidden(&geometry, &scores.device()).reshape([rows, 1, geometry.queries, geometry.keys]);
    let scores = if scores.dims()[0] < rows { scores.repeat_dim(0, rows) } else { scores };
    let shape = scores.dims();
    scores.mask_fill(hidden.expand(shape), f64::NEG_INFINITY)
}
