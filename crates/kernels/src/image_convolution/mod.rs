//! Convolutions of images with channels last, the map that goes the other way, and the gradient of their weights.
//!
//! With the window of an output pixel laid out as one row, `u(x)` `[b·oh·ow, side·side·in]`, all three are products:
//!
//! ```text
//! convolution   y  = u(x)·W + β               W  [side·side·in, out], its rows by window row, window column and channel
//! transposed    x̂  = uᵀ(y·Wᵀ) + β             the adjoint: sums of overlapping windows
//! weights       dW = u(x)ᵀ·y
//! ```
//!
//! Each is the gradient of another, so that the three are closed under differentiation. A sample is laid out, multiplied and forgotten while it is
//! in the cache. Source: Chellapilla, Puri and Simard, "High performance convolutional neural networks for document processing", 2006, section 3.

mod backend;
mod cpu;
mod portable;
#[cfg(test)]
mod tests;
mod window;

use burn::backend::{Dispatch, Flex};
use burn::tensor::Tensor;

use crate::cpu::{primitive, serves, serves_untracked};
use crate::epilogue::Epilogue;
use crate::operand::Operand;
use backend::ImageConvolutionBackend;

pub use window::ConvolutionWindow;

/// A convolution, images `[b, h, w, in]` to `[b, oh, ow, out]`.
///
/// `weight` is `[side·side·in, out]`, `bias` `[out]`.
///
/// # Panics
/// If the weight does not belong to the window and the channels.
pub fn image_convolution(
    x: Tensor<4>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    window: ConvolutionWindow,
) -> Tensor<4> {
    check_convolution(&x, &weight, window);
    if !serves(&x) {
        return portable::convolution(x, weight, bias, window);
    }
    Tensor::from_dispatch(Dispatch::fused_image_convolution(
        x.into_dispatch(),
        weight.into_dispatch(),
        Operand::new(bias),
        window,
    ))
}

/// [`image_convolution`] with an epilogue, `[b, oh, ow, out]`. Not tracked.
///
/// # Panics
/// As [`image_convolution`], if operands of the epilogue do not belong to the result, or if a tensor is tracked.
pub fn image_convolution_with(
    x: Tensor<4>,
    weight: Tensor<2>,
    window: ConvolutionWindow,
    epilogue: Epilogue<4>,
) -> Tensor<4> {
    check_convolution(&x, &weight, window);
    let [batch, height, width, _] = x.dims();
    epilogue.check([batch, window.output(height), window.output(width), weight.dims()[1]]);
    if !serves_untracked(&x) {
        return epilogue.apply(portable::convolution(x, weight, None, window));
    }
    let epilogue = epilogue.into_primitives();
    Tensor::from_primitive::<Flex>(cpu::convolution(&primitive(x), &primitive(weight), &epilogue, window))
}

/// The adjoint of a convolution with this weight, images `[b, oh, ow, out]` to `[b, h, w, in]`, where `size` is `[h, w]`.
///
/// `weight` is `[side·side·in, out]`, `bias` `[in]`.
///
/// # Panics
/// If a convolution of images of this size would give others than `y`.
pub fn transposed_image_convolution(
    y: Tensor<4>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    window: ConvolutionWindow,
    size: [usize; 2],
) -> Tensor<4> {
    check_transposed(&y, &weight, window, size);
    if !serves(&y) {
        return portable::transposed(y, weight, bias, window, size);
    }
    Tensor::from_dispatch(Dispatch::fused_transposed_image_convolution(
        y.into_dispatch(),
        weight.into_dispatch(),
        Operand::new(bias),
        window,
        size,
    ))
}

/// [`transposed_image_convolution`] with an epilogue, `[b, h, w, in]`. Not tracked.
///
/// # Panics
/// As [`transposed_image_convolution`], if operands of the epilogue do not belong to the result, or if a tensor is tracked.
pub fn transposed_image_convolution_with(
    y: Tensor<4>,
    weight: Tensor<2>,
    window: ConvolutionWindow,
    size: [usize; 2],
    epilogue: Epilogue<4>,
) -> Tensor<4> {
    check_transposed(&y, &weight, window, size);
    epilogue.check([y.dims()[0], size[0], size[1], weight.dims()[0] / window.size()]);
    if !serves_untracked(&y) {
        return epilogue.apply(portable::transposed(y, weight, None, window, size));
    }
    let epilogue = epilogue.into_primitives();
    let x = cpu::transposed(&primitive(y), &primitive(weight), &epilogue, window, size);
    Tensor::from_primitive::<Flex>(x)
}

/// The gradient of the weight of a convolution, `[side·side·in, out]`, from its input `[b, h, w, in]` and the gradient of its output
/// `[b, oh, ow, out]`.
///
/// # Panics
/// If the sizes do not belong together.
pub fn image_convolution_weights(x: Tensor<4>, dy: Tensor<4>, window: ConvolutionWindow) -> Tensor<2> {
    let ([_, height, width, _], [_, rows, columns, _]) = (x.dims(), dy.dims());
    let expected = [height, width].map(|side| window.output(side));
    assert_eq!([rows, columns], expected, "sizes of the gradient of a convolution");
    if !serves(&x) {
        return portable::weights(x, dy, window);
    }
    Tensor::from_dispatch(Dispatch::fused_image_convolution_weights(
        x.into_dispatch(),
        dy.into_dispatch(),
        window,
    ))
}

fn check_convolution(x: &Tensor<4>, weight: &Tensor<2>, window: ConvolutionWindow) {
    let ([rows, _], channels) = (weight.dims(), x.dims()[3]);
    assert_eq!(rows, window.size() * channels, "rows of the weight of a convolution of {channels} channels");
}

fn check_transposed(y: &Tensor<4>, weight: &Tensor<2>, window: ConvolutionWindow, size: [usize; 2]) {
    let [_, height, width, channels] = y.dims();
    assert_eq!(size.map(|side| window.output(side)), [height, width], "sizes of a transposed convolution");
    assert_eq!(weight.dims()[1], channels, "columns of the weight of a transposed convolution");
}
