//! Two-dimensional convolutions, and transposed ones for generators.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};

use super::tape::{Operation, Tape};
use crate::dual::Dual;
use crate::{Builder, Initialiser};

/// Side of the kernel and how far it moves; padding keeps the size, or divides it by the stride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Side.
    pub side: usize,
    /// Step.
    pub stride: usize,
}

impl Window {
    /// 1 × 1.
    pub const POINT: Window = Window { side: 1, stride: 1 };
    /// 3 × 3, as large as the input.
    pub const SAME: Window = Window { side: 3, stride: 1 };
    /// 4 × 4 with stride 2, half as large as the input or, transposed, twice as large.
    pub const HALF: Window = Window { side: 4, stride: 2 };

    fn padding(self) -> usize {
        (self.side - self.stride) / 2
    }

    /// For the operations.
    pub fn options(self) -> ConvOptions<2> {
        let Window { side: _, stride } = self;
        ConvOptions::new([stride; 2], [self.padding(); 2], [1; 2], 1)
    }

    /// For the operation that goes the other way.
    pub fn transposed(self) -> ConvTransposeOptions<2> {
        ConvTransposeOptions::new([self.stride; 2], [self.padding(); 2], [0; 2], [1; 2], 1)
    }
}

/// A convolution, `[b, in, h, w]` to `[b, out, h/stride, w/stride]`.
#[derive(Module, Debug)]
pub struct Convolution {
    /// `[out, in, side, side]`.
    weight: Param<Tensor<4>>,
    /// `[out]`.
    bias: Param<Tensor<1>>,
    #[module(skip)]
    window: Window,
}

impl Convolution {
    /// A map of `[in, out]` channels. The bias starts at 0.
    pub(super) fn new(
        [inputs, outputs]: [usize; 2],
        window: Window,
        first: Initialiser,
        builder: &Builder,
    ) -> Self {
        let shape = [outputs, inputs, window.side, window.side];
        Convolution {
            weight: builder.parameter("weight", shape, first),
            bias: builder.parameter("bias", [outputs], Initialiser::Zeros),
            window,
        }
    }

    /// The map, and its linear part for a tangent.
    pub fn forward(&self, x: Dual<4>) -> Dual<4> {
        let map = |x, bias| conv2d(x, self.weight.val(), bias, self.window.options());
        x.affine(|x| map(x, Some(self.bias.val())), |x| map(x, None))
    }

    /// The same, noted down.
    pub fn trace(&self, x: Tensor<4>, path: &str, tape: &mut Tape) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let y = conv2d(x.clone(), weight.clone(), Some(bias.clone()), self.window.options());
        tape.note(Operation::convolution(path, weight, bias, self.window, x));
        y
    }
}

/// A transposed convolution, `[b, in, h, w]` to `[b, out, h·stride, w·stride]`.
#[derive(Module, Debug)]
pub struct TransposedConvolution {
    /// `[in, out, side, side]`.
    weight: Param<Tensor<4>>,
    /// `[out]`.
    bias: Param<Tensor<1>>,
    #[module(skip)]
    window: Window,
}

impl TransposedConvolution {
    /// A map of `[in, out]` channels. The bias starts at 0.
    pub(super) fn new(
        [inputs, outputs]: [usize; 2],
        window: Window,
        first: Initialiser,
        builder: &Builder,
    ) -> Self {
        let shape = [inputs, outputs, window.side, window.side];
        TransposedConvolution {
            weight: builder.parameter("weight", shape, first),
            bias: builder.parameter("bias", [outputs], Initialiser::Zeros),
            window,
        }
    }

    /// The map, and its linear part for a tangent.
    pub fn forward(&self, x: Dual<4>) -> Dual<4> {
        let map = |x, bias| conv_transpose2d(x, self.weight.val(), bias, self.window.transposed());
        x.affine(|x| map(x, Some(self.bias.val())), |x| map(x, None))
    }
}
