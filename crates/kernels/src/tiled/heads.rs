//! Tensors of shape `[batch, positions, heads, width]` as the kernels see them.

use std::marker::PhantomData;
use std::ops::Range;

use burn_flex::FlexTensor;

use super::matrix::MatrixMut;
use crate::cpu::{Matrix, Real};

/// A tensor to read: any strides, but neighbouring values along the width.
#[derive(Clone, Copy)]
pub(crate) struct Heads<'a, T> {
    memory: &'a [T],
    pub(crate) shape: [usize; 4],
    strides: [usize; 3],
}

impl<'a, T: Real> Heads<'a, T> {
    /// A tensor without gaps.
    pub(crate) fn contiguous(memory: &'a [T], shape: [usize; 4]) -> Self {
        let [_, n, heads, width] = shape;
        Heads { memory, shape, strides: [n * heads * width, heads * width, width] }
    }

    /// A tensor `[batch, positions, heads, width]`, or `[batch, positions, width]` as one head, that went
    /// through [`readable`].
    ///
    /// # Panics
    /// If it is of another number type: all operands of an operation have one precision.
    pub(crate) fn of(tensor: &'a FlexTensor) -> Self {
        let layout = tensor.layout();
        let memory = tensor.storage::<T>();
        let memory = memory.get(layout.start_offset()..).unwrap_or_default();
        let stride = |axis: usize| layout.strides()[axis] as usize;
        match **layout.shape() {
            [batch, n, heads, width] => {
                Heads { memory, shape: [batch, n, heads, width], strides: [stride(0), stride(1), stride(2)] }
            }
            [batch, n, width] => {
                Heads { memory, shape: [batch, n, 1, width], strides: [stride(0), stride(1), 0] }
            }
            _ => panic!("attention operand of rank {}", layout.shape().num_dims()),
        }
    }

    /// The matrix `[positions, width]` of one head.
    pub(crate) fn rows(&self, b: usize, head: usize, positions: Range<usize>) -> Matrix<'a, T> {
        self.block(b, head, positions, 0..self.shape[3])
    }

    /// The matrix `[positions, columns]` of one head.
    pub(crate) fn block(
        &self,
        b: usize,
        head: usize,
        positions: Range<usize>,
        columns: Range<usize>,
    ) -> Matrix<'a, T> {
        let [_, n, _, width] = self.shape;
        assert!(positions.end <= n && columns.end <= width, "block outside the tensor");
        let start = self.offset(b, positions.start, head) + columns.start;
        // An empty block may start at the very end of the memory.
        let memory = self.memory.get(start..).unwrap_or_default();
        Matrix::strided(memory, positions.len(), columns.len(), self.strides[1], 1)
    }

    /// One position of one head.
    pub(crate) fn row(&self, b: usize, head: usize, position: usize) -> &'a [T] {
        let start = self.offset(b, position, head);
        &self.memory[start..start + self.shape[3]]
    }

    fn offset(&self, b: usize, position: usize, head: usize) -> usize {
        b * self.strides[0] + position * self.strides[1] + head * self.strides[2]
    }
}

/// The tensor itself if its values are neighbours along the last axis, as in a slice of a wider projection;
/// a copy without gaps otherwise.
pub(crate) fn readable(tensor: FlexTensor) -> FlexTensor {
    let strides = tensor.layout().strides();
    let neighbours = strides.last() == Some(&1) && strides.iter().all(|&stride| stride >= 0);
    if neighbours { tensor } else { tensor.to_contiguous() }
}

/// A tensor without gaps that several threads write at once, each its own rows.
#[derive(Clone, Copy)]
pub(crate) struct HeadsMut<'a, T> {
    start: *mut T,
    pub(crate) shape: [usize; 4],
    memory: PhantomData<&'a mut [T]>,
}

// SAFETY: the rows are handed out by an unsafe function whose callers promise that they are disjoint.
unsafe impl<T: Send> Send for HeadsMut<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for HeadsMut<'_, T> {}

impl<'a, T: Real> HeadsMut<'a, T> {
    /// # Panics
    /// If `memory` is not of the size of `shape`.
    pub(crate) fn new(memory: &'a mut [T], shape: [usize; 4]) -> Self {
        assert_eq!(memory.len(), shape.iter().product::<usize>(), "memory of the tensor's size");
        HeadsMut { start: memory.as_mut_ptr(), shape, memory: PhantomData }
    }

    /// The matrix `[positions, columns]` of one head.
    ///
    /// # Safety
    /// No two matrices that share an element may exist at once.
    pub(crate) unsafe fn block(
        &self,
        b: usize,
        head: usize,
        positions: Range<usize>,
        columns: Range<usize>,
    ) -> MatrixMut<'a, T> {
        let [batch, n, heads, width] = self.shape;
        assert!(b < batch && head < heads && positions.end <= n && columns.end <= width, "block outside");
        let offset = ((b * n + positions.start) * heads + head) * width + columns.start;
        // SAFETY: the block lies inside the memory, whose exclusive borrow this value holds; the caller
        // keeps it apart from other blocks.
        unsafe { MatrixMut::from_raw(self.start.add(offset), positions.len(), columns.len(), heads * width) }
    }

    /// The matrix `[positions, width]` of one head.
    ///
    /// # Safety
    /// As for [`HeadsMut::block`].
    pub(crate) unsafe fn rows(&self, b: usize, head: usize, positions: Range<usize>) -> MatrixMut<'a, T> {
        // SAFETY: the caller's promise.
        unsafe { self.block(b, head, positions, 0..self.shape[3]) }
    }
}
