//! What a run writes about itself while it is under way: `metrics.jsonl`, TensorBoard events and
//! `samples.txt`.
//!
//! The files only grow. A checkpoint notes their lengths, and a resumed run first cuts them back to
//! what its checkpoint knew, so that nothing is said twice.

mod append;
mod curves;
mod line;
mod tensorboard;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use curves::draw_curves;
pub use line::{MetricsLine, Split, TextVaeTerms, read_lines};

use crate::TrainError;
use crate::layers::Layers;
use append::AppendFile;
use tensorboard::EventWriter;

/// Name of the metrics file in a run folder.
pub const METRICS: &str = "metrics.jsonl";
/// Name of the samples file in a run folder.
pub const SAMPLES: &str = "samples.txt";
/// Name of the TensorBoard file in a run folder. Viewers look for `tfevents` in it.
pub const EVENTS: &str = "events.out.tfevents.0.mixlab";

/// Lengths in bytes of the three files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lengths {
    /// Of `metrics.jsonl`.
    pub metrics: u64,
    /// Of `samples.txt`.
    pub samples: u64,
    /// Of the event file.
    pub events: u64,
}

/// The three files, open for appending.
pub struct Metrics {
    lines: AppendFile,
    samples: AppendFile,
    events: EventWriter,
}

impl Metrics {
    /// Opens the files in `run`, cut back to `lengths`.
    ///
    /// # Errors
    /// [`TrainError::Write`], or [`TrainError::LogTooShort`] if a file lost what the checkpoint knew.
    pub fn open(run: &Path, lengths: Lengths) -> Result<Self, TrainError> {
        Ok(Metrics {
            lines: AppendFile::open(&run.join(METRICS), lengths.metrics)?,
            samples: AppendFile::open(&run.join(SAMPLES), lengths.samples)?,
            events: EventWriter::open(&run.join(EVENTS), lengths.events)?,
        })
    }

    /// Writes one line and its scalars.
    ///
    /// # Errors
    /// [`TrainError::Write`].
    pub fn line(&mut self, line: &MetricsLine) -> Result<(), TrainError> {
        self.lines.write(line.to_json().as_bytes())?;
        self.events.scalars(line.step, &line.scalars())
    }

    /// Writes signal, gradient and update of every block as histograms over the blocks.
    ///
    /// # Errors
    /// [`TrainError::Write`].
    pub fn layers(&mut self, step: u64, layers: &Layers) -> Result<(), TrainError> {
        let histograms = [
            ("layers/signal", &layers.signal[..]),
            ("layers/gradient", &layers.gradient),
            ("layers/update", &layers.update),
        ];
        self.events.histograms(step, &histograms)
    }

    /// Writes the text generated after `step` updates.
    ///
    /// # Errors
    /// [`TrainError::Write`].
    pub fn sample(&mut self, step: u64, text: &str) -> Result<(), TrainError> {
        self.samples.write(format!("--- step {step}\n{text}\n\n").as_bytes())
    }

    /// Makes everything written so far durable and returns how much it is.
    ///
    /// # Errors
    /// [`TrainError::Write`].
    pub fn sync(&mut self) -> Result<Lengths, TrainError> {
        Ok(Lengths {
            metrics: self.lines.sync()?,
            samples: self.samples.sync()?,
            events: self.events.sync()?,
        })
    }
}
