//! Matrices laid out anew, so that products read their right operand row by row.
//!
//! The matrix product packs its right operand for every block of rows that it is called with, and packing
//! columns costs far more than packing rows: a right operand that many blocks share is turned once instead.

use std::ops::Range;

use super::{Matrix, Real};

/// Rows and columns of a square.
const SIDE: usize = 16;

/// Numbers that are turned by one task.
const TOGETHER: usize = 1 << 15;

/// `out[c·stride + r] ← matrix[r, c]`.
///
/// # Panics
/// If `stride` is shorter than a column or `out` than the result.
pub(crate) fn transpose<T: Real>(matrix: Matrix<'_, T>, out: &mut [T], stride: usize) {
    let (rows, columns) = matrix.size();
    assert!(columns <= 1 || stride >= rows, "a transposed row of {rows} numbers does not fit into {stride}");
    let (done_rows, done_columns) = T::transpose_squares(matrix, out, stride);
    transpose_part(matrix, out, stride, 0..done_rows, done_columns..columns);
    transpose_part(matrix, out, stride, done_rows..rows, 0..columns);
}

/// The same for a part of the matrix, in squares that stay in the first-level cache on both sides.
fn transpose_part<T: Real>(
    matrix: Matrix<'_, T>,
    out: &mut [T],
    stride: usize,
    rows: Range<usize>,
    columns: Range<usize>,
) {
    for first_row in rows.clone().step_by(SIDE) {
        let rows = first_row..(first_row + SIDE).min(rows.end);
        for column in columns.clone() {
            let out = &mut out[column * stride + rows.start..column * stride + rows.end];
            for (out, row) in out.iter_mut().zip(rows.clone()) {
                *out = matrix.at(row, column);
            }
        }
    }
}

/// A matrix whose rows are contiguous: the given one if its rows are so already, a copy otherwise.
pub(crate) struct ByRows<'a, T> {
    given: Matrix<'a, T>,
    copy: Option<Vec<T>>,
}

impl<'a, T: Real> ByRows<'a, T> {
    pub(crate) fn new(given: Matrix<'a, T>) -> Self {
        let (rows, columns) = given.size();
        let copy = (!given.has_contiguous_rows()).then(|| {
            let mut copy = super::output(rows * columns);
            let strip = columns * (TOGETHER / columns.max(1)).max(1).next_multiple_of(SIDE);
            super::for_blocks(&mut copy, strip.max(1), |start, out| {
                let strip = start / columns..(start + out.len()) / columns;
                transpose(given.part(strip, 0..columns).t(), out, columns);
            });
            copy
        });
        ByRows { given, copy }
    }

    pub(crate) fn matrix(&self) -> Matrix<'_, T> {
        let (rows, columns) = self.given.size();
        self.copy.as_ref().map_or(self.given, |copy| Matrix::new(copy, rows, columns))
    }
}

#[cfg(test)]
mod tests {
    use super::{ByRows, transpose};
    use crate::cpu::{Matrix, Real};

    #[test]
    fn every_size_and_stride() {
        check::<f32>();
        check::<f64>();
    }

    fn check<T: Real>() {
        for (rows, columns) in
            [(0, 3), (3, 0), (1, 1), (1, 40), (40, 1), (15, 17), (16, 16), (33, 50), (24, 40)]
        {
            let values: Vec<T> = (0..rows * columns).map(|i| T::of(i as f64)).collect();
            let stride = rows + 3;
            let mut out = vec![T::NAN; columns * stride];
            transpose(Matrix::new(&values, rows, columns), &mut out, stride);
            for (column, out) in out.chunks_exact(stride).enumerate() {
                for (row, &x) in out[..rows].iter().enumerate() {
                    assert_eq!(x, values[row * columns + column], "{rows} × {columns} at ({row}, {column})");
                }
                assert!(out[rows..].iter().all(|x| x.wide().is_nan()), "the gap between rows is not touched");
            }
        }
    }

    #[test]
    fn only_columns_are_copied() {
        let values: Vec<f64> = (0..12).map(f64::from).collect();
        let matrix = Matrix::strided(&values, 3, 2, 4, 1);
        assert!(ByRows::new(matrix).copy.is_none());
        let turned = ByRows::new(matrix.t());
        assert_eq!(turned.copy.as_deref(), Some(&[0.0, 4.0, 8.0, 1.0, 5.0, 9.0][..]));
        assert_eq!(turned.matrix().size(), (2, 3));
    }

    #[test]
    fn strips_are_the_whole() {
        let (rows, columns) = (530, 130);
        let values: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
        let turned = ByRows::new(Matrix::new(&values, rows, columns).t());
        let copy = turned.copy.as_deref().expect("columns are copied");
        assert!(copy.len() > 2 * super::TOGETHER);
        let wanted = |i: usize| values[i % rows * columns + i / rows];
        assert!(copy.iter().enumerate().all(|(i, &x)| x == wanted(i)));
    }
}
