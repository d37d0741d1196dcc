//! Training text and held-out text, set apart before anything is learned.

use crate::{DataConfig, DataError, Documents, read};

/// The text of a run: what it learns from (tokenizer included) and what it is measured on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextSplit {
    /// Text that tokenizer and model are trained on.
    pub train: Documents,
    /// Text that neither ever sees; empty when nothing is held out. Bits per byte are counted over
    /// all its UTF-8 bytes.
    pub evaluate: Documents,
}

/// Reads every file of a run and sets the held-out text apart: the files of `evaluate`, or else the
/// last `evaluate_fraction` of the bytes of the training text.
///
/// # Errors
/// A config out of range, or anything wrong with a file.
pub fn load(config: &DataConfig) -> Result<TextSplit, DataError> {
    config.validate()?;
    let train = read::read_all(&config.train, config)?;
    if config.evaluate.is_empty() {
        let (train, evaluate) = train.split_off(config.evaluate_fraction);
        return Ok(TextSplit { train, evaluate });
    }
    let evaluate = read::read_all(&config.evaluate, config)?;
    Ok(TextSplit { train, evaluate })
}
