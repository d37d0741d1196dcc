//! Matrix products.

use std::ops::Range;

use burn_flex::FlexTensor;
use gemm::Parallelism;
use rayon::prelude::*;

use super::Real;

/// A matrix that is a view of a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a, T> {
    values: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// `rows · columns` numbers, row after row.
    pub(crate) fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns, 1)
    }

    /// Element (r, c) is `values[r·row_stride + c·column_stride]`.
    ///
    /// # Panics
    /// If an element would lie outside the slice.
    pub(crate) fn strided(
        values: &'a [T],
        rows: usize,
        columns: usize,
        row_stride: usize,
        column_stride: usize,
    ) -> Self {
        let last = rows.saturating_sub(1) * row_stride + columns.saturating_sub(1) * column_stride;
        assert!(rows * columns == 0 || last < values.len(), "matrix reaches outside its numbers");
        Matrix { values, rows, columns, row_stride, column_stride }
    }

    /// The transpose, without moving a number.
    pub(crate) fn t(self) -> Self {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// A part of the matrix, without moving a number.
    ///
    /// # Panics
    /// If it is not inside.
    pub(crate) fn part(self, rows: Range<usize>, columns: Range<usize>) -> Self {
        assert!(rows.end <= self.rows && columns.end <= self.columns, "part outside the matrix");
        let start = rows.start * self.row_stride + columns.start * self.column_stride;
        // An empty part may start beyond the last number.
        let values = self.values.get(start..).unwrap_or_default();
        Self::strided(values, rows.len(), columns.len(), self.row_stride, self.column_stride)
    }

    /// Rows and columns.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// Where element (0, 0) lies, and the distance of rows.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn start(&self) -> (*const T, usize) {
        (self.values.as_ptr(), self.row_stride)
    }

    /// Whether neighbours in a row are neighbours in memory.
    pub(crate) fn has_contiguous_rows(&self) -> bool {
        self.column_stride == 1 || self.columns <= 1
    }

    /// A row whose neighbours are neighbours in memory.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> &'a [T] {
        debug_assert!(self.has_contiguous_rows(), "rows with gaps");
        &self.values[row * self.row_stride..][..self.columns]
    }
}

impl<T: Copy> Matrix<'_, T> {
    /// Element (`row`, `column`).
    #[inline(always)]
    pub(crate) fn at(&self, row: usize, column: usize) -> T {
        self.values[row * self.row_stride + column * self.column_stride]
    }
}

/// A tensor of two axes that [`Matrix::of`] can view: the same one, copied only if its strides are negative.
pub(crate) fn viewable(tensor: FlexTensor) -> FlexTensor {
    if tensor.layout().has_positive_strides() { tensor } else { tensor.to_contiguous() }
}

impl<'a, T: Real> Matrix<'a, T> {
    /// A view of a tensor of two axes, of any strides that are not negative.
    ///
    /// # Panics
    /// If the tensor did not go through [`viewable`].
    pub(crate) fn of(tensor: &'a FlexTensor) -> Self {
        let layout = tensor.layout();
        let (&[rows, columns], &[row_stride, column_stride]) = (layout.shape().as_slice(), layout.strides())
        else {
            panic!("a matrix has two axes, not {:?}", layout.shape());
        };
        let [row_stride, column_stride] = [row_stride, column_stride].map(|stride| {
            usize::try_from(stride).unwrap_or_else(|_| panic!("strides {:?} go backwards", layout.strides()))
        });
        let values = &tensor.storage::<T>()[layout.start_offset()..];
        Matrix::strided(values, rows, columns, row_stride, column_stride)
    }
}

/// `out ← scale·a·b`, or `out ← out + scale·a·b` if `add`; `out` is `[a.rows, b.columns]`, row after row.
///
/// With `parallel` the product is cut into tiles, by its shape alone, that are spread over the current thread pool.
pub(crate) fn product<T: Real>(
    out: &mut [T],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    scale: T,
    add: bool,
    parallel: bool,
) {
    let size @ (rows, columns) = (a.rows, b.columns);
    assert_eq!(out.len(), rows * columns, "size of a product");
    // SAFETY: `out` holds exactly rows · columns numbers, row after row, and is borrowed alone.
    unsafe { spread(out.as_mut_ptr(), size, columns, a, b, scale, add, parallel) }
}

/// Adds `a·b` to a block of a wider matrix, whose row r begins at `out[r·row_stride]`; `parallel` as in [`product`].
///
/// # Panics
/// If the block reaches outside `out` or its rows overlap.
pub(crate) fn add_product<T: Real>(
    out: &mut [T],
    row_stride: usize,
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    parallel: bool,
) {
    let size @ (rows, columns) = (a.rows, b.columns);
    assert!(rows <= 1 || columns <= row_stride, "rows of {columns} numbers do not fit into {row_stride}");
    let reach = rows.saturating_sub(1) * row_stride + columns;
    assert!(rows * columns == 0 || reach <= out.len(), "a block reaches outside its matrix");
    // SAFETY: the rows lie inside `out` and apart from each other, and `out` is borrowed alone.
    unsafe { spread(out.as_mut_ptr(), size, row_stride, a, b, T::ONE, true, parallel) }
}

/// [`product_into`], spread over the current thread pool if `parallel`.
///
/// # Safety
/// As for [`product_into`].
#[allow(clippy::too_many_arguments)]
unsafe fn spread<T: Real>(
    out: *mut T,
    size: (usize, usize),
    row_stride: usize,
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    scale: T,
    add: bool,
    parallel: bool,
) {
    if !parallel || size.0 * size.1 * a.columns < ALONE {
        // SAFETY: the caller's promise.
        return unsafe { product_into(out, size, row_stride, a, b, scale, add) };
    }
    let start = Shared(out);
    tiles(size).into_par_iter().with_max_len(1).for_each(|(tile_rows, tile_columns)| {
        let inner = 0..a.columns;
        let (a, b) = (a.part(tile_rows.clone(), inner.clone()), b.part(inner, tile_columns.clone()));
        let size = (tile_rows.len(), tile_columns.len());
        // SAFETY: the caller vouches for the whole of `out`, a tile lies inside it, and no two tiles share a number.
        unsafe {
            let out = start.number(tile_rows.start * row_stride + tile_columns.start);
            product_into(out, size, row_stride, a, b, scale, add);
        }
    });
}

/// Multiply–adds from which on a product is worth waking the thread pool.
const ALONE: usize = 1 << 20;

/// Tiles that cover a matrix of this size. The product packs its operands anew for every tile: narrow and tall tiles
/// cost least where there are few columns, and there should be enough tiles for the threads to share evenly.
fn tiles((rows, columns): (usize, usize)) -> Vec<(Range<usize>, Range<usize>)> {
    const WANTED: usize = 8;
    const COLUMNS: Range<usize> = 64..1024;
    const ROWS: Range<usize> = 256..2048;
    let wide = columns.div_ceil(WANTED).next_multiple_of(COLUMNS.start).min(COLUMNS.end);
    let rows_wanted = WANTED.div_ceil(columns.div_ceil(wide));
    let tall = rows.div_ceil(rows_wanted).clamp(ROWS.start, ROWS.end);
    let cut = |whole: usize, size: usize| {
        (0..whole).step_by(size).map(move |start| start..(start + size).min(whole))
    };
    cut(rows, tall).flat_map(|rows| cut(columns, wide).map(move |columns| (rows.clone(), columns))).collect()
}

/// Where the tiles of a product are written, by many threads.
struct Shared<T>(*mut T);

// SAFETY: the pointer is handed to tiles that share no number.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// # Safety
    /// The index must lie inside the memory.
    unsafe fn number(&self, index: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(index) }
    }
}

/// [`product`] into rows that lie `row_stride` apart, on the calling thread.
///
/// # Safety
/// Element (r, c) of `size`, at `out + r·row_stride + c`, must lie in live memory that nothing else reads
/// or writes meanwhile.
pub(crate) unsafe fn product_into<T: Real>(
    out: *mut T,
    (rows, columns): (usize, usize),
    row_stride: usize,
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    scale: T,
    add: bool,
) {
    assert_eq!(a.columns, b.rows, "inner sizes of a product");
    assert_eq!((rows, columns), (a.rows, b.columns), "size of a product");
    if rows * columns == 0 {
        return;
    }
    if a.columns == 0 {
        if !add {
            for row in 0..rows {
                // SAFETY: the caller's promise.
                unsafe { std::slice::from_raw_parts_mut(out.add(row * row_stride), columns) }.fill(T::ZERO);
            }
        }
        return;
    }
    // SAFETY: `Matrix` keeps every element of a and b inside its slice; the caller vouches for `out`.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            a.columns,
            out,
            1,
            row_stride as isize,
            add,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            T::ONE,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Matrix, add_product, product, tiles};

    /// Tiles cover every number once, also at sizes that they do not divide.
    #[test]
    fn tiles_have_one_writer_a_number() {
        for (rows, columns) in
            [(1, 1), (1, 9000), (9000, 1), (300, 65), (2049, 1023), (256, 1024), (700, 700)]
        {
            let mut writers = vec![0u8; rows * columns];
            for (tile_rows, tile_columns) in tiles((rows, columns)) {
                assert!(!tile_rows.is_empty() && !tile_columns.is_empty());
                for row in tile_rows {
                    writers[row * columns..][tile_columns.clone()]
                        .iter_mut()
                        .for_each(|writers| *writers += 1);
                }
            }
            assert!(writers.iter().all(|&writers| writers == 1), "{rows} × {columns}");
        }
    }

    /// A product large enough to be cut, with operands in every orientation, equals the same product made at once.
    #[test]
    fn tiles_equal_the_whole() {
        let (m, k, n) = (517, 33, 301);
        let numbers =
            |len: usize, step: f64| -> Vec<f64> { (0..len).map(|i| (i as f64 * step).sin()).collect() };
        let (a, b) = (numbers(m * k, 0.7), numbers(k * n, 1.3));
        assert!(m * k * n >= super::ALONE && tiles((m, n)).len() > 1);
        for a in [Matrix::new(&a, m, k), Matrix::new(&a, k, m).t()] {
            for b in [Matrix::new(&b, k, n), Matrix::new(&b, n, k).t()] {
                for add in [false, true] {
                    let start = if add { 1.0 } else { f64::NAN };
                    let [mut cut, mut whole] = [(); 2].map(|()| vec![start; m * n]);
                    product(&mut cut, a, b, 0.5, add, true);
                    product(&mut whole, a, b, 0.5, add, false);
                    assert!(cut.iter().zip(&whole).all(|(x, y)| (x - y).abs() < 1e-12));
                }
            }
        }
    }

    /// The block of a wider matrix gets the product added, at once or in tiles, and the gaps stay.
    #[test]
    fn blocks_of_a_wider_matrix() {
        let (m, k, n, stride) = (300, 17, 260, 267);
        let numbers =
            |len: usize, step: f64| -> Vec<f64> { (0..len).map(|i| (i as f64 * step).sin()).collect() };
        let (a, b) = (numbers(m * k, 0.7), numbers(k * n, 1.3));
        assert!(m * k * n >= super::ALONE && tiles((m, n)).len() > 1);
        let (a, b) = (Matrix::new(&a, m, k), Matrix::new(&b, k, n));
        let mut expected = vec![2.0; m * n];
        product(&mut expected, a, b, 1.0, true, false);
        for parallel in [false, true] {
            let mut out = vec![2.0; (m - 1) * stride + n];
            add_product(&mut out, stride, a, b, parallel);
            for (row, expected) in out.chunks(stride).zip(expected.chunks(n)) {
                assert!(row.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-12));
                assert!(row[n..].iter().all(|&gap| gap == 2.0));
            }
        }
    }

    #[test]
    fn equals_the_definition_in_every_orientation() {
        let (m, k, n) = (5, 7, 3);
        let a: Vec<f64> = (0..m * k).map(|i| (i as f64 * 0.7).sin()).collect();
        let b: Vec<f64> = (0..k * n).map(|i| (i as f64 * 1.3).cos()).collect();
        let mut expected = vec![1.0; m * n];
        for i in 0..m {
            for j in 0..n {
                expected[i * n + j] += 2.0 * (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum::<f64>();
            }
        }
        let transposed: Vec<f64> = (0..k * m).map(|i| a[(i % m) * k + i / m]).collect();
        for a in [Matrix::new(&a, m, k), Matrix::new(&transposed, k, m).t()] {
            let mut out = vec![1.0; m * n];
            product(&mut out, a, Matrix::new(&b, k, n), 2.0, true, true);
            assert!(out.iter().zip(&expected).all(|(x, y)| (x - y).abs() < 1e-13));
        }
    }
}
