//! Matrices to write whose rows may have gaps between them, and products into them.

use std::marker::PhantomData;

use crate::cpu::{Matrix, Real, product_into};

/// A matrix of rows to write, each of neighbouring values.
pub(crate) struct MatrixMut<'a, T> {
    start: *mut T,
    rows: usize,
    columns: usize,
    row_stride: usize,
    memory: PhantomData<&'a mut [T]>,
}

impl<'a, T: Real> MatrixMut<'a, T> {
    /// Rows of `columns` values, `row_stride` apart, from the start of `memory`.
    ///
    /// # Panics
    /// If the last row does not end inside `memory`.
    pub(crate) fn new(memory: &'a mut [T], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(rows == 0 || (rows - 1) * row_stride + columns <= memory.len(), "matrix outside its memory");
        MatrixMut { start: memory.as_mut_ptr(), rows, columns, row_stride, memory: PhantomData }
    }

    /// # Safety
    /// The rows must lie in one allocation, and nothing else may read or write them for `'a`.
    pub(crate) unsafe fn from_raw(start: *mut T, rows: usize, columns: usize, row_stride: usize) -> Self {
        MatrixMut { start, rows, columns, row_stride, memory: PhantomData }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn row(&mut self, index: usize) -> &mut [T] {
        assert!(index < self.rows, "row outside the matrix");
        // SAFETY: the row lies inside the memory this value holds exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(index * self.row_stride), self.columns) }
    }

    pub(crate) fn fill(&mut self, value: T) {
        for index in 0..self.rows {
            self.row(index).fill(value);
        }
    }
}

/// What a product does with the values already in its destination.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Into {
    /// They are replaced, and never read.
    Replace,
    /// The product is added to them.
    Add,
}

/// `destination ← [destination +] factor · left · right`, on the calling thread.
///
/// # Panics
/// If the shapes do not fit.
pub(crate) fn product<T: Real>(
    destination: &mut MatrixMut<'_, T>,
    mode: Into,
    factor: T,
    left: Matrix<'_, T>,
    right: Matrix<'_, T>,
) {
    let size = (destination.rows, destination.columns);
    // SAFETY: the constructors keep the rows inside memory that the destination holds exclusively.
    unsafe {
        product_into(destination.start, size, destination.row_stride, left, right, factor, mode == Into::Add);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_with_strides_replaces_or_adds() {
        let left = [1.0, 2.0, 9.0, 3.0, 4.0];
        let right = [5.0, 7.0, 6.0, 8.0];
        let mut out = [f64::NAN; 5];
        let l = || Matrix::strided(&left, 2, 2, 3, 1);
        let r = || Matrix::new(&right, 2, 2).t();
        product(&mut MatrixMut::new(&mut out, 2, 2, 3), Into::Replace, 2.0, l(), r());
        assert_eq!((out[..2].to_vec(), out[3..].to_vec()), (vec![38.0, 44.0], vec![86.0, 100.0]));
        assert!(out[2].is_nan(), "the gap between rows is not touched");
        product(&mut MatrixMut::new(&mut out, 2, 2, 3), Into::Add, -1.0, l(), r());
        assert_eq!(out[..2], [19.0, 22.0]);
    }

    #[test]
    fn empty_sum_is_zero() {
        let mut out = [f32::NAN; 4];
        let (left, right) = (Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 2));
        product(&mut MatrixMut::new(&mut out, 2, 2, 2), Into::Replace, 1.0, left, right);
        assert_eq!(out, [0.0; 4]);
    }
}
