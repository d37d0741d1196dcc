//! What an embedding model is fed with.

use crate::{Frame, ImageShape};

/// Rows of token ids or images as plain arrays in row-major order: column after column, or where an example has one column
/// and no label, each twice in a row, as two views.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContrastiveBatch {
    /// Examples.
    pub examples: usize,
    /// Texts or images, two or more for each example unless examples have labels.
    pub rows: usize,
    /// What the rows are.
    pub inputs: RowInputs,
    /// A number for each row, unique per (epoch, example, view) and independent of the batch size.
    pub samples: Vec<u64>,
    /// What each row is: rows of one number are the same thing.
    pub identities: Vec<u64>,
    /// Class of each row, of labelled texts.
    pub labels: Option<Vec<u64>>,
}

/// What the rows of a batch are.
#[derive(Clone, Debug, PartialEq)]
pub enum RowInputs {
    /// Texts as token ids.
    Tokens {
        /// Positions of a row.
        length: usize,
        /// Token ids, `[rows × length]`: the text in its frame, padding.
        ids: Vec<u32>,
        /// Which positions are real, `[rows × length]`.
        padding: Vec<bool>,
    },
    /// Images.
    Images {
        /// The shape of an image.
        shape: ImageShape,
        /// Normalised values, `[rows × height × width × channels]`.
        pixels: Vec<f32>,
    },
}

impl Default for RowInputs {
    fn default() -> Self {
        RowInputs::Tokens { length: 0, ids: Vec::new(), padding: Vec::new() }
    }
}

impl ContrastiveBatch {
    /// Rows of `length` positions as embedding models read texts: as much of each as fits in its frame, padding.
    ///
    /// # Panics
    /// If the frame alone is longer.
    pub fn of_rows<'t>(texts: impl IntoIterator<Item = &'t [u32]>, length: usize, frame: &Frame) -> Self {
        let (mut ids, mut padding, mut rows) = (Vec::new(), Vec::new(), 0);
        for text in texts {
            let real = frame.write(text, length, &mut ids);
            padding.extend((0..length).map(|position| position < real));
            rows += 1;
        }
        ContrastiveBatch {
            rows,
            inputs: RowInputs::Tokens { length, ids, padding },
            samples: (0..rows as u64).collect(),
            ..ContrastiveBatch::default()
        }
    }

    /// Real positions, of a model that makes `image` positions of an image.
    pub fn real_positions(&self, image: usize) -> u64 {
        match &self.inputs {
            RowInputs::Tokens { padding, .. } => padding.iter().filter(|&&real| real).count() as u64,
            RowInputs::Images { .. } => (self.rows * image) as u64,
        }
    }

    /// Positions of a row, likewise.
    pub fn positions(&self, image: usize) -> usize {
        match self.inputs {
            RowInputs::Tokens { length, .. } => length,
            RowInputs::Images { .. } => image,
        }
    }
}
