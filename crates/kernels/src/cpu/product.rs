//! Matrix products.

use burn_flex::FlexTensor;
use gemm::Parallelism;

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
/// With `parallel` the product is spread over the current thread pool; its bits are the same.
pub(crate) fn product<T: Real>(
    out: &mut [T],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    scale: T,
    add: bool,
    parallel: bool,
) {
    assert_eq!(out.len(), a.rows * b.columns, "size of a product");
    // SAFETY: `out` holds exactly rows · columns numbers, row after row, and is borrowed alone.
    unsafe { product_into(out.as_mut_ptr(), (a.rows, b.columns), b.columns, a, b, scale, add, parallel) }
}

/// [`product`] into rows that lie `row_stride` apart.
///
/// # Safety
/// Element (r, c) of `size`, at `out + r·row_stride + c`, must lie in live memory that nothing else reads
/// or writes meanwhile.
#[allow(clippy::too_many_arguments)]
pub(crate) unsafe fn product_into<T: Real>(
    out: *mut T,
    (rows, columns): (usize, usize),
    row_stride: usize,
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    scale: T,
    add: bool,
    parallel: bool,
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
    let parallelism = if parallel { Parallelism::Rayon(0) } else { Parallelism::None };
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
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Matrix, product};

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
