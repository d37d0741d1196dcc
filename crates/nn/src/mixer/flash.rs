//! FLASH: a gated attention unit that is quadratic inside chunks of c positions and linear between them.
//!
//! ```text
//! quadratic: relu(scale·Q^q K^qᵀ + B)²·V inside a chunk
//! linear:    Q^l·Σ K^lᵀV / normaliser over earlier chunks (causal) or all chunks
//! Y = (U ⊙ (quadratic + linear))·W_o
//! ```
//!
//! The linear part has neither feature map nor denominator. Source: Hua et al., "Transformer quality in
//! linear time", 2022, section 3.2 and appendix; the count (g−1)·c of the causal mean is the appendix's.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use mixlab_kernels::{
    ChunkNormaliser, Mask, MixedChunkOptions, Positions, ScoreOptions, ScoreWeight, mixed_chunk_attention,
    score_attention,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cost::pairs;
use super::gated_unit::{GatedUnitOptions, Projected, check_unit, expanded_width};
use super::gau::{default_expansion, default_key_width, one, yes};
use super::state::numbers;
use super::{AffineInitialisation, GatedUnit, MixerCost, Place};
use crate::config::check_rate;
use crate::position::{RelativeBias, RelativeBiasConfig, RotaryConfig, Span};
use crate::{Builder, Context, ModelError, Promises};

/// Options of FLASH.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FlashConfig {
    /// Chunk length c.
    pub chunk: usize,
    /// What the linear part is divided by.
    pub normaliser: ChunkNormaliserConfig,
    /// What quadratic scores are divided by.
    pub quadratic_scale: QuadraticScale,
    /// Expanded width e as a multiple of the model width.
    pub expansion: f64,
    /// Shared width s of queries and keys.
    pub key_width: usize,
    /// Whether the projections have biases.
    pub bias: bool,
    /// Whether queries and keys have an offset β beside their factor γ.
    pub affine_bias: bool,
    /// First values of the factors γ.
    pub affine: AffineInitialisation,
    /// Rotation of all four queries and keys, by the position in the whole sequence.
    pub rotary: RotaryConfig,
    /// Additive bias by relative position on quadratic scores; its lengths are those inside a chunk.
    pub relative_bias: RelativeBiasConfig,
    /// Dropout of quadratic weights, in [0, 1).
    pub attention_dropout: f64,
    /// Units that one of `model.depth` stands for.
    pub layers_per_block: usize,
}

impl Default for FlashConfig {
    fn default() -> Self {
        FlashConfig {
            chunk: 256,
            normaliser: ChunkNormaliserConfig::default(),
            quadratic_scale: QuadraticScale::default(),
            expansion: default_expansion(),
            key_width: default_key_width(),
            bias: false,
            affine_bias: yes(),
            affine: AffineInitialisation::default(),
            rotary: RotaryConfig::default(),
            relative_bias: RelativeBiasConfig::default(),
            attention_dropout: 0.0,
            layers_per_block: one(),
        }
    }
}

/// What the linear part is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChunkNormaliserConfig {
    /// The number of real tokens it sums over: a mean (the paper's appendix).
    #[default]
    Mean,
    /// The chunk length when causal, so that it grows along the sequence (FLASH-pytorch); as `mean` otherwise,
    /// where that package divides by the length, padding included.
    PerChunk,
}

/// What quadratic scores are divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuadraticScale {
    /// relu(S/c + B)² (the paper's appendix).
    #[default]
    PerChunk,
    /// relu(S/√(c·s) + B)², which is relu²(S)/(c·s) without bias.
    PerChunkAndWidth,
}

impl FlashConfig {
    /// # Errors
    /// A number outside its range.
    pub fn validate(&self, width: usize) -> Result<(), ModelError> {
        if self.chunk == 0 || self.chunk > 1 << 20 {
            return Err(ModelError::out_of_range("model.mixer.chunk", self.chunk, "1 to 1048576"));
        }
        check_unit(self.expansion, width, self.key_width, self.affine, self.layers_per_block)?;
        self.rotary.validate(self.key_width)?;
        self.relative_bias.validate()?;
        check_rate("model.mixer.attention_dropout", self.attention_dropout)
    }

    pub(super) fn init(&self, width: usize, builder: &Builder) -> Flash {
        let options = GatedUnitOptions {
            width,
            expanded: expanded_width(self.expansion, width),
            key_width: self.key_width,
            heads: 4,
            bias: self.bias,
            affine_bias: self.affine_bias,
            affine: self.affine,
            rotary: self.rotary.init(self.key_width),
        };
        Flash {
            unit: GatedUnit::new(options, &builder.child("unit")),
            relative_bias: self.relative_bias.init(self.chunk, &builder.child("relative_bias")),
            site: format!("{}.scores", builder.path()),
            config: self.clone(),
        }
    }

    /// Quadratic inside a chunk; between chunks a sum of size s·e, grown and read. A causal sequence does not read it
    /// in its first chunk and need not grow it in its last.
    pub fn cost(&self, place: Place, length: usize, causal: bool) -> MixerCost {
        let (n, d) = (length as u64, place.width as u64);
        let (e, s) = (expanded_width(self.expansion, place.width) as u64, self.key_width as u64);
        let chunk = self.chunk.min(length).max(1);
        let (whole, rest) = (length / chunk, length % chunk);
        let last = if rest > 0 { rest } else { chunk };
        let (grown, read) = if causal { (length - last, length - chunk) } else { (length, length) };
        MixerCost {
            projections: n * d * (3 * e + s),
            mixing: (s + e) * (whole as u64 * pairs(chunk, causal) + pairs(rest, causal))
                + s * e * (grown + read) as u64,
            scores: n * chunk as u64,
        }
    }

    /// What FLASH promises in one direction.
    pub fn promises(&self, causal: bool) -> Promises {
        Promises {
            causal,
            any_length: true,
            padding_safe: true,
            streaming: causal,
            prefix_consistent: causal,
            // Which tokens share a chunk depends on their order.
            permutation_equivariant: false,
        }
    }

    fn scale(&self) -> f64 {
        match self.quadratic_scale {
            QuadraticScale::PerChunk => 1.0 / self.chunk as f64,
            QuadraticScale::PerChunkAndWidth => ((self.chunk * self.key_width) as f64).powf(-0.5),
        }
    }
}

/// FLASH: `(U ⊙ (quadratic + linear))·W_o`, quadratic inside chunks and linear between them (Hua et al. 2022,
/// section 3.2 and appendix). Shapes: `[b, n, d]` to the same.
#[derive(Module, Debug)]
pub struct Flash {
    unit: GatedUnit,
    relative_bias: Option<RelativeBias>,
    #[module(skip)]
    site: String,
    #[module(skip)]
    config: FlashConfig,
}

/// What FLASH remembers: the sum over completed chunks, and the present chunk.
#[derive(Clone, Debug)]
pub struct FlashState {
    /// Σ K^lᵀV over completed chunks, not normalised, `[b, s, e]`.
    sum: Tensor<3>,
    /// Positions in completed chunks.
    completed: usize,
    /// K^q, K^l and V side by side for the r < c positions of the present chunk, `[b, r, 2s + e]`.
    present: Option<Tensor<3>>,
}

impl FlashState {
    /// The state of some sequences of the batch.
    pub(super) fn select(&self, rows: &Tensor<1, Int>) -> Self {
        let pick = |x: &Tensor<3>| x.clone().select(0, rows.clone());
        FlashState {
            sum: pick(&self.sum),
            completed: self.completed,
            present: self.present.as_ref().map(pick),
        }
    }

    /// Number of positions seen.
    pub fn position(&self) -> usize {
        self.completed + self.in_chunk()
    }

    /// Numbers held.
    pub fn size(&self) -> usize {
        numbers(&self.sum) + self.present.as_ref().map_or(0, numbers)
    }

    /// Positions of the present chunk, r.
    fn in_chunk(&self) -> usize {
        self.present.as_ref().map_or(0, |present| present.dims()[1])
    }

    /// Appends positions to the present chunk; gives K^q and V of the chunk so far. A chunk that is full
    /// joins the sum.
    fn append(&mut self, new: [Tensor<3>; 3], chunk: usize) -> (Tensor<3>, Tensor<3>) {
        let (s, e) = (new[0].dims()[2], new[2].dims()[2]);
        let new = Tensor::cat(new.map(Tensor::detach).to_vec(), 2);
        let present = match self.present.take() {
            Some(held) => Tensor::cat(vec![held, new], 1),
            None => new,
        };
        let columns = |start, width| present.clone().narrow(2, start, width);
        let (key, linear_key, value) = (columns(0, s), columns(s, s), columns(2 * s, e));
        if present.dims()[1] == chunk {
            self.sum = self.sum.clone() + linear_key.swap_dims(1, 2).matmul(value.clone());
            self.completed += chunk;
        } else {
            self.present = Some(present);
        }
        (key, value)
    }
}

impl Flash {
    /// Mixes `x` `[b, n, d]`; the last chunk may be shorter. Chunks are counted from the first row.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        let Projected { gate, value, heads: [query, key, linear_query, linear_key] } =
            self.unit.project(x, context.positions());
        let options = MixedChunkOptions {
            chunk: self.config.chunk,
            causal: context.causal,
            scale: self.config.scale(),
            normaliser: match self.config.normaliser {
                ChunkNormaliserConfig::Mean => ChunkNormaliser::Mean,
                ChunkNormaliserConfig::PerChunk => ChunkNormaliser::PerChunk,
            },
            mask: context.mask.clone(),
            dropout: context.dropout(self.config.attention_dropout, &self.site),
        };
        let bias = self.bias(Span::square(self.config.chunk, context.causal));
        let attended = mixed_chunk_attention(query, key, linear_query, linear_key, value, bias, options);
        self.unit.finish(attended, gate)
    }

    /// An empty state for `batch` sequences.
    pub fn state(&self, batch: usize) -> FlashState {
        let sum = self.unit.zeros([batch, self.config.key_width, self.unit.expanded()]);
        FlashState { sum, completed: 0, present: None }
    }

    /// Mixes the next positions `x` `[b, k, d]`, chunk by chunk.
    pub fn step(&self, x: Tensor<3>, state: &mut FlashState, positions: Positions) -> Tensor<3> {
        let count = x.dims()[1];
        let Projected { gate, value, heads } = self.unit.project(x, positions);
        let mut attended = Vec::new();
        let mut start = 0;
        while start < count {
            let length = (count - start).min(self.config.chunk - state.in_chunk());
            let cut = |x: &Tensor<3>| x.clone().narrow(1, start, length);
            attended.push(self.step_in_chunk(heads.each_ref().map(cut), cut(&value), state));
            start += length;
        }
        self.unit.finish(Tensor::cat(attended, 1), gate)
    }

    /// Positions that lie in one chunk: quadratic over the chunk so far, linear over the completed ones.
    fn step_in_chunk(&self, heads: [Tensor<3>; 4], value: Tensor<3>, state: &mut FlashState) -> Tensor<3> {
        let [query, key, linear_query, linear_key] = heads;
        let linear = (state.completed > 0).then(|| {
            let divisor = match self.config.normaliser {
                ChunkNormaliserConfig::Mean => state.completed,
                ChunkNormaliserConfig::PerChunk => self.config.chunk,
            };
            linear_query.matmul(state.sum.clone()).div_scalar(divisor as f64)
        });
        let (keys, values) = state.append([key, linear_key, value], self.config.chunk);
        let span = Span { queries: query.dims()[1], keys: keys.dims()[1], causal: true };
        let options = ScoreOptions {
            weight: ScoreWeight::SquaredRelu,
            scale: self.config.scale(),
            causal: true,
            mask: Mask::default(),
            dropout: None,
        };
        // The values of a chunk's offsets are those of the whole chunk, cut.
        let chunk = self.config.chunk;
        let bias =
            self.bias(Span::square(chunk, true)).map(|bias| bias.narrow(0, chunk - span.keys, span.len()));
        let quadratic = score_attention(query, keys, values, bias, options);
        match linear {
            Some(linear) => quadratic + linear,
            None => quadratic,
        }
    }

    /// The options the mixer was made from.
    pub fn config(&self) -> &FlashConfig {
        &self.config
    }

    fn bias(&self, span: Span) -> Option<Tensor<1>> {
        self.relative_bias.as_ref().map(|bias| bias.values(span))
    }
}
