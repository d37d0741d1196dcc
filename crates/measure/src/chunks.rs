//! What cached gradients cost: the gradient of one batch in chunks of several sizes, beside that of the whole batch.

use std::time::Instant;

use mixlab_kernels::AllocationCount;
use mixlab_train::{Config, ContrastiveTask, Observer, Task, TrainError, contrastive_task};
use serde::Serialize;

use crate::contrastive::contrastive_only;
use crate::memory::MEBI;
use crate::study::median;

/// Sizes of chunks and repetitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunksOptions {
    /// Rows of the chunks; halves of the batch and the chunk of the config if empty.
    pub sizes: Vec<usize>,
    /// Rounds, in each of which every size is timed once; one at least.
    pub rounds: usize,
}

/// One size of chunks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChunkPoint {
    /// Rows that go through the model at once.
    pub chunk: usize,
    /// Median milliseconds of a gradient.
    pub milliseconds: f64,
    /// Median over the rounds of its time over that of the whole batch.
    pub ratio: f64,
    /// The least and the greatest of these ratios.
    pub range: [f64; 2],
    /// What the ratio would be if all time went into products of activations and weights: 4/3 − b/(3B) for chunks of b of B
    /// rows, since all chunks but the last go forward twice, and forward is a third of a pass.
    pub theory: f64,
    /// MiB that the gradient takes beyond the model; absent where allocations are not counted.
    pub mib: Option<f64>,
}

/// The gradient of one batch, in chunks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChunksReport {
    /// Examples of the batch.
    pub examples: usize,
    /// Rows of the batch.
    pub rows: usize,
    /// The whole batch first, then smaller chunks.
    pub points: Vec<ChunkPoint>,
}

/// Times the gradient of the first batch of a contrastive run, sizes in turn.
///
/// # Errors
/// [`TrainError::Conflict`] for another objective; whatever would keep the run from starting.
pub fn measure_chunks(
    config: &Config,
    options: &ChunksOptions,
    observer: &mut dyn Observer,
) -> Result<ChunksReport, TrainError> {
    let reason = "its loss is a sum over rows, whose micro-batches cost the same in any size";
    let objective = contrastive_only(config, "measure chunks", reason)?;
    let mut config = config.clone();
    config.train.accumulation = 1;
    let task = contrastive_task(&config, None, observer)?;
    let [_, rows, length] = task.describe().batch;
    let sizes = match options.sizes.as_slice() {
        [] => sizes(rows, objective.rows_at_once(rows, length)),
        sizes => from_whole(rows, sizes.to_vec()),
    };
    observer.phase("measuring");
    let mib: Vec<Option<f64>> = sizes.iter().map(|&size| held(&task, size)).collect();
    let round = |_| sizes.iter().map(|&size| seconds(&task, size)).collect();
    let rounds: Vec<Vec<f64>> = (0..options.rounds.max(1)).map(round).collect();
    let point = |(index, (&chunk, mib)): (usize, (&usize, Option<f64>))| {
        let times: Vec<f64> = rounds.iter().map(|round| round[index]).collect();
        let ratios: Vec<f64> = rounds.iter().map(|round| round[index] / round[0]).collect();
        let fold = |start: f64, of: fn(f64, f64) -> f64| ratios.iter().copied().fold(start, of);
        ChunkPoint {
            chunk,
            milliseconds: 1e3 * median(&times).unwrap_or(f64::NAN),
            ratio: median(&ratios).unwrap_or(f64::NAN),
            range: [fold(f64::INFINITY, f64::min), fold(0.0, f64::max)],
            theory: 4.0 / 3.0 - chunk as f64 / (3.0 * rows as f64),
            mib,
        }
    };
    let points = sizes.iter().zip(mib).enumerate().map(point).collect();
    Ok(ChunksReport { examples: config.train.batch, rows, points })
}

/// The whole batch, four halvings, and the configured chunk.
fn sizes(rows: usize, configured: usize) -> Vec<usize> {
    let halves = (1..=4).map(|power| rows >> power);
    from_whole(rows, halves.chain([configured]).collect())
}

/// The whole batch and smaller sizes, the greatest first, each once.
fn from_whole(rows: usize, mut sizes: Vec<usize>) -> Vec<usize> {
    sizes.push(rows);
    sizes.retain(|&size| (1..=rows).contains(&size));
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    sizes
}

fn seconds(task: &ContrastiveTask, chunk: usize) -> f64 {
    let begin = Instant::now();
    drop(task.gradient_in_chunks(0, Some(chunk)));
    begin.elapsed().as_secs_f64()
}

/// MiB of one gradient, which also warms up.
fn held(task: &ContrastiveTask, chunk: usize) -> Option<f64> {
    let count = AllocationCount::open();
    drop(task.gradient_in_chunks(0, Some(chunk)));
    count.map(|count| count.peak() as f64 / MEBI)
}

#[cfg(test)]
mod tests {
    use super::sizes;

    #[test]
    fn sizes_begin_with_the_whole_batch() {
        assert_eq!(sizes(1024, 1024), [1024, 512, 256, 128, 64]);
        assert_eq!(sizes(1024, 32), [1024, 512, 256, 128, 64, 32]);
        assert_eq!(sizes(6, 4), [6, 4, 3, 1]);
        assert_eq!(sizes(1, 1), [1]);
    }
}
