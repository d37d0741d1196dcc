//! What a decoder remembers.

use burn::tensor::Device;

use crate::mixer::MixerState;
use crate::seq2seq::row_ids;

/// What a decoder remembers of the latents and of the tokens it has been stepped through.
#[derive(Clone, Debug)]
pub struct LatentState {
    pub(super) layers: Vec<MixerState>,
    /// Tokens seen.
    pub(super) position: usize,
}

impl LatentState {
    /// Number of tokens seen.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The state of some rows of the batch, in any order and any number of times.
    #[must_use]
    pub fn select(&self, rows: &[usize], device: &Device) -> Self {
        let rows = row_ids(rows, device);
        LatentState {
            layers: self.layers.iter().map(|layer| layer.select(&rows)).collect(),
            position: self.position,
        }
    }
}
