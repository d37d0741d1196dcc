//! Tensors as rows that may lie apart, so that slices of a wider tensor need no copy.

use burn_flex::FlexTensor;

use super::{Matrix, Real, vectorised};

/// Rows of contiguous numbers at one distance from each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a, T> {
    values: &'a [T],
    stride: usize,
    width: usize,
}

impl<'a, T: Real> Rows<'a, T> {
    /// The last axis of a tensor as rows.
    ///
    /// # Panics
    /// If the tensor did not go through [`with_rows`].
    pub(crate) fn new(tensor: &'a FlexTensor) -> Self {
        let layout = tensor.layout();
        let Some(stride) = row_stride(tensor) else { panic!("the rows of {layout:?} do not lie evenly") };
        let width = layout.shape().as_slice().last().copied().unwrap_or(1);
        Rows { values: &tensor.storage::<T>()[layout.start_offset()..], stride, width }
    }

    /// `count` rows from `first` on.
    pub(crate) fn matrix(&self, first: usize, count: usize) -> Matrix<'a, T> {
        let start = if count == 0 { 0 } else { first * self.stride };
        Matrix::strided(&self.values[start..], count, self.width, self.stride, 1)
    }

    #[inline(always)]
    pub(crate) fn row(&self, index: usize) -> &'a [T] {
        let start = index * self.stride;
        &self.values[start..start + self.width]
    }

    /// L numbers of a row from `column` on, for loops that have made sure of all their rows before.
    ///
    /// # Safety
    /// [`Rows::row`] must have returned this row or a later one, and `column + L` must not exceed its width.
    #[inline(always)]
    pub(crate) unsafe fn part<const L: usize>(&self, index: usize, column: usize) -> &'a [T; L] {
        let start = index * self.stride + column;
        debug_assert!(column + L <= self.width && start + L <= self.values.len(), "part outside its row");
        // SAFETY: no later row ends before this one, and that one ends inside the memory.
        unsafe { &*self.values.as_ptr().add(start).cast() }
    }
}

/// The same tensor, copied only if its rows are not contiguous or lie unevenly.
pub(crate) fn with_rows(tensor: FlexTensor) -> FlexTensor {
    if row_stride(&tensor).is_some() { tensor } else { tensor.to_contiguous() }
}

/// Distance of consecutive rows, if there is one and the last axis is contiguous.
fn row_stride(tensor: &FlexTensor) -> Option<usize> {
    let layout = tensor.layout();
    let (shape, strides) = (layout.shape().as_slice(), layout.strides());
    let (&width, leading) = shape.split_last()?;
    if width != 1 && strides[leading.len()] != 1 {
        return None;
    }
    // From the innermost leading axis outwards: (rows so far, distance of rows).
    let mut rows: Option<(usize, isize)> = None;
    for (&size, &stride) in leading.iter().zip(strides).rev() {
        if size == 1 {
            continue;
        }
        rows = match rows {
            None => Some((size, stride)),
            Some((count, distance)) if stride == distance * count as isize => Some((count * size, distance)),
            Some(_) => return None,
        };
    }
    rows.map_or(Some(width), |(_, distance)| usize::try_from(distance).ok())
}

vectorised! {
    /// Adds every row to the total.
    pub(crate) fn add_rows<T: Real>(total: &mut [T], rows: &[T]) {
        for row in rows.chunks_exact(total.len().max(1)) {
            for (total, &x) in total.iter_mut().zip(row) {
                *total += x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Rows, row_stride, with_rows};
    use crate::cpu::tensor;

    #[test]
    fn slices_of_the_last_axis_need_no_copy_and_transposes_do() {
        let x = tensor((0..24).map(f64::from).collect(), [2, 3, 4]);
        assert_eq!(row_stride(&x), Some(4));
        let layout = x.layout().narrow(2, 1, 2);
        let right = x.clone().with_layout(layout);
        assert_eq!(row_stride(&right), Some(4));
        assert_eq!(Rows::<f64>::new(&right).row(4), [17.0, 18.0]);
        let middle = x.clone().with_layout(x.layout().narrow(1, 0, 2));
        assert_eq!(row_stride(&middle), None, "rows 0 1 4 5 lie unevenly");
        assert_eq!(Rows::<f64>::new(&with_rows(middle)).row(2), [12.0, 13.0, 14.0, 15.0]);
        assert_eq!(row_stride(&x.transpose(1, 2)), None);
    }
}
