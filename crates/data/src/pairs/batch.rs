//! What an encoder–decoder is fed with.

/// Rows of token ids of both sequences, as plain arrays in row-major order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairBatch {
    /// Rows.
    pub batch: usize,
    /// Positions of a source.
    pub source_length: usize,
    /// Positions of a target.
    pub target_length: usize,
    /// Ids of the sources, `[batch × source_length]`: the text, the end-of-text token, padding.
    pub sources: Vec<u32>,
    /// Which of them are real, `[batch × source_length]`. Absent where all are.
    pub source_padding: Option<Vec<bool>>,
    /// What the decoder has written so far, `[batch × target_length]`: the end-of-text token, the text, padding.
    pub inputs: Vec<u32>,
    /// What comes next, `[batch × target_length]`: the text, the end-of-text token, padding.
    pub targets: Vec<u32>,
    /// How much each target counts, `[batch × target_length]`: 1, or 0 for padding and for rows that only fill the last
    /// batch.
    pub weights: Vec<f32>,
    /// Which of the target's positions are real, `[batch × target_length]`. Absent where all are.
    pub target_padding: Option<Vec<bool>>,
    /// A number for each row, unique per (epoch, pair) and independent of the batch size.
    pub samples: Vec<u64>,
}

impl PairBatch {
    /// Sum of the weights: what a mean loss is divided by.
    pub fn total_weight(&self) -> f64 {
        self.weights.iter().map(|&weight| f64::from(weight)).sum()
    }

    /// Real positions of both sequences.
    pub fn real_positions(&self) -> u64 {
        let real = |padding: &Option<Vec<bool>>, all: usize| {
            padding.as_ref().map_or(all, |padding| padding.iter().filter(|&&real| real).count()) as u64
        };
        real(&self.source_padding, self.sources.len()) + real(&self.target_padding, self.inputs.len())
    }
}
