//! What an embedding model is fed with.

/// Rows of token ids as plain arrays in row-major order: column after column, or of one column without labels each text
/// twice in a row, as two views.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContrastiveBatch {
    /// Examples.
    pub examples: usize,
    /// Texts, two or more for each example unless examples have labels.
    pub rows: usize,
    /// Positions of a row.
    pub length: usize,
    /// Token ids, `[rows × length]`: the end-of-text token, the text, padding.
    pub ids: Vec<u32>,
    /// Which positions are real, `[rows × length]`.
    pub padding: Vec<bool>,
    /// A number for each row, unique per (epoch, text, view) and independent of the batch size.
    pub samples: Vec<u64>,
    /// What each row is: rows of one number are the same thing.
    pub identities: Vec<u64>,
    /// Class of each row, of labelled texts.
    pub labels: Option<Vec<u64>>,
}

impl ContrastiveBatch {
    /// Real positions.
    pub fn real_positions(&self) -> u64 {
        self.padding.iter().filter(|&&real| real).count() as u64
    }
}
