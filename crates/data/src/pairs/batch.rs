//! What an encoder–decoder is fed with.

use crate::TokenBatch;

/// Rows of token ids of both sequences, as plain arrays in row-major order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairBatch {
    /// Rows.
    pub batch: usize,
    /// Positions of a source.
    pub source_length: usize,
    /// Positions of a target.
    pub target_length: usize,
    /// Ids of the sources, `[batch × source_length]`: the text, the end-of-text token, padding.
    pub sources: Vec<u32>,
    /// Which of them are real, `[batch × source_length]`. Absent where all are.
    pub source_padding: Option<Vec<bool>>,
    /// What the decoder has written so far, `[batch × target_length]`: the end-of-text token, the text, padding.
    pub inputs: Vec<u32>,
    /// What comes next, `[batch × target_length]`: the text, the end-of-text token, padding.
    pub targets: Vec<u32>,
    /// How much each target counts, `[batch × target_length]`: 1, or 0 for padding and for rows that only fill the last
    /// batch.
    pub weights: Vec<f32>,
    /// Which of the target's positions are real, `[batch × target_length]`. Absent where all are.
    pub target_padding: Option<Vec<bool>>,
    /// A number for each row, unique per (epoch, pair) and independent of the batch size.
    pub samples: Vec<u64>,
}

/// A pair of texts without their ends, no longer than the rows they go into.
#[derive(Clone, Debug)]
pub(super) struct PairRow {
    pub source: Vec<u32>,
    pub target: Vec<u32>,
    pub sample: u64,
    /// Whether its target has weight.
    pub counts: bool,
}

impl PairBatch {
    /// Rows padded to the longest of them, or to `full` lengths.
    pub(super) fn of_rows(rows: &[PairRow], full: Option<[usize; 2]>, end: u32, padding: u32) -> Self {
        let longest = |text: fn(&PairRow) -> &Vec<u32>| rows.iter().map(|row| text(row).len() + 1).max();
        let [source_length, target_length] = full.unwrap_or_else(|| {
            [longest(|row| &row.source).unwrap_or(0), longest(|row| &row.target).unwrap_or(0)]
        });
        let mut batch = PairBatch { batch: rows.len(), source_length, target_length, ..PairBatch::default() };
        let (mut source_real, mut target_real) = (Vec::new(), Vec::new());
        let fill = |to: &mut Vec<u32>, ids: &mut dyn Iterator<Item = u32>, length: usize| {
            let filled = to.len() + length;
            to.extend(ids);
            to.resize(filled, padding);
        };
        for PairRow { source, target, sample, counts } in rows {
            let (source_text, target_text) = (source.iter().copied(), target.iter().copied());
            fill(&mut batch.sources, &mut source_text.chain([end]), source_length);
            source_real.extend((0..source_length).map(|position| position <= source.len()));
            fill(&mut batch.inputs, &mut [end].into_iter().chain(target_text.clone()), target_length);
            fill(&mut batch.targets, &mut target_text.chain([end]), target_length);
            let real = |position: usize| position <= target.len();
            target_real.extend((0..target_length).map(real));
            batch.weights.extend((0..target_length).map(|at| f32::from(u8::from(*counts && real(at)))));
            batch.samples.push(*sample);
        }
        let absent_if_full = |real: Vec<bool>| real.contains(&false).then_some(real);
        batch.source_padding = absent_if_full(source_real);
        batch.target_padding = absent_if_full(target_real);
        batch
    }

    /// Source and target of each row as one row, for a decoder that reads the source itself: the source with its end, which
    /// is also what the target begins with, and the target, whose tokens alone have weight. Rows are padded to the longest
    /// of them, or to `full`.
    pub fn joined(&self, full: Option<usize>, padding: u32) -> TokenBatch {
        let real = |padding: &Option<Vec<bool>>, row: usize, length: usize| match padding {
            Some(real) => real[row * length..(row + 1) * length].iter().filter(|&&real| real).count(),
            None => length,
        };
        let lengths: Vec<[usize; 2]> = (0..self.batch)
            .map(|row| {
                let source = real(&self.source_padding, row, self.source_length);
                [source, real(&self.target_padding, row, self.target_length)]
            })
            .collect();
        let longest = lengths.iter().map(|[source, target]| source + target - 1).max().unwrap_or(0);
        let length = full.unwrap_or(longest);
        let count = self.batch * length;
        let mut joined = TokenBatch {
            batch: self.batch,
            length,
            inputs: vec![padding; count],
            targets: vec![padding; count],
            weights: vec![0.0; count],
            segments: None,
            padding: None,
            samples: self.samples.clone(),
        };
        let mut is_real = vec![false; count];
        for (row, [source, target]) in lengths.into_iter().enumerate() {
            let (at, from, to) = (row * length, row * self.source_length, row * self.target_length);
            let start = at + source - 1;
            joined.inputs[at..start].copy_from_slice(&self.sources[from..from + source - 1]);
            joined.inputs[start..start + target].copy_from_slice(&self.inputs[to..to + target]);
            joined.targets[at..start].copy_from_slice(&self.sources[from + 1..from + source]);
            joined.targets[start..start + target].copy_from_slice(&self.targets[to..to + target]);
            joined.weights[start..start + target].copy_from_slice(&self.weights[to..to + target]);
            is_real[at..start + target].fill(true);
        }
        joined.padding = is_real.contains(&false).then_some(is_real);
        joined
    }

    /// Sum of the weights: what a mean loss is divided by.
    pub fn total_weight(&self) -> f64 {
        self.weights.iter().map(|&weight| f64::from(weight)).sum()
    }

    /// Real positions of sources and of targets.
    pub fn real_positions(&self) -> [usize; 2] {
        let real = |padding: &Option<Vec<bool>>, all: usize| match padding {
            Some(padding) => padding.iter().filter(|&&real| real).count(),
            None => all,
        };
        [real(&self.source_padding, self.sources.len()), real(&self.target_padding, self.inputs.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<PairRow> {
        let row = |source: &[u32], target: &[u32], sample, counts| PairRow {
            source: source.to_vec(),
            target: target.to_vec(),
            sample,
            counts,
        };
        vec![row(&[1, 2, 3], &[7], 4, true), row(&[], &[8, 9], 5, true), row(&[6], &[6], 6, false)]
    }

    /// 0 is the end of a text, 99 is padding.
    #[test]
    fn a_decoder_that_reads_its_source_is_scored_on_the_target_alone() {
        let pairs = PairBatch::of_rows(&rows(), None, 0, 99);
        let joined = pairs.joined(None, 99);
        assert_eq!((joined.batch, joined.length), (3, 5));
        assert_eq!(joined.inputs, [1, 2, 3, 0, 7, 0, 8, 9, 99, 99, 6, 0, 6, 99, 99]);
        assert_eq!(joined.targets, [2, 3, 0, 7, 0, 8, 9, 0, 99, 99, 0, 6, 0, 99, 99]);
        assert_eq!(joined.weights, [0., 0., 0., 1., 1., 1., 1., 1., 0., 0., 0., 0., 0., 0., 0.]);
        let padding = joined.padding.clone().unwrap();
        assert_eq!(padding.iter().filter(|&&real| real).count(), 5 + 3 + 3);
        assert_eq!((joined.total_weight(), joined.samples.clone()), (pairs.total_weight(), vec![4, 5, 6]));
        // Padding of either part changes nothing but the length.
        let padded = PairBatch::of_rows(&rows(), Some([6, 5]), 0, 99);
        assert_eq!(padded.joined(None, 99), joined);
        let full = padded.joined(Some(7), 99);
        assert_eq!((full.length, &full.inputs[..8]), (7, &[1, 2, 3, 0, 7, 99, 99, 0][..]));
    }
}
