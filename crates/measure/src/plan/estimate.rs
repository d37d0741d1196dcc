//! From a few small trials to what a whole model takes.
//!
//! Bytes and seconds of a pass are straight lines in the number of blocks and, at a given number of blocks, bytes are
//! straight lines in the rows of a micro-batch; what does not grow with either is the rest. Four trials for bytes and two
//! for seconds give all coefficients. Bytes of a shallow model are counted, not guessed, so the lines are exact up to
//! what kernels put aside for a while.

use serde::Serialize;

use super::calibration::Sample;

/// Rows, blocks and recomputation of one update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Rows of a micro-batch.
    pub batch: usize,
    /// Micro-batches in an update.
    pub accumulation: usize,
    /// Blocks whose input alone is kept, if activations are computed again.
    pub segment: Option<usize>,
    /// Rows that go through the model at once, of contrastive runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk: Option<usize>,
}

impl Setting {
    /// Rows of a micro-batch, of `each` an example, with those that go through the model at once.
    fn rows(self, each: usize) -> (usize, usize) {
        let rows = self.batch * each;
        (rows, self.chunk.map_or(rows, |chunk| chunk.clamp(1, rows)))
    }

    /// Whether embeddings are computed twice, chunk by chunk.
    pub fn is_cached(self, each: usize) -> bool {
        let (rows, at_once) = self.rows(each);
        at_once < rows
    }
}

/// What `f(blocks, rows) = constant + blocks · block + rows · (row + blocks · cell)` is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bytes {
    constant: f64,
    block: f64,
    row: f64,
    cell: f64,
}

impl Bytes {
    /// Through four points: (1, r), (k, r), (1, 2r), (k, 2r).
    pub fn through(points: [[f64; 2]; 2], blocks: usize, rows: usize) -> Self {
        let [[one_few, many_few], [one_more, many_more]] = points;
        let (k, r) = ((blocks - 1).max(1) as f64, rows as f64);
        let cell = ((many_more - many_few) - (one_more - one_few)) / (k * r);
        let row = (one_more - one_few) / r - cell;
        let block = (many_few - one_few) / k - r * cell;
        let constant = one_few - block - r * (row + cell);
        Bytes { constant, block, row, cell }
    }

    /// Of a whole model.
    pub fn at(&self, stack: Stack, setting: Setting) -> f64 {
        self.constant + stack.depth as f64 * self.block + self.activations(stack, setting)
    }

    /// Of what grows with the rows. With recomputation the layers of one segment keep their activations, and every
    /// segment its input.
    pub fn activations(&self, stack: Stack, setting: Setting) -> f64 {
        let layers = stack.depth * stack.layers;
        let (kept, inputs) = match setting.segment {
            None => (stack.depth as f64, 0.0),
            Some(segment) => {
                let kept = segment.min(layers) as f64 / stack.layers as f64;
                (kept, layers.div_ceil(segment) as f64 * stack.input)
            }
        };
        let (_, rows) = setting.rows(stack.rows);
        stack.longest * rows as f64 * (self.row + kept * self.cell + inputs)
    }
}

/// The blocks of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stack {
    /// Number of blocks.
    pub depth: usize,
    /// Mixing layers of a block.
    pub layers: usize,
    /// Rows of an example.
    pub rows: usize,
    /// Bytes of the input of a layer, a row.
    pub input: f64,
    /// Positions of the longest batch over those of a typical one.
    pub longest: f64,
}

/// Seconds of an update, linear in the number of blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seconds {
    /// Rows of the batches that were timed.
    rows: usize,
    pass: [f64; 2],
    update: [f64; 2],
}

/// Computing a forward pass again adds one of the three products that each weight takes part in.
const AGAIN: f64 = 4.0 / 3.0;

impl Seconds {
    /// Through trials of one and of `blocks` blocks, or of one alone.
    pub fn through(one: Sample, many: Sample, blocks: usize, rows: usize) -> Self {
        let line = |at_one: f64, at_many: f64| {
            if blocks == 1 {
                return [0.0, at_one];
            }
            let slope = ((at_many - at_one) / (blocks - 1) as f64).max(0.0);
            [at_many - slope * blocks as f64, slope]
        };
        Seconds {
            rows,
            pass: line(one.pass_seconds, many.pass_seconds),
            update: line(one.update_seconds, many.update_seconds),
        }
    }

    pub fn at(&self, stack: Stack, setting: Setting) -> f64 {
        let (rows, at_once) = setting.rows(stack.rows);
        let (share, depth) = (rows as f64 / self.rows as f64, stack.depth as f64);
        let again = if setting.segment.is_some() { AGAIN } else { 1.0 };
        // Of several chunks all but the last go through the model once more.
        let cached = 1.0 + (AGAIN - 1.0) * (1.0 - 1.0 / rows.div_ceil(at_once) as f64);
        let pass = cached * (self.pass[0] + again * self.pass[1] * depth);
        setting.accumulation as f64 * share * pass + self.update[0] + self.update[1] * depth
    }
}

/// The settings with the same rows in an update, for a model of `layers` layers.
pub(super) fn candidates(setting: Setting, layers: usize) -> Vec<Setting> {
    let rows = setting.batch * setting.accumulation;
    let root = (layers as f64).sqrt().round() as usize;
    let mut segments = vec![None];
    if layers > 1 {
        segments.push(Some(root.max(1)));
        segments.push(Some(1));
        segments.dedup();
    }
    let batches = (1..=setting.batch).rev().filter(|&batch| rows.is_multiple_of(batch));
    let setting = |batch| {
        move |&segment: &Option<usize>| Setting { batch, accumulation: rows / batch, segment, ..setting }
    };
    batches.flat_map(|batch| segments.iter().map(setting(batch)).collect::<Vec<_>>()).collect()
}

/// The settings of a contrastive run with the same examples in a batch of `rows` rows: the loss of parts of a batch is another.
pub(super) fn chunkings(setting: Setting, rows: usize) -> Vec<Setting> {
    let halves = std::iter::successors(Some(rows), |&chunk| (chunk > 1).then(|| chunk.div_ceil(2)));
    halves.map(|chunk| Setting { chunk: Some(chunk), ..setting }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Setting = Setting { batch: 3, accumulation: 1, segment: None, chunk: None };

    #[test]
    fn bytes_are_what_they_were_made_of() {
        let made = |blocks: f64, rows: f64| 100.0 + 10.0 * blocks + rows * (5.0 + 2.0 * blocks);
        let points = [[made(1.0, 2.0), made(4.0, 2.0)], [made(1.0, 4.0), made(4.0, 4.0)]];
        let bytes = Bytes::through(points, 4, 2);
        let stack = Stack { depth: 12, layers: 1, rows: 1, input: 1.0, longest: 1.0 };
        assert_eq!(bytes.at(stack, ONE), made(12.0, 3.0));
        // Four segments of three blocks: their inputs, and the activations of three blocks.
        let again = Setting { segment: Some(3), ..ONE };
        assert_eq!(bytes.at(stack, again), 100.0 + 120.0 + 3.0 * (5.0 + 6.0 + 4.0));
        // Of two layers a block, three are one block and a half, and there are eight segments.
        let pairs = Stack { layers: 2, ..stack };
        assert_eq!(bytes.activations(pairs, again), 3.0 * (5.0 + 3.0 + 8.0));
        // The peak is that of the longest batch.
        let uneven = Stack { longest: 1.5, ..stack };
        assert_eq!(bytes.at(uneven, ONE), 100.0 + 120.0 + 1.5 * 3.0 * (5.0 + 24.0));
        // Two rows an example, of which four go through at once, or all six.
        let paired = Stack { rows: 2, ..stack };
        let cached = |chunk| Setting { chunk: Some(chunk), ..ONE };
        assert_eq!(bytes.activations(paired, cached(4)), 4.0 * (5.0 + 24.0));
        assert_eq!(bytes.activations(paired, cached(100)), 6.0 * (5.0 + 24.0));
        assert!(cached(5).is_cached(2) && !cached(6).is_cached(2) && !ONE.is_cached(2));
    }

    #[test]
    fn seconds_grow_with_blocks_and_micro_batches() {
        let sample = |pass_seconds, update_seconds| Sample {
            pass_seconds,
            update_seconds,
            pass_peak: 0.0,
            update_peak: 0.0,
        };
        let seconds = Seconds::through(sample(3.0, 0.5), sample(9.0, 1.1), 4, 3);
        let stack = Stack { depth: 10, layers: 1, rows: 1, input: 1.0, longest: 1.0 };
        // A pass takes 1 + 2 a block, an update 0.3 + 0.2 a block.
        assert!((seconds.at(stack, ONE) - (21.0 + 2.3)).abs() < 1e-12);
        let twice = Setting { accumulation: 2, ..ONE };
        assert!((seconds.at(stack, twice) - (42.0 + 2.3)).abs() < 1e-12);
        // Of three chunks two go through forwards once more: 4/3 − 1/9.
        let cached = Setting { chunk: Some(1), ..ONE };
        assert!((seconds.at(stack, cached) - (21.0 * 11.0 / 9.0 + 2.3)).abs() < 1e-12);
    }

    #[test]
    fn candidates_keep_the_rows_of_an_update() {
        let all = candidates(Setting { batch: 6, accumulation: 2, ..ONE }, 16);
        assert!(all.iter().all(|setting| setting.batch * setting.accumulation == 12));
        assert_eq!(all[0], Setting { batch: 6, accumulation: 2, ..ONE });
        assert!(all.contains(&Setting { batch: 1, accumulation: 12, segment: Some(4), chunk: None }));
    }

    #[test]
    fn chunkings_keep_the_batch() {
        let rows: Vec<_> = chunkings(ONE, 10).iter().map(|setting| setting.chunk.unwrap()).collect();
        assert_eq!(rows, [10, 5, 3, 2, 1]);
        assert!(chunkings(ONE, 10).iter().all(|setting| (setting.batch, setting.accumulation) == (3, 1)));
    }
}
