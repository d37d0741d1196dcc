//! Matrices laid out anew, so that products read their right operand row by row.
//!
//! The matrix product packs its right operand for every block of rows that it is called with, and packing
//! columns costs far more than packing rows: a right operand that many blocks share is turned once instead.

use super::{Matrix, Real};

/// Rows and columns of the squares that are moved at a time: both sides of a square stay in the first-level cache.
const SQUARE: usize = 16;

/// `out[c·stride + r] ← matrix[r, c]`.
///
/// # Panics
/// If `stride` is shorter than a column or `out` than the result.
pub(crate) fn transpose<T: Real>(matrix: Matrix<'_, T>, out: &mut [T], stride: usize) {
    let (rows, columns) = matrix.size();
    assert!(columns <= 1 || stride >= rows, "a transposed row of {rows} numbers does not fit into {stride}");
    for first_row in (0..rows).step_by(SQUARE) {
        let block_rows = first_row..(first_row + SQUARE).min(rows);
        for first_column in (0..columns).step_by(SQUARE) {
            for column in first_column..(first_column + SQUARE).min(columns) {
                let start = column * stride;
                let out = &mut out[start + block_rows.start..start + block_rows.end];
                for (out, row) in out.iter_mut().zip(block_rows.clone()) {
                    *out = matrix.at(row, column);
                }
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
            transpose(given.t(), &mut copy, columns);
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
    use crate::cpu::Matrix;

    #[test]
    fn every_size_and_stride() {
        for (rows, columns) in [(0, 3), (3, 0), (1, 1), (1, 40), (40, 1), (15, 17), (16, 16), (33, 50)] {
            let values: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            let stride = rows + 3;
            let mut out = vec![f32::NAN; columns * stride];
            transpose(Matrix::new(&values, rows, columns), &mut out, stride);
            for (column, out) in out.chunks_exact(stride).enumerate() {
                for (row, &x) in out[..rows].iter().enumerate() {
                    assert_eq!(x, values[row * columns + column], "{rows} × {columns} at ({row}, {column})");
                }
                assert!(out[rows..].iter().all(|x| x.is_nan()), "the gap between rows is not touched");
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
}
