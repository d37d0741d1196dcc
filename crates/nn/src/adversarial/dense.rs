//! An affine map of a whole sample, `y = x·W + b`, whatever its shape.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, linear, linear_with};

use super::affine::traced_end;
use super::tape::{Operation, Tape};
use crate::dual::Dual;
use crate::{Builder, Initialiser};

/// `y = x·W + b` from all numbers of a sample to `[b, h, w, c]`.
#[derive(Module, Debug)]
pub struct Dense {
    /// `[in, out]`.
    weight: Param<Tensor<2>>,
    /// `[out]`.
    bias: Param<Tensor<1>>,
    #[module(skip)]
    shape: [usize; 3],
}

impl Dense {
    /// A map from `inputs` numbers to `shape`: height, width and channels. The bias starts at 0.
    pub fn new(inputs: usize, shape: [usize; 3], first: Initialiser, builder: &Builder) -> Self {
        let outputs = shape.iter().product();
        Dense {
            weight: builder.parameter("weight", [inputs, outputs], first),
            bias: builder.parameter("bias", [outputs], Initialiser::Zeros),
            shape,
        }
    }

    /// Samples `[b, ..]` to `[b, h, w, c]`.
    pub fn forward(&self, x: Dual<4>) -> Dual<4> {
        let map = |x: Tensor<4>, bias: Option<Tensor<1>>| {
            let y = linear(flat(x), self.weight.val(), bias, Activation::Identity);
            self.shaped(y)
        };
        x.affine(|x| map(x, Some(self.bias.val())), |x| map(x, None))
    }

    /// max(x·W + b, 0) in one operation.
    pub fn rectified(&self, x: Tensor<4>) -> Tensor<4> {
        self.shaped(linear(flat(x), self.weight.val(), Some(self.bias.val()), Activation::Relu))
    }

    /// The same, noted down, and followed by a rectifier of this slope.
    pub fn trace(&self, x: Tensor<4>, path: &str, slope: Option<f64>, tape: &mut Tape) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let input = flat(x.clone());
        let y = self.shaped(linear_with(input.clone(), weight.clone(), traced_end(&bias, slope)));
        tape.note(Operation::dense(path, weight, bias, input, [x.dims(), y.dims()]));
        tape.note_rectifier(&y, slope);
        y
    }

    fn shaped(&self, y: Tensor<2>) -> Tensor<4> {
        let [h, w, c] = self.shape;
        let batch = y.dims()[0];
        y.reshape([batch, h, w, c])
    }
}

/// `[b, h, w, c]` as `[b, h·w·c]`.
pub(super) fn flat(x: Tensor<4>) -> Tensor<2> {
    let [b, h, w, c] = x.dims();
    x.reshape([b, h * w * c])
}
