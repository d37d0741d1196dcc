//! What a comparison found.

use serde::Serialize;

use super::Crossing;
use super::block::Bytes;
use super::formula::{Ceiling, Crossover, KeptCrossings, KeptNumbers, LayerShape};

/// From which length every mixer is cheaper than softmax attention, in four views.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BreakevenReport {
    /// Width of the model.
    pub width: usize,
    /// Heads, for mixers that have them.
    #[serde(flatten)]
    pub shape: LayerShape,
    /// Whether a token sees only itself and earlier ones.
    pub causal: bool,
    /// What is compared.
    pub unit: &'static str,
    /// What a multiply–add is.
    pub convention: &'static str,
    /// Lengths, shortest first.
    pub lengths: Vec<usize>,
    /// Statements of the cost model.
    pub crossovers: Vec<Crossover>,
    /// What a free quadratic part would gain, by length.
    pub ceilings: Vec<Ceiling>,
    /// Numbers that attention keeps for its backward pass by formula, by length.
    pub kept: Vec<KeptNumbers>,
    /// Where linear attention keeps fewer.
    pub kept_crossings: KeptCrossings,
    /// The mixers; the first is softmax attention.
    pub mixers: Vec<MixerReport>,
}

/// One mixer beside softmax attention. Crossings are absent for softmax attention itself and where nothing is known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MixerReport {
    /// The word in a config file.
    pub mixer: &'static str,
    /// Mixing layers in its block.
    pub layers: usize,
    /// Whether a channel mixer belongs to its block.
    pub channel_mixer: bool,
    /// Why it is not compared at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// By the formula published for it.
    pub formula: Option<Crossing>,
    /// By exact counts.
    pub counted: Option<Crossing>,
    /// By the time of a token, forward and backward.
    pub time: Option<Crossing>,
    /// By the bytes a token has held between the two.
    pub memory: Option<Crossing>,
    /// By length.
    pub points: Vec<Point>,
}

/// One mixer at one length.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Length of the sequences.
    pub length: usize,
    /// Multiply–adds of a token in the block, forward.
    pub multiply_adds: f64,
    /// Why it was not measured at this length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// What was measured, if anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// Time and memory of one block at one length.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Tokens in a pass.
    pub tokens: usize,
    /// Median time of a token in microseconds, forward and backward.
    pub microseconds: f64,
    /// Time over that of softmax attention in the same round: the median of the rounds.
    pub time_ratio: f64,
    /// The lowest ratio of a round.
    pub lowest_ratio: f64,
    /// The highest.
    pub highest_ratio: f64,
    /// Bytes of a pass; absent if the program's allocator does not count.
    pub bytes: Option<Bytes>,
    /// Bytes held over those of softmax attention.
    pub memory_ratio: Option<f64>,
}
