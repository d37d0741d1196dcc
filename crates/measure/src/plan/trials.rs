//! Which trials are made, and what a whole model takes by them.

use mixlab_nn::ClassifierInput;
use mixlab_train::{Config, DataDescription, Description, TrainError};

use super::calibration::{Sample, sample};
use super::estimate::{Bytes, Seconds, Setting, Stack};
use super::stage::Stage;
use crate::memory::{MEBI, available_mib};

/// Blocks of the deeper trial.
const BLOCKS: usize = 4;
/// Rows of the smaller trial for memory, and positions it has at most.
const ROWS: usize = 8;
const POSITIONS: usize = 4096;
/// The share of the memory that is free now which a trial may take.
const SHARE: f64 = 0.5;

/// Trials of shallow models and what follows from them.
pub(super) struct Trials {
    pub stack: Stack,
    /// Of the forward and backward pass.
    pass: Bytes,
    /// Of the update, in which a deep and narrow model has its peak.
    update: Bytes,
    seconds: Seconds,
    /// Of contrastive runs.
    stage: Option<Stage>,
    /// Bytes of the gradients of all parameters.
    gradients: f64,
}

impl Trials {
    pub fn run(
        config: &Config,
        description: &Description,
        setting: Setting,
        budget: Option<u64>,
    ) -> Result<Self, TrainError> {
        let [_, all, length] = description.batch;
        let batch = setting.chunk.unwrap_or(all);
        let depth = config.model.depth.min(BLOCKS);
        let few = batch.div_ceil(2).min(ROWS).min((POSITIONS / length.max(1)).max(1));
        let trial = |depth, rows| sample(config, &description.data, length, (depth, rows));
        let pair = |rows| -> Result<[Sample; 2], TrainError> {
            let one = trial(1, rows)?;
            Ok([one, if depth == 1 { one } else { trial(depth, rows)? }])
        };
        let (fewer, more) = (pair(few)?, pair(2 * few)?);
        let bytes =
            |peak: fn(Sample) -> f64| Bytes::through([fewer, more].map(|pair| pair.map(peak)), depth, few);
        let (pass, update) = (bytes(|sample| sample.pass_peak), bytes(|sample| sample.update_peak));
        let rows = affordable(&pass, depth, batch, budget);
        // A trial of as many rows has been timed already, more often than not.
        let timed = match rows {
            rows if rows == few => fewer,
            rows if rows == 2 * few => more,
            rows => pair(rows)?,
        };
        let number = config.run.precision.size();
        let each = if setting.chunk.is_some() { all / setting.batch } else { 1 };
        Ok(Trials {
            stack: Stack {
                depth: config.model.depth,
                layers: config.model.mixer.layers_per_block(),
                rows: each,
                input: (number * length * config.model.width) as f64,
                longest: description.data.longest(),
            },
            pass,
            update,
            seconds: Seconds::through(timed[0], timed[1], depth, rows),
            stage: config.objective.contrastive().map(|objective| {
                let stage = Stage::measure(config, objective, [setting.batch, each]);
                Stage { bytes: stage.bytes + batch_bytes(&description.data, [all, length]), ..stage }
            }),
            gradients: description.memory.gradients as f64,
        })
    }

    /// The most bytes of tensors that are held at any moment.
    pub fn bytes(&self, setting: Setting) -> f64 {
        // When gradients become an update, no activations are held, whether or not they are computed again.
        let update = self.update.at(self.stack, Setting { segment: None, ..setting });
        // Gradients of chunks are added to those of the chunks before.
        let sums = if setting.is_cached(self.stack.rows) { self.gradients } else { 0.0 };
        let stage = self.stage.map_or(0.0, |stage| stage.bytes);
        (self.pass.at(self.stack, setting) + stage + sums).max(update)
    }

    /// Bytes of what the forward pass keeps.
    pub fn activations(&self, setting: Setting) -> f64 {
        self.pass.activations(self.stack, setting)
    }

    /// Seconds of an update.
    pub fn seconds(&self, setting: Setting) -> f64 {
        let stage = self.stage.map_or(0.0, |stage| stage.seconds);
        self.seconds.at(self.stack, setting) + setting.accumulation as f64 * stage
    }
}

/// The most rows, up to those of the config, with which a trial of `depth` blocks stays within the budget and a share of
/// the free memory.
fn affordable(bytes: &Bytes, depth: usize, batch: usize, budget: Option<u64>) -> usize {
    let free = available_mib().map_or(f64::INFINITY, |mib| SHARE * mib * MEBI);
    let most = budget.map_or(free, |budget| free.min(budget as f64));
    let stack = Stack { depth, layers: 1, rows: 1, input: 0.0, longest: 1.0 };
    let at = |batch| bytes.at(stack, Setting { batch, accumulation: 1, segment: None, chunk: None });
    (1..=batch).rev().find(|&rows| at(rows) <= most).unwrap_or(1)
}

/// Bytes of the inputs of a contrastive batch, which are there from its beginning to its end.
fn batch_bytes(data: &DataDescription, [rows, length]: [usize; 2]) -> f64 {
    let row = match data {
        DataDescription::Contrastive { input: ClassifierInput::Images(image), .. } => {
            image.height * image.width * image.channels * size_of::<f32>()
        }
        // An identity and whether it is real.
        _ => length * (size_of::<u32>() + size_of::<bool>()),
    };
    (rows * row) as f64
}
