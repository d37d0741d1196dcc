//! What travels with every forward pass beside the tensor itself.

use std::sync::Arc;

use mixlab_core::Key;
use mixlab_kernels::{Dropout, Mask, Positions};

use crate::seq2seq::Memory;

/// Whether a pass trains or evaluates. Noise exists only in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Dropout is on.
    Train,
    /// Dropout is off.
    Eval,
}

/// The circumstances of one forward pass over a batch. Nothing is read from globals.
#[derive(Clone, Debug)]
pub struct Context {
    /// Training or evaluation.
    pub mode: Mode,
    /// Whether a position may see only itself and earlier ones.
    pub causal: bool,
    /// Root of this step's noise; each site folds its own path into it.
    pub key: Key,
    /// One id a row of the batch: noise is a function of the sample, not of its place in the batch.
    pub samples: Arc<[u64]>,
    /// Key padding and document segments.
    pub mask: Mask,
    /// Number of the first row in its sequence; larger than zero only while streaming.
    pub start: usize,
    /// Positions that are left out behind row 0 of a sequence, where a text keeps a distance from what it reads in front.
    pub gap: usize,
    /// What blocks with cross-attention read.
    pub memory: Option<Memory>,
}

impl Context {
    /// An evaluation pass over `batch` rows: no noise, no masks, from position 0.
    pub fn evaluation(batch: usize, causal: bool) -> Self {
        Context {
            mode: Mode::Eval,
            causal,
            key: Key::root(0),
            samples: (0..batch as u64).collect(),
            mask: Mask::default(),
            start: 0,
            gap: 0,
            memory: None,
        }
    }

    /// Where the rows stand, for mixers that turn by position.
    pub fn positions(&self) -> Positions {
        Positions { start: self.start, gap: self.gap }
    }

    /// The dropout of one site, or none when evaluating or when `rate` is zero.
    pub fn dropout(&self, rate: f64, site: &str) -> Option<Dropout> {
        (self.mode == Mode::Train && rate > 0.0).then(|| Dropout {
            rate,
            key: self.key.site(site),
            samples: Arc::clone(&self.samples),
        })
    }
}
