//! Right operands of products that many blocks of rows share.

use super::strips::{Strip, Strips};
use super::{ByRows, Matrix, Real, for_blocks, output, product, transpose};

/// Rows of the left operand whose part stays in the second-level cache, whole tiles of them.
const ROWS: usize = 96;
/// Rows of the right operand whose part of a panel stays in the first-level cache.
const INNER: usize = 256;
/// Numbers that are laid out by one task.
const TOGETHER: usize = 1 << 15;
/// Bytes of a cache line.
const LINE: usize = 64;

/// A right operand, laid out once for products with any number of left ones.
///
/// The general product lays it out anew for every block of rows that it is called with, which costs a tenth to a
/// third of the time of blocks of 64 rows.
pub(crate) struct Packed<'a, T> {
    inner: usize,
    columns: usize,
    form: Form<'a, T>,
}

enum Form<'a, T> {
    /// For a kernel that reads panels.
    Panels(Strips<T>, Panels<T>),
    /// For the general product, on all threads or on the calling one.
    Rows { right: ByRows<'a, T>, parallel: bool },
}

impl<'a, T: Real> Packed<'a, T> {
    pub(crate) fn new(matrix: Matrix<'a, T>) -> Self {
        let (inner, columns) = matrix.size();
        // Where a register would be half empty the general product has kernels for vectors.
        let strips = T::strips().filter(|strips| 2 * columns > strips.lanes);
        let form = match strips {
            Some(strips) => Form::Panels(strips, Panels::new(matrix, &strips)),
            None => Form::Rows { right: ByRows::new(matrix), parallel: false },
        };
        Packed { inner, columns, form }
    }

    /// For a single product, which all threads share.
    pub(crate) fn alone(matrix: Matrix<'a, T>) -> Self {
        let (inner, columns) = matrix.size();
        Packed { inner, columns, form: Form::Rows { right: ByRows::new(matrix), parallel: true } }
    }

    /// `out ← a·self`, on the calling thread unless it is the only product; `a` has contiguous rows, `out` is
    /// `[a.rows, columns]`, row after row.
    ///
    /// # Panics
    /// If the sizes do not belong together.
    pub(crate) fn product(&self, out: &mut [T], a: Matrix<'_, T>) {
        let (rows, inner) = a.size();
        assert_eq!(inner, self.inner, "inner sizes of a product");
        assert_eq!(out.len(), rows * self.columns, "size of a product");
        let (strips, panels) = match &self.form {
            Form::Panels(strips, panels) => (strips, panels),
            Form::Rows { right, parallel } => {
                return product(out, a, right.matrix(), T::ONE, false, *parallel);
            }
        };
        if inner == 0 {
            out.fill(T::ZERO);
        }
        assert!(a.has_contiguous_rows(), "strips are read row by row");
        for first in (0..rows).step_by(ROWS) {
            let rows = ROWS.min(rows - first);
            let (a, a_stride) = a.part(first..first + rows, 0..inner).start();
            let out = &mut out[first * self.columns..];
            for k in (0..inner).step_by(INNER) {
                for column in (0..self.columns).step_by(strips.whole()) {
                    let columns = (self.columns - column).min(strips.whole());
                    let width = strips.width(columns);
                    let strip = Strip {
                        rows,
                        inner: INNER.min(inner - k),
                        columns,
                        // SAFETY: inside the first row of the part.
                        a: unsafe { a.add(k) },
                        a_stride,
                        panel: panels.at(column * inner + k * width),
                        out: out[column..].as_mut_ptr(),
                        out_stride: self.columns,
                        add: k > 0,
                    };
                    // SAFETY: `Matrix` keeps its elements inside their slice, the panel has `inner` rows of this width,
                    // and `out`, which is borrowed alone, has as many rows of `self.columns` numbers.
                    unsafe { strips.run(&strip) }
                }
            }
        }
    }
}

/// Columns side by side as wide as a tile, one such panel after the other; the last one padded to whole registers.
struct Panels<T> {
    values: Vec<T>,
    /// Where the first one begins: at a cache line.
    start: usize,
}

impl<T: Real> Panels<T> {
    fn new(matrix: Matrix<'_, T>, strips: &Strips<T>) -> Self {
        let (inner, columns) = matrix.size();
        let whole = strips.whole();
        let last = columns % whole;
        let size = inner * (columns - last + strips.width(last));
        let mut values = output::<T>(size + LINE / size_of::<T>());
        let start = values.as_ptr().align_offset(LINE).min(LINE / size_of::<T>());
        let panel = inner * whole;
        let together = panel * (TOGETHER / panel.max(1)).max(1);
        for_blocks(&mut values[start..start + size], together.max(1), |first, panels| {
            let column = first / panel * whole;
            // The last panel may be as wide as the others without having as many columns.
            let count = (panels.len() / panel).min((columns - column) / whole);
            let (all, rest) = panels.split_at_mut(count * panel);
            let end = column + count * whole;
            lay_out(matrix.part(0..inner, column..end), whole, all);
            if !rest.is_empty() {
                rest.fill(T::ZERO);
                lay_out(matrix.part(0..inner, end..columns), rest.len() / inner, rest);
            }
        });
        Panels { values, start }
    }

    fn at(&self, index: usize) -> *const T {
        self.values[self.start + index..].as_ptr()
    }
}

/// Writes columns in panels of this width; what is beyond the last of them is not touched.
fn lay_out<T: Real>(columns: Matrix<'_, T>, width: usize, panels: &mut [T]) {
    let (inner, count) = columns.size();
    if columns.has_contiguous_rows() && count.is_multiple_of(width) {
        // Widths that the compiler knows, so that a copy is a few moves.
        match width {
            16 => return by_rows::<T, 16>(columns, panels),
            64 => return by_rows::<T, 64>(columns, panels),
            _ => {}
        }
    }
    for (first, panel) in (0..count).step_by(width).zip(panels.chunks_exact_mut(inner * width)) {
        transpose(columns.part(0..inner, first..count.min(first + width)).t(), panel, width);
    }
}

/// The same row by row: lines of neighbouring panels are neighbours in memory.
fn by_rows<T: Real, const WIDTH: usize>(columns: Matrix<'_, T>, panels: &mut [T]) {
    let (inner, _) = columns.size();
    for row in 0..inner {
        for (index, values) in columns.row(row).as_chunks::<WIDTH>().0.iter().enumerate() {
            let to = (index * inner + row) * WIDTH;
            panels[to..to + WIDTH].copy_from_slice(values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{INNER, Packed, ROWS};
    use crate::cpu::{Matrix, Real};

    fn numbers<T: Real>(count: usize, step: f64) -> Vec<T> {
        (0..count).map(|i| T::of((i as f64 * step).sin())).collect()
    }

    /// Against sums in double precision, of rows that lie apart, with operands by rows and by columns.
    fn check<T: Real>(rows: usize, inner: usize, columns: usize, tolerance: f64) {
        let stride = inner + 3;
        let (left, right) = (numbers::<T>(rows * stride, 0.7), numbers::<T>(inner * columns, 1.3));
        let turned: Vec<T> =
            (0..inner * columns).map(|i| right[i % inner.max(1) * columns + i / inner.max(1)]).collect();
        let a = Matrix::strided(&left, rows, inner, stride, 1);
        for b in [Matrix::new(&right, inner, columns), Matrix::new(&turned, columns, inner).t()] {
            let mut out = vec![T::NAN; rows * columns];
            Packed::new(b).product(&mut out, a);
            for (i, out) in out.iter().enumerate() {
                let (r, c) = (i / columns, i % columns);
                let wanted: f64 = (0..inner).map(|k| a.at(r, k).wide() * b.at(k, c).wide()).sum();
                let error = (out.wide() - wanted).abs();
                assert!(
                    error < tolerance,
                    "{rows} × {inner} × {columns} at ({r}, {c}): {out:?}, not {wanted}"
                );
            }
        }
    }

    #[test]
    fn every_size_of_a_tile() {
        for rows in [0, 1, 2, 3, 4, 5, 6, 7, 13] {
            for columns in [0, 1, 3, 4, 5, 8, 9, 15, 16, 17, 27, 32, 40, 48, 64, 65, 100, 131] {
                check::<f32>(rows, 9, columns, 1e-5);
                check::<f64>(rows, 9, columns, 1e-13);
            }
        }
    }

    #[test]
    fn more_than_one_block_of_every_axis() {
        for (rows, inner, columns) in
            [(2 * ROWS + 5, 2 * INNER + 3, 200), (3, 5 * INNER, 17), (70, INNER, 64), (40, 1, 90), (5, 0, 20)]
        {
            check::<f32>(rows, inner, columns, 2e-3);
            check::<f64>(rows, inner, columns, 1e-11);
        }
    }
}
