//! Keys or values with their positions along the rows, as products of scores read them.

use std::ops::Range;

use rayon::prelude::*;

use super::forward::ROWS;
use super::heads::Heads;
use crate::cpu::{Matrix, Real, output, transpose};

/// The right operand of `queries · keysᵀ` for every row of the batch and every group of heads.
///
/// Every tile of queries reads it, so that it is worth laying out as `[batch, groups, width, positions]` once,
/// unless there are too few queries to pay for that.
pub(super) enum Turned<'a, T> {
    Moved { memory: Vec<T>, shape: [usize; 4], stride: usize },
    InPlace(Heads<'a, T>),
}

impl<'a, T: Real> Turned<'a, T> {
    /// `x` turned, for products with `queries` rows.
    pub(super) fn new(x: Heads<'a, T>, queries: usize) -> Self {
        let [batch, positions, groups, width] = x.shape;
        if queries < ROWS || positions * width == 0 {
            return Turned::InPlace(x);
        }
        let stride = stride(positions);
        let mut memory = output(batch * groups * width * stride);
        memory.par_chunks_exact_mut(width * stride).enumerate().for_each(|(task, memory)| {
            transpose(x.rows(task / groups, task % groups, 0..positions), memory, stride);
        });
        Turned::Moved { memory, shape: x.shape, stride }
    }

    /// The matrix `[width, positions]` of one group.
    pub(super) fn columns(&self, b: usize, group: usize, positions: Range<usize>) -> Matrix<'_, T> {
        match self {
            Turned::InPlace(x) => x.rows(b, group, positions).t(),
            Turned::Moved { memory, shape: [_, n, groups, width], stride } => {
                assert!(positions.end <= *n && group < *groups, "block outside the tensor");
                let start = (b * groups + group) * width * stride + positions.start;
                Matrix::strided(&memory[start..], *width, positions.len(), *stride, 1)
            }
        }
    }
}

/// Distance of rows of `positions` numbers. Rows a large power of two apart would share their place in the
/// cache, so such a distance gets a line more.
fn stride(positions: usize) -> usize {
    const LINE: usize = 16;
    let stride = positions.next_multiple_of(LINE);
    if stride.is_multiple_of(16 * LINE) { stride + LINE } else { stride }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moved_or_not_the_columns_are_the_same() {
        let (shape, n) = ([2, 300, 3, 5], 300);
        let values: Vec<f64> = (0..shape.iter().product()).map(|i: usize| i as f64).collect();
        let x = Heads::contiguous(&values, shape);
        let (moved, in_place) = (Turned::new(x, ROWS), Turned::new(x, 1));
        assert!(matches!((&moved, &in_place), (Turned::Moved { .. }, Turned::InPlace(_))));
        for (b, group, positions) in [(0, 0, 0..n), (1, 2, 250..n), (1, 0, 7..8), (0, 1, 30..30)] {
            let [moved, in_place] = [&moved, &in_place].map(|x| x.columns(b, group, positions.clone()));
            assert_eq!(moved.size(), in_place.size());
            let (rows, columns) = moved.size();
            let equal = |row, column| moved.at(row, column) == in_place.at(row, column);
            assert!((0..rows).all(|row| (0..columns).all(|column| equal(row, column))));
        }
    }

    #[test]
    fn rows_do_not_share_their_place_in_the_cache() {
        assert_eq!([1, 16, 100, 255, 256, 4096].map(stride), [16, 16, 112, 272, 272, 4112]);
    }
}
