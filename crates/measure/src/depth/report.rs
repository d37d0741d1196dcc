//! What an examination of depth found.

use std::collections::BTreeMap;

use mixlab_nn::residual::{Constants, UpdateKind};
use serde::Serialize;

/// Schemes by depth under the updates of several optimisers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DepthReport {
    /// The token mixer.
    pub mixer: &'static str,
    /// Width of the stream.
    pub width: usize,
    /// Rows and tokens of the batch.
    pub batch: [usize; 2],
    /// Depths, in blocks, the shallowest first.
    pub depths: Vec<usize>,
    /// Updates after which movements are measured, beside the first.
    pub steps: u64,
    /// Seeds that figures are means of.
    pub seeds: u64,
    /// The schemes.
    pub schemes: Vec<SchemeReport>,
    /// Which scheme to use, and why.
    pub advice: String,
}

/// One scheme.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SchemeReport {
    /// Its name, with the optimiser of its constants.
    pub scheme: String,
    /// At the first values, by depth.
    pub profiles: Vec<Profile>,
    /// After updates, by optimiser and by whether norms are trained.
    pub updates: Vec<UpdateReport>,
}

/// One scheme of one depth at its first values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// Number of blocks.
    pub depth: usize,
    /// α and β, where the scheme has them.
    pub constants: Option<Constants>,
    /// Root mean square of the output of each block.
    pub signal: Vec<f64>,
    /// Root mean square of the gradient of the summed loss by the input of each block.
    pub gradient: Vec<f64>,
    /// |∂L/∂λ| of each matrix W = λ·U by its path in the block, λ being its deviation over Xavier's: root mean square over
    /// the blocks.
    pub scale_gradient: BTreeMap<String, f64>,
}

/// One scheme under one optimiser.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UpdateReport {
    /// The optimiser.
    pub optimizer: UpdateKind,
    /// Its learning rate.
    pub learning_rate: f64,
    /// Whether gains and biases of norms were updated too.
    pub norms_trained: bool,
    /// By depth.
    pub points: Vec<Point>,
    /// Movement of the first update at the largest depth over that at the smallest.
    pub growth: Option<f64>,
}

/// One depth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Number of blocks.
    pub depth: usize,
    /// ‖ΔF‖/‖F‖ of the final vectors after one update; absent if it is no number.
    pub first: Option<f64>,
    /// The same after all updates.
    pub last: Option<f64>,
    /// The largest learning rate, among powers of 2 times `learning_rate`, at which updates bring the
    /// loss below that of any constant prediction; absent if it was not looked for or none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub survives: Option<f64>,
}
