//! What the loss of a contrastive run takes, which sees the embeddings of a whole batch at once.
//!
//! Its bytes are a straight line in the examples, beyond those where blocks of scores have their full size, and its seconds grow
//! with their square. Batches of up to [`MOST`] examples are tried as they are.

use std::time::Instant;

use burn::tensor::{Tensor, TensorData};
use mixlab_core::{Key, Purpose};
use mixlab_kernels::AllocationCount;
use mixlab_nn::unit_length;
use mixlab_objectives::contrastive::EmbeddingLoss;
use mixlab_train::{Config, ContrastiveConfig};

/// The most examples of a trial.
const MOST: usize = 8192;
/// Trials of one size; the least time counts.
const ROUNDS: usize = 2;
/// Classes of the examples of a trial, where they have some.
const CLASSES: usize = 10;

/// The loss of one micro-batch with its gradient by the embeddings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stage {
    pub seconds: f64,
    /// The most that is held at any moment, the embeddings included.
    pub bytes: f64,
}

impl Stage {
    /// Of a batch of `examples` examples of `rows` rows each.
    pub fn measure(config: &Config, objective: &ContrastiveConfig, [examples, rows]: [usize; 2]) -> Self {
        if examples <= MOST {
            return Stage::trial(config, objective, [examples, rows]);
        }
        let [half, full] = [MOST / 2, MOST].map(|count| Stage::trial(config, objective, [count, rows]));
        let beyond = examples as f64 / MOST as f64;
        Stage {
            seconds: full.seconds * beyond * beyond,
            bytes: full.bytes + (full.bytes - half.bytes) * 2.0 * (beyond - 1.0),
        }
    }

    fn trial(config: &Config, objective: &ContrastiveConfig, [examples, rows]: [usize; 2]) -> Self {
        let shape = [examples * rows, config.model.embedding_width()];
        let stream = Key::root(0).purpose(Purpose::Synthetic).sample(2);
        let values: Vec<f32> = stream.normals().take(shape[0] * shape[1]).map(|x| x as f32).collect();
        let precision = config.run.precision;
        let values = TensorData::new(values, shape).convert_dtype(precision.dtype());
        let embeddings =
            unit_length(Tensor::from_data(values, (&config.run.device.device(), precision.dtype())));
        let labels: Vec<u64> = (0..shape[0]).map(|row| (row % CLASSES) as u64).collect();
        let layout = objective.layout(examples, Some(&labels));
        let identities: Vec<u64> = (0..shape[0] as u64).collect();
        let contrast = objective.contrast(&layout, &identities, -objective.temperature.initial().ln());
        let (mut seconds, mut bytes) = (f64::INFINITY, 0.0f64);
        for _ in 0..ROUNDS {
            let count = AllocationCount::open();
            let begin = Instant::now();
            let found = contrast.evaluate(&embeddings);
            seconds = seconds.min(begin.elapsed().as_secs_f64());
            drop(found);
            bytes = bytes.max(count.map_or(0.0, |count| count.peak() as f64));
        }
        // The embeddings as chunks and as a whole.
        let held = 2 * shape[0] * shape[1] * precision.size();
        Stage { seconds, bytes: bytes + held as f64 }
    }
}
