//! Right operands of products that many blocks of rows share.

use super::{ByRows, Level, Matrix, Real, for_blocks, output, product, transpose};

/// Numbers of a register.
pub(super) const LANES: usize = 8;
/// Columns of a panel: those of a tile of sums.
pub(super) const PANEL: usize = 2 * LANES;
/// Rows of a tile of sums.
pub(crate) const TILE_ROWS: usize = 6;
/// Rows of the left operand whose part stays in the second-level cache, whole tiles of them.
const ROWS: usize = 16 * TILE_ROWS;
/// Rows of the right operand whose part of a panel stays in the first-level cache.
const INNER: usize = 256;
/// Numbers that are laid out by one task.
const TOGETHER: usize = 1 << 15;
/// Bytes of a cache line.
const LINE: usize = 64;

/// A right operand, laid out once for products with any number of left ones.
///
/// The general product lays it out anew for every block of rows that it is called with. Where the processor has a kernel that reads panels,
/// they are laid out here; elsewhere columns are turned into rows, and no more.
pub(crate) struct Packed<'a, T> {
    inner: usize,
    columns: usize,
    form: Form<'a, T>,
}

enum Form<'a, T> {
    /// For the kernel that reads panels.
    Panels(Panels<T>),
    /// For the general product, on all threads or on the calling one.
    Rows { right: ByRows<'a, T>, parallel: bool },
}

impl<'a, T: Real> Packed<'a, T> {
    pub(crate) fn new(matrix: Matrix<'a, T>) -> Self {
        let (inner, columns) = matrix.size();
        // With AVX-512 the general product is at the machine's limit as it is, and where half of a register would be empty it has kernels
        // for vectors.
        let pays = Level::detect() == Level::Avx2 && columns > LANES / 2;
        let form = if T::has_strips() && pays {
            Form::Panels(Panels::new(matrix))
        } else {
            Form::Rows { right: ByRows::new(matrix), parallel: false }
        };
        Packed { inner, columns, form }
    }

    /// For a single product, which all threads share.
    pub(crate) fn alone(matrix: Matrix<'a, T>) -> Self {
        let (inner, columns) = matrix.size();
        Packed { inner, columns, form: Form::Rows { right: ByRows::new(matrix), parallel: true } }
    }

    /// `out ← a·self`, on the calling thread unless it is the only product; `a` has contiguous rows, `out` is `[a.rows, columns]`, row after
    /// row.
    ///
    /// # Panics
    /// If the sizes do not belong together.
    pub(crate) fn product(&self, out: &mut [T], a: Matrix<'_, T>) {
        let (rows, inner) = a.size();
        assert_eq!(inner, self.inner, "inner sizes of a product");
        assert_eq!(out.len(), rows * self.columns, "size of a product");
        match &self.form {
            Form::Rows { right, parallel } => product(out, a, right.matrix(), T::ONE, false, *parallel),
            Form::Panels(_) if inner == 0 => out.fill(T::ZERO),
            Form::Panels(panels) => {
                assert!(a.has_contiguous_rows(), "strips are read row by row");
                for first in (0..rows).step_by(ROWS) {
                    let a = a.part(first..rows.min(first + ROWS), 0..inner);
                    self.rows(&mut out[first * self.columns..], a, panels);
                }
            }
        }
    }

    /// The first rows of `out`, as many as `a` has.
    fn rows(&self, out: &mut [T], a: Matrix<'_, T>, panels: &Panels<T>) {
        let (rows, inner) = a.size();
        let (left, left_stride) = a.start();
        for k in (0..inner).step_by(INNER) {
            for column in (0..self.columns).step_by(PANEL) {
                let columns = (self.columns - column).min(PANEL);
                let strip = Strip {
                    rows,
                    inner: INNER.min(inner - k),
                    columns,
                    // SAFETY: inside the first row.
                    left: unsafe { left.add(k) },
                    left_stride,
                    panel: panels.at(column * inner + k * width(columns)),
                    out: out[column..].as_mut_ptr(),
                    out_stride: self.columns,
                    add: k > 0,
                };
                // SAFETY: `Matrix` keeps its elements inside their slice, the panel has `inner` rows of this width, and `out`, which is borrowed
                // alone, has as many rows of `self.columns` numbers; `new` made panels for a kernel that there is.
                unsafe { T::strip(&strip) }
            }
        }
    }
}

/// All rows of a left operand and one panel: `out (+)= left·panel`.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "there is no kernel"))]
pub(crate) struct Strip<T> {
    /// Rows of `left` and of `out`.
    pub rows: usize,
    /// Columns of `left` and rows of the panel.
    pub inner: usize,
    /// Columns of `out`.
    pub columns: usize,
    /// Element (r, k) at `left + r·left_stride + k`.
    pub left: *const T,
    pub left_stride: usize,
    /// `inner` rows of whole registers, one after the other; what is beyond `columns` is read, but what comes of it is dropped.
    pub panel: *const T,
    /// Element (r, c) at `out + r·out_stride + c`.
    pub out: *mut T,
    pub out_stride: usize,
    /// Whether `out` is added to.
    pub add: bool,
}

/// Numbers of a row of a panel with so many columns: whole registers.
fn width(columns: usize) -> usize {
    columns.next_multiple_of(LANES)
}

/// Columns side by side as wide as a tile, one such panel after the other; the last one padded to whole registers.
struct Panels<T> {
    values: Vec<T>,
    /// Where the first one begins: at a cache line.
    start: usize,
}

impl<T: Real> Panels<T> {
    fn new(matrix: Matrix<'_, T>) -> Self {
        let (inner, columns) = matrix.size();
        let last = columns % PANEL;
        let size = inner * (columns - last + width(last));
        let mut values = output::<T>(size + LINE / size_of::<T>());
        let start = values.as_ptr().align_offset(LINE).min(LINE / size_of::<T>());
        let panel = inner * PANEL;
        let together = panel * (TOGETHER / panel.max(1)).max(1);
        for_blocks(&mut values[start..start + size], together.max(1), |first, panels| {
            let column = first / panel * PANEL;
            // The last panel may be as wide as the others without having as many columns.
            let count = (panels.len() / panel).min((columns - column) / PANEL);
            let (whole, rest) = panels.split_at_mut(count * panel);
            let end = column + count * PANEL;
            lay_out(matrix.part(0..inner, column..end), whole);
            if !rest.is_empty() {
                rest.fill(T::ZERO);
                transpose(matrix.part(0..inner, end..columns).t(), rest, rest.len() / inner);
            }
        });
        Panels { values, start }
    }

    fn at(&self, index: usize) -> *const T {
        self.values[self.start + index..].as_ptr()
    }
}

/// Writes columns in whole panels.
fn lay_out<T: Real>(columns: Matrix<'_, T>, panels: &mut [T]) {
    let (inner, count) = columns.size();
    if !columns.has_contiguous_rows() {
        for (first, panel) in (0..count).step_by(PANEL).zip(panels.chunks_exact_mut(inner * PANEL)) {
            transpose(columns.part(0..inner, first..first + PANEL).t(), panel, PANEL);
        }
        return;
    }
    // Row by row: lines of neighbouring panels are neighbours in memory.
    for row in 0..inner {
        for (index, values) in columns.row(row).as_chunks::<PANEL>().0.iter().enumerate() {
            let to = (index * inner + row) * PANEL;
            panels[to..to + PANEL].copy_from_slice(values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, INNER, Packed, Panels, ROWS};
    use crate::cpu::{Matrix, Real};

    fn numbers<T: Real>(count: usize, step: f64) -> Vec<T> {
        (0..count).map(|i| T::of((i as f64 * step).sin())).collect()
    }

    /// Every form that there is on this processor, whichever pays.
    fn forms<'a, T: Real>(matrix: Matrix<'a, T>) -> Vec<Packed<'a, T>> {
        let (inner, columns) = matrix.size();
        let panels = T::has_strips().then(|| Form::Panels(Panels::new(matrix)));
        let panels = panels.map(|form| Packed { inner, columns, form });
        [Packed::new(matrix), Packed::alone(matrix)].into_iter().chain(panels).collect()
    }

    /// Against sums in double precision, of rows that lie apart, with operands by rows and by columns, with gaps and without.
    fn check<T: Real>(rows: usize, inner: usize, columns: usize, tolerance: f64) {
        let (stride, wide, tall) = (inner + 3, columns + 2, inner + 1);
        let (left, right) = (numbers::<T>(rows * stride, 0.7), numbers::<T>(inner * wide, 1.3));
        let turned: Vec<T> = (0..columns * tall)
            .map(|i| if i % tall < inner { right[i % tall * wide + i / tall] } else { T::NAN })
            .collect();
        let a = Matrix::strided(&left, rows, inner, stride, 1);
        let by_rows = Matrix::strided(&right, inner, columns, wide, 1);
        let by_columns = Matrix::strided(&turned, columns, inner, tall, 1).t();
        for (b, packed) in
            [by_rows, by_columns].into_iter().flat_map(|b| forms(b).into_iter().map(move |p| (b, p)))
        {
            let mut out = vec![T::NAN; rows * columns];
            packed.product(&mut out, a);
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
