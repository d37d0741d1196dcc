//! How long sources and targets are.

use mixlab_data::PairOptions;
use mixlab_nn::ModelConfig;
use mixlab_nn::mixer::Lengths;

use crate::{ObjectiveConfig, TrainError};

/// Positions of sources and targets in a run, their ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairShape {
    /// Most positions of a source.
    pub source: usize,
    /// Most positions of a target.
    pub target: usize,
    /// Whether the decoder reads the source itself, as one row with the target.
    pub joined: bool,
    /// Whether every row has the most positions, as a mixer of one length needs it.
    fixed: bool,
}

impl PairShape {
    /// Of a model that is trained for `objective` on rows of `length` tokens, with sources of `source_length` unless
    /// spans of the rows are hidden.
    pub(crate) fn of(
        model: &ModelConfig,
        objective: &ObjectiveConfig,
        length: usize,
        source_length: Option<usize>,
    ) -> Self {
        let [source, target] = match objective {
            ObjectiveConfig::SpanCorruption { spans } => spans.lengths(length),
            _ => [source_length.unwrap_or(length), length],
        };
        let exact = |lengths| matches!(lengths, Lengths::Exactly(_));
        let of_encoder = |model: ModelConfig| exact(model.lengths(false));
        let encoder = model.encoder.as_ref().map(|encoder| encoder.model(model));
        PairShape {
            source,
            target,
            joined: encoder.is_none(),
            fixed: exact(model.lengths(true)) || encoder.is_some_and(of_encoder),
        }
    }

    /// How batches of pairs are made.
    pub(crate) fn options(&self, batch: usize) -> PairOptions {
        PairOptions {
            batch,
            source_length: self.source,
            target_length: self.target,
            full_length: self.fixed && !self.joined,
        }
    }

    /// The lengths that rows of both parts are padded to, if they have to be.
    pub(crate) fn full(&self) -> Option<[usize; 2]> {
        (self.fixed && !self.joined).then_some([self.source, self.target])
    }

    /// The length that rows of both parts as one are padded to, if they have to be.
    pub(crate) fn joined_full(&self) -> Option<usize> {
        (self.fixed && self.joined).then(|| self.row())
    }

    /// Positions of source and target as one row, which share the token between them.
    pub fn row(&self) -> usize {
        self.source + self.target - 1
    }

    /// Whether the model can take rows of these lengths.
    ///
    /// # Errors
    /// [`TrainError::Conflict`] with the greatest length of a stack, and what its mixers say.
    pub(crate) fn check(&self, model: &ModelConfig) -> Result<(), TrainError> {
        let too_long = |what: &str, length: usize, key: &str, maximum: usize| TrainError::Conflict {
            first: format!("{length} positions of {what}"),
            second: format!("{key} = {maximum}"),
            reason: "rows would be longer than the model is made for".into(),
            remedy: format!("set `{key} = {length}`, or lower `train.length` or `train.source_length`"),
        };
        let Some(encoder) = &model.encoder else {
            let maximum = model.max_length;
            if self.row() > maximum {
                let what = "source and target";
                return Err(too_long(what, self.row(), "model.max_length", maximum));
            }
            return Ok(model.check_length(self.row(), true)?);
        };
        let encoder = encoder.model(model);
        if self.source > encoder.max_length {
            let key = "model.encoder.max_length";
            return Err(too_long("a source", self.source, key, encoder.max_length));
        }
        if self.target > model.max_length {
            return Err(too_long("a target", self.target, "model.max_length", model.max_length));
        }
        encoder.check_length(self.source, false)?;
        Ok(model.check_length(self.target, true)?)
    }
}
