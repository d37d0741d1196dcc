//! Softmax attention as an operation of the CPU back end.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::SoftmaxOptions;
use crate::attention::{attend, attend_tracked};

#[backend_extension(Autodiff, Flex)]
pub(crate) trait SoftmaxBackend: Backend {
    fn fused_softmax_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        options: SoftmaxOptions,
    ) -> FloatTensor<Self>;
}

impl SoftmaxBackend for Flex {
    fn fused_softmax_attention(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        options: SoftmaxOptions,
    ) -> FlexTensor {
        attend([q, k, v], &options)
    }
}

impl<C: CheckpointStrategy> SoftmaxBackend for Autodiff<Flex, C> {
    fn fused_softmax_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        options: SoftmaxOptions,
    ) -> FloatTensor<Self> {
        attend_tracked::<_, C>([q, k, v], options)
    }
}
