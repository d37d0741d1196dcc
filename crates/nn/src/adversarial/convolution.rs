//! Two-dimensional convolutions, and transposed ones for generators.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{
    ConvolutionWindow, image_convolution, image_convolution_with, transposed_image_convolution,
};

use super::affine::traced_end;
use super::tape::{Operation, Tape};
use crate::dual::Dual;
use crate::{Builder, Initialiser};

/// 1 × 1.
pub(super) const POINT: ConvolutionWindow = ConvolutionWindow { side: 1, stride: 1, padding: 0 };
/// 3 × 3, as large as the input.
pub(super) const SAME: ConvolutionWindow = ConvolutionWindow { side: 3, stride: 1, padding: 1 };
/// 4 × 4 with stride 2, half as large as the input or, transposed, twice as large.
pub(super) const HALF: ConvolutionWindow = ConvolutionWindow { side: 4, stride: 2, padding: 1 };

/// A convolution, `[b, h, w, in]` to `[b, h/stride, w/stride, out]`.
#[derive(Module, Debug)]
pub struct Convolution {
    /// `[side·side·in, out]`.
    weight: Param<Tensor<2>>,
    /// `[out]`.
    bias: Param<Tensor<1>>,
    #[module(skip)]
    window: ConvolutionWindow,
}

impl Convolution {
    /// A map of `[in, out]` channels. The bias starts at 0.
    pub(super) fn new(
        [inputs, outputs]: [usize; 2],
        window: ConvolutionWindow,
        first: Initialiser,
        builder: &Builder,
    ) -> Self {
        Convolution {
            weight: builder.parameter("weight", [window.size() * inputs, outputs], first),
            bias: builder.parameter("bias", [outputs], Initialiser::Zeros),
            window,
        }
    }

    /// The map, and its linear part for a tangent.
    pub fn forward(&self, x: Dual<4>) -> Dual<4> {
        let map = |x, bias| image_convolution(x, self.weight.val(), bias, self.window);
        x.affine(|x| map(x, Some(self.bias.val())), |x| map(x, None))
    }

    /// The same, noted down, and followed by a rectifier of this slope.
    pub fn trace(&self, x: Tensor<4>, path: &str, slope: Option<f64>, tape: &mut Tape) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let y = image_convolution_with(x.clone(), weight.clone(), self.window, traced_end(&bias, slope));
        tape.note(Operation::convolution(path, weight, bias, self.window, x));
        tape.note_rectifier(&y, slope);
        y
    }
}

/// A transposed convolution, `[b, h, w, in]` to `[b, h·stride, w·stride, out]`.
#[derive(Module, Debug)]
pub struct TransposedConvolution {
    /// `[side·side·out, in]`: the weight of the convolution that goes the other way.
    weight: Param<Tensor<2>>,
    /// `[out]`.
    bias: Param<Tensor<1>>,
    #[module(skip)]
    window: ConvolutionWindow,
}

impl TransposedConvolution {
    /// A map of `[in, out]` channels. The bias starts at 0.
    pub(super) fn new(
        [inputs, outputs]: [usize; 2],
        window: ConvolutionWindow,
        first: Initialiser,
        builder: &Builder,
    ) -> Self {
        TransposedConvolution {
            weight: builder.parameter("weight", [window.size() * outputs, inputs], first),
            bias: builder.parameter("bias", [outputs], Initialiser::Zeros),
            window,
        }
    }

    /// The map, and its linear part for a tangent.
    pub fn forward(&self, x: Dual<4>) -> Dual<4> {
        let map = |x: Tensor<4>, bias| {
            let [_, height, width, _] = x.dims();
            let size = [height, width].map(|side| side * self.window.stride);
            transposed_image_convolution(x, self.weight.val(), bias, self.window, size)
        };
        x.affine(|x| map(x, Some(self.bias.val())), |x| map(x, None))
    }
}
