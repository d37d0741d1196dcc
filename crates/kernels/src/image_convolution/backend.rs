//! The three maps as operations of the CPU back end, and their gradients, which are each other.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::{ConvolutionWindow, cpu};
use crate::epilogue::FlexEpilogue;
use crate::gradients::{propagate, track};
use crate::operand::Operand;
use crate::row_sums::row_sums_of;

#[backend_extension(Autodiff, Flex)]
pub(crate) trait ImageConvolutionBackend: Backend {
    fn fused_image_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Operand<Self>,
        window: ConvolutionWindow,
    ) -> FloatTensor<Self>;

    fn fused_transposed_image_convolution(
        y: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Operand<Self>,
        window: ConvolutionWindow,
        size: [usize; 2],
    ) -> FloatTensor<Self>;

    fn fused_image_convolution_weights(
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        window: ConvolutionWindow,
    ) -> FloatTensor<Self>;
}

impl ImageConvolutionBackend for Flex {
    fn fused_image_convolution(
        x: FlexTensor,
        weight: FlexTensor,
        bias: Operand<Self>,
        window: ConvolutionWindow,
    ) -> FlexTensor {
        cpu::convolution(&x, &weight, &FlexEpilogue::bias(bias.into_option()), window)
    }

    fn fused_transposed_image_convolution(
        y: FlexTensor,
        weight: FlexTensor,
        bias: Operand<Self>,
        window: ConvolutionWindow,
        size: [usize; 2],
    ) -> FlexTensor {
        cpu::transposed(&y, &weight, &FlexEpilogue::bias(bias.into_option()), window, size)
    }

    fn fused_image_convolution_weights(
        x: FlexTensor,
        dy: FlexTensor,
        window: ConvolutionWindow,
    ) -> FlexTensor {
        cpu::weights(&x, &dy, window)
    }
}

/// Operands of a map with a weight.
#[derive(Clone, Debug)]
struct State {
    x: FlexTensor,
    weight: FlexTensor,
    has_bias: bool,
    window: ConvolutionWindow,
}

impl<C: CheckpointStrategy> ImageConvolutionBackend for Autodiff<Flex, C> {
    fn fused_image_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Operand<Self>,
        window: ConvolutionWindow,
    ) -> FloatTensor<Self> {
        let bias = bias.into_option();
        // The node of x stands for an absent bias; no gradient is registered for it there.
        let nodes = [x.node(), weight.node(), bias.as_ref().unwrap_or(&x).node()];
        let has_bias = bias.is_some();
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let bias = bias.map(|bias| bias.into_primitive());
        let y = cpu::convolution(&x, &weight, &FlexEpilogue::bias(bias), window);
        track::<C, _, _>(ConvolutionBackward, nodes, y, State { x, weight, has_bias, window })
    }

    fn fused_transposed_image_convolution(
        y: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Operand<Self>,
        window: ConvolutionWindow,
        size: [usize; 2],
    ) -> FloatTensor<Self> {
        let bias = bias.into_option();
        let nodes = [y.node(), weight.node(), bias.as_ref().unwrap_or(&y).node()];
        let has_bias = bias.is_some();
        let (y, weight) = (y.into_primitive(), weight.into_primitive());
        let bias = bias.map(|bias| bias.into_primitive());
        let x = cpu::transposed(&y, &weight, &FlexEpilogue::bias(bias), window, size);
        track::<C, _, _>(TransposedBackward, nodes, x, State { x: y, weight, has_bias, window })
    }

    fn fused_image_convolution_weights(
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        window: ConvolutionWindow,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), dy.node()];
        let (x, dy) = (x.into_primitive(), dy.into_primitive());
        let weight = cpu::weights(&x, &dy, window);
        track::<C, _, _>(WeightsBackward, nodes, weight, (x, dy, window))
    }
}

#[derive(Debug)]
struct ConvolutionBackward;

impl Backward<Flex, 3> for ConvolutionBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |dy, State { x, weight, has_bias, window }, [of_x, of_weight, of_bias]| {
            let shape = x.layout().shape().as_slice();
            let size = [shape[1], shape[2]];
            [
                of_x.then(|| cpu::transposed(&dy, &weight, &FlexEpilogue::default(), window, size)),
                of_weight.then(|| cpu::weights(&x, &dy, window)),
                (of_bias && has_bias).then(|| row_sums_of(&dy, None)),
            ]
        });
    }
}

#[derive(Debug)]
struct TransposedBackward;

impl Backward<Flex, 3> for TransposedBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(
            ops,
            gradients,
            |dx, State { x: y, weight, has_bias, window }, [of_y, of_weight, of_bias]| {
                [
                    of_y.then(|| cpu::convolution(&dx, &weight, &FlexEpilogue::default(), window)),
                    of_weight.then(|| cpu::weights(&dx, &y, window)),
                    (of_bias && has_bias).then(|| row_sums_of(&dx, None)),
                ]
            },
        );
    }
}

#[derive(Debug)]
struct WeightsBackward;

impl Backward<Flex, 2> for WeightsBackward {
    type State = (FlexTensor, FlexTensor, ConvolutionWindow);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, gradients, |weight, (x, dy, window), [of_x, of_dy]| {
            let shape = x.layout().shape().as_slice();
            let size = [shape[1], shape[2]];
            [
                of_x.then(|| cpu::transposed(&dy, &weight, &FlexEpilogue::default(), window, size)),
                of_dy.then(|| cpu::convolution(&x, &weight, &FlexEpilogue::default(), window)),
            ]
        });
    }
}
