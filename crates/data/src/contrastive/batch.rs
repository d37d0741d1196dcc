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
    /// Rows of `length` positions as embedding models read texts: the token `end`, as much of the text as fits, padding.
    ///
    /// # Panics
    /// If the length is 0.
    pub fn of_rows<'t>(
        texts: impl IntoIterator<Item = &'t [u32]>,
        length: usize,
        [end, padding]: [u32; 2],
    ) -> Self {
        let mut batch = ContrastiveBatch { length, ..ContrastiveBatch::default() };
        for text in texts {
            let text = &text[..text.len().min(length - 1)];
            batch.samples.push(batch.rows as u64);
            batch.rows += 1;
            batch.ids.push(end);
            batch.ids.extend_from_slice(text);
            batch.ids.resize(batch.rows * length, padding);
            batch.padding.extend((0..length).map(|position| position <= text.len()));
        }
        batch
    }

    /// Real positions.
    pub fn real_positions(&self) -> u64 {
        self.padding.iter().filter(|&&real| real).count() as u64
    }
}
