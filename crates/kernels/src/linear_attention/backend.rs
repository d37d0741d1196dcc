//! Linear attention as an operation of the CPU back end.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::LinearOptions;
use crate::attention::{attend, attend_tracked};

#[backend_extension(Autodiff, Flex)]
pub(crate) trait LinearBackend: Backend {
    fn fused_linear_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        options: LinearOptions,
    ) -> FloatTensor<Self>;
}

impl LinearBackend for Flex {
    fn fused_linear_attention(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        options: LinearOptions,
    ) -> FlexTensor {
        attend([q, k, v], &options)
    }
}

impl<C: CheckpointStrategy> LinearBackend for Autodiff<Flex, C> {
    fn fused_linear_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        options: LinearOptions,
    ) -> FloatTensor<Self> {
        attend_tracked::<_, C>([q, k, v], options)
    }
}
