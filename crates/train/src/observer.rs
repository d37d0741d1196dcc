//! What a run tells while it is under way.

use std::path::Path;

use crate::metrics::MetricsLine;
use crate::parameters::InitReport;

/// Size and place of a run that is about to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Updates made already.
    pub from: u64,
    /// Updates in all.
    pub steps: u64,
    /// Number of parameter values.
    pub parameters: usize,
    /// Tokens an update reads, without padding at most.
    pub tokens_per_step: usize,
}

/// One update, as it happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Updates made, this one included.
    pub step: u64,
    /// Its loss in nats per token.
    pub loss: f64,
    /// Its learning rate.
    pub learning_rate: f64,
    /// Tokens it read.
    pub tokens: u64,
}

/// Listens to a run. Every method does nothing unless it is written.
pub trait Observer {
    /// Something that takes a while begins: reading, tokenizing, building.
    fn phase(&mut self, what: &str) {
        let _ = what;
    }

    /// Parameters were taken from another model.
    fn initialised(&mut self, report: &InitReport) {
        let _ = report;
    }

    /// Training begins.
    fn started(&mut self, start: &Start) {
        let _ = start;
    }

    /// An update was made.
    fn updated(&mut self, progress: &Progress) {
        let _ = progress;
    }

    /// A line of the metrics was written.
    fn measured(&mut self, line: &MetricsLine) {
        let _ = line;
    }

    /// Text was generated.
    fn sampled(&mut self, step: u64, text: &str) {
        let _ = (step, text);
    }

    /// A checkpoint was written.
    fn saved(&mut self, step: u64, folder: &Path) {
        let _ = (step, folder);
    }

    /// Something the user should know, which is no error.
    fn notice(&mut self, message: &str) {
        let _ = message;
    }
}

/// An observer that does not look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
