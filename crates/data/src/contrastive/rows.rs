//! Examples of any kind, as rows of a batch.

use std::ops::Range;

use super::image_views::ImageViews;
use super::text_rows::TextRows;
use super::{ContrastiveBatch, ContrastiveTexts};
use crate::{AugmentConfig, DataError, ImageSet, Normalisation, Tokenizer};

/// An example and the number of the sample it is shown as.
pub type Sampled = (usize, u64);

/// Sample ids of an example: one for each column or view.
pub(super) const COLUMNS: u64 = 4;

/// Examples of a set.
#[derive(Debug)]
pub enum ContrastiveRows {
    /// Texts that belong together.
    Texts(TextRows),
    /// Images, each in two views.
    Images(Box<ImageViews>),
}

impl ContrastiveRows {
    /// Texts in rows of at most `length` tokens; see [`TextRows::new`].
    ///
    /// # Errors
    /// As there.
    pub fn texts(
        texts: &ContrastiveTexts,
        tokenizer: &Tokenizer,
        length: (usize, bool),
        part: &'static str,
    ) -> Result<Self, DataError> {
        TextRows::new(texts, tokenizer, length, part).map(ContrastiveRows::Texts)
    }

    /// Images in two views; see [`ImageViews::new`].
    ///
    /// # Errors
    /// As there.
    pub fn images(
        set: ImageSet,
        normalisation: &Normalisation,
        augment: AugmentConfig,
        seed: u64,
    ) -> Result<Self, DataError> {
        let views = ImageViews::new(set, normalisation, augment, seed)?;
        Ok(ContrastiveRows::Images(Box::new(views)))
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        match self {
            ContrastiveRows::Texts(rows) => rows.examples(),
            ContrastiveRows::Images(views) => views.set().len(),
        }
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Texts of an example; an image is one.
    pub fn columns(&self) -> usize {
        match self {
            ContrastiveRows::Texts(rows) => rows.columns(),
            ContrastiveRows::Images(_) => 1,
        }
    }

    /// How many texts were cut.
    pub fn cut(&self) -> usize {
        match self {
            ContrastiveRows::Texts(rows) => rows.cut(),
            ContrastiveRows::Images(_) => 0,
        }
    }

    /// Class of every example, of labelled texts and of images.
    pub fn labels(&self) -> Option<&[u32]> {
        match self {
            ContrastiveRows::Texts(rows) => rows.labels(),
            ContrastiveRows::Images(views) => Some(&views.set().labels),
        }
    }

    /// What everything in a column is: what has one number is the same thing.
    pub fn identities(&self, column: usize) -> &[u64] {
        match self {
            ContrastiveRows::Texts(rows) => rows.identities(column),
            ContrastiveRows::Images(views) => views.identities(),
        }
    }

    /// Hash of all tokens or pixels, and labels.
    pub fn fingerprint(&self) -> String {
        match self {
            ContrastiveRows::Texts(rows) => rows.fingerprint(),
            ContrastiveRows::Images(views) => views.set().fingerprint(),
        }
    }

    /// A batch of examples: column after column; sentences and images as two views.
    pub fn batch(&self, examples: &[Sampled]) -> ContrastiveBatch {
        match self {
            ContrastiveRows::Texts(rows) => rows.batch(examples),
            ContrastiveRows::Images(views) => views.batch(examples),
        }
    }

    /// One column of some examples, for embedding them; images as they are.
    pub fn column(&self, column: usize, examples: Range<usize>) -> ContrastiveBatch {
        match self {
            ContrastiveRows::Texts(rows) => rows.column(column, examples),
            ContrastiveRows::Images(views) => views.plain(examples),
        }
    }
}
