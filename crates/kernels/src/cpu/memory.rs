//! Between the engine's tensors and slices of numbers.

use burn::backend::{Bytes, Flex};
use burn::tensor::{DType, Device, Shape, Tensor};
use burn_flex::{FlexTensor, Layout};

use super::Real;
use crate::portable::in_portable_scope;

/// Whether the CPU kernels serve this tensor: it lives on the Flex device, tracked or not, in single or
/// double precision, and nobody asked for [`portable`](crate::portable) operations. The definitions serve all others.
pub(crate) fn serves<const D: usize>(x: &Tensor<D>) -> bool {
    !in_portable_scope() && matches!(x.dtype(), DType::F32 | DType::F64) && x.device() == Device::flex()
}

/// [`serves`] for results that are not tracked.
///
/// # Panics
/// If the tensor is tracked: its gradient would be lost.
pub(crate) fn serves_untracked<const D: usize>(x: &Tensor<D>) -> bool {
    assert!(!x.device().is_autodiff(), "the result is not tracked: pass `inner()` tensors");
    serves(x)
}

/// Runs an expression with a type name bound to the number type of a dtype.
///
/// # Panics
/// If the dtype is not one that [`serves`] admits.
macro_rules! with_real {
    ($dtype:expr, $real:ident => $body:expr) => {
        match $dtype {
            ::burn::tensor::DType::F32 => {
                type $real = f32;
                $body
            }
            ::burn::tensor::DType::F64 => {
                type $real = f64;
                $body
            }
            other => panic!("CPU kernels compute in f32 and f64, not {other:?}"),
        }
    };
}

pub(crate) use with_real;

/// Memory for a result of `len` numbers, to be written whole before it is read.
///
/// Under test it starts as NaN, so that a number that a kernel forgets to write is seen.
pub(crate) fn output<T: Real>(len: usize) -> Vec<T> {
    if cfg!(any(test, debug_assertions)) {
        return vec![T::NAN; len];
    }
    // SAFETY: every bit pattern is a valid float, kernels write all of a result before they read it,
    // and their tests prove it on memory full of NaN. Zeroing would cost as much as a kernel.
    unsafe { Box::<[T]>::new_uninit_slice(len).assume_init() }.into_vec()
}

/// A tensor that owns the numbers.
pub(crate) fn tensor<T: Real>(values: Vec<T>, shape: impl Into<Shape>) -> FlexTensor {
    let shape = shape.into();
    assert_eq!(values.len(), shape.num_elements(), "a result must fill its shape");
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape), T::dtype())
}

/// The numbers of a tensor that is contiguous.
///
/// # Panics
/// If the tensor is strided or of another type: call [`contiguous`] first, and give all operands of an
/// operation one precision.
pub(crate) fn slice<T: Real>(tensor: &FlexTensor) -> &[T] {
    tensor.as_slice::<T>().unwrap_or_else(|| {
        panic!("operand is {:?} where contiguous {:?} is needed", tensor.dtype(), T::dtype())
    })
}

/// The tensor as the back end holds it.
///
/// # Panics
/// If the tensor is tracked or on another device.
pub(crate) fn primitive<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    match tensor.try_into_primitive::<Flex>() {
        Ok(primitive) => primitive,
        Err(error) => panic!("expected an untracked tensor of the CPU: {error:?}"),
    }
}

/// The same tensor with its numbers one after the other. Some samples of a larger one are so already, and stay where they are.
pub(crate) fn contiguous(tensor: &FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() { tensor.clone() } else { tensor.to_contiguous() }
}

/// The same tensor in memory of its own shape, to be changed in place; moves nothing if it is so already.
pub(crate) fn owned(tensor: FlexTensor) -> FlexTensor {
    let size = tensor.layout().num_elements() * tensor.dtype().size();
    let whole = tensor.is_contiguous() && tensor.layout().start_offset() == 0 && tensor.bytes().len() == size;
    if whole { tensor } else { tensor.to_contiguous() }
}

/// The numbers of an integer tensor as indices below `bound`.
///
/// # Panics
/// If a number is not.
pub(crate) fn indices(tensor: &FlexTensor, bound: usize) -> Vec<usize> {
    let index = |x: i64| match usize::try_from(x) {
        Ok(index) if index < bound => index,
        _ => panic!("index {x} of {bound}"),
    };
    tensor.clone().into_data().iter::<i64>().map(index).collect()
}

/// A parameter as a vector of `width` numbers: `absent` if it is missing, repeated if it is a scalar.
pub(crate) fn expand<T: Real>(parameter: Option<&FlexTensor>, width: usize, absent: T) -> Vec<T> {
    match parameter {
        None => vec![absent; width],
        Some(parameter) => {
            let parameter = parameter.to_contiguous();
            let values = slice::<T>(&parameter);
            if values.len() == 1 { vec![values[0]; width] } else { values.to_vec() }
        }
    }
}
