//! An optional float operand of a back-end operation.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType};
use burn::tensor::Tensor;

/// A tensor that may be absent, such as a bias. The engine's extension mechanism routes its own
/// types and those that derive `ExtensionType`, not `Option`.
#[derive(ExtensionType)]
pub(crate) enum Operand<B: Backend> {
    Given(FloatTensor<B>),
    Absent,
}

impl Operand<Dispatch> {
    pub(crate) fn new<const D: usize>(tensor: Option<Tensor<D>>) -> Self {
        tensor.map_or(Operand::Absent, |tensor| Operand::Given(tensor.into_dispatch()))
    }
}

impl<B: Backend> Operand<B> {
    pub(crate) fn into_option(self) -> Option<FloatTensor<B>> {
        match self {
            Operand::Given(tensor) => Some(tensor),
            Operand::Absent => None,
        }
    }
}
