//! Reading and making tensors of the CPU back end.

use burn::tensor::{Bytes, Shape};
use burn_flex::{FlexTensor, Layout};

use crate::real::Real;

/// A tensor whose values lie in one run of memory, in row-major order.
pub(crate) struct Dense(FlexTensor);

impl Dense {
    /// Copies only if `tensor` is a strided view.
    pub(crate) fn new(tensor: FlexTensor) -> Self {
        if tensor.is_contiguous() { Dense(tensor) } else { Dense(tensor.to_contiguous()) }
    }

    /// The values.
    ///
    /// # Panics
    /// If the tensor is not of type `T`: the caller has dispatched on it.
    pub(crate) fn values<T: Real>(&self) -> &[T] {
        match self.0.as_slice() {
            Some(values) => values,
            None => panic!("kernel for {:?} called with {:?}", T::dtype(), self.0.dtype()),
        }
    }
}

/// Makes a tensor of `shape` from its values in row-major order.
pub(crate) fn tensor<T: Real>(values: Vec<T>, shape: Shape) -> FlexTensor {
    debug_assert_eq!(values.len(), shape.num_elements());
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape), T::dtype())
}

/// Room for `count` results. Tests start from NaN, so that a cell that is never written is seen.
pub(crate) fn output<T: Real>(count: usize) -> Vec<T> {
    vec![if cfg!(any(test, debug_assertions)) { T::NAN } else { T::ZERO }; count]
}
