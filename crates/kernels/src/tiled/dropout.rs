//! Dropout of a row of weights inside a tile.

use std::ops::Range;

use mixlab_core::Stream;

use super::vector::dropout_factors;
use crate::cpu::Real;
use crate::dropout::{Dropout, score_element};

/// The factors of one row of weights, made again wherever they are needed: nothing is stored between
/// forward and backward.
pub(crate) struct RowDropout<T> {
    stream: Stream,
    head: usize,
    threshold: u32,
    survivor: T,
    factors: Vec<T>,
}

impl<T: Real> RowDropout<T> {
    /// Dropout of one head of row `b` of the batch, for up to `length` keys at once.
    pub(crate) fn new(options: &Dropout, b: usize, head: usize, length: usize) -> Self {
        RowDropout {
            stream: options.key.sample(options.samples[b]),
            head,
            threshold: options.threshold(),
            survivor: T::of(options.survivor_scale()),
            factors: vec![T::ZERO; length + 4],
        }
    }

    /// The factors of the weights of the query at `position` for `keys`.
    pub(crate) fn factors(&mut self, position: usize, keys: Range<usize>) -> &[T] {
        // Blocks of the stream are aligned to four keys: a few factors before the range may be made too.
        let start = keys.start / 4 * 4;
        let length = keys.end - start;
        let first = score_element(self.head, position, start) / 4;
        dropout_factors(&mut self.factors[..length], self.stream, first, self.threshold, self.survivor);
        &self.factors[keys.start - start..length]
    }
}

#[cfg(test)]
mod tests {
    use mixlab_core::Key;

    use super::*;

    #[test]
    fn factors_equal_the_definition_element_by_element() {
        let options = Dropout { rate: 0.3, key: Key::root(3), samples: [5, 9].into() };
        for (b, head, position, keys) in
            [(0, 0, 0, 0..1), (1, 3, 700, 5..131), (1, 0, 2, 4..8), (0, 1, 1, 3..3)]
        {
            let mut row = RowDropout::<f64>::new(&options, b, head, 128);
            let expected: Vec<f64> =
                keys.clone().map(|key| options.score_factor(b, head, position, key)).collect();
            assert_eq!(row.factors(position, keys), expected);
        }
    }
}
