use super::{
    ConvolutionWindow, image_convolution, image_convolution_weights, portable, transposed_image_convolution,
};
use crate::harness::{Inputs, differentiate, fast_equals_portable};

/// Windows with the sizes of images that they meet: with and without a frame, with pixels that no window reaches, one pixel, and larger than
/// the image.
fn cases() -> Vec<(ConvolutionWindow, [usize; 4], usize)> {
    let window = |side, stride, padding| ConvolutionWindow { side, stride, padding };
    vec![
        (window(1, 1, 0), [3, 4, 5, 2], 3),
        (window(3, 1, 1), [2, 5, 4, 3], 2),
        (window(4, 2, 1), [9, 8, 6, 2], 5),
        (window(3, 2, 0), [1, 8, 7, 1], 4),
        (window(5, 3, 2), [17, 7, 9, 2], 1),
        (window(3, 1, 1), [2, 1, 1, 4], 3),
        (window(3, 1, 1), [18, 6, 5, 2], 5),
        (window(5, 1, 2), [2, 3, 7, 33], 3),
        (window(3, 1, 1), [1, 4, 5, 4], 2),
        (window(3, 1, 1), [35, 3, 4, 3], 2),
        (window(4, 2, 1), [35, 4, 4, 2], 3),
        (window(4, 2, 1), [20, 16, 16, 16], 8),
    ]
}

#[test]
fn convolutions_equal_the_portable_definition() {
    for (window, shape @ [.., channels], out) in cases() {
        let operands = |t: &mut Inputs| {
            let x = t.input("x", shape);
            let weight = t.input("weight", [window.size() * channels, out]);
            (x, weight, t.input("bias", [out]))
        };
        fast_equals_portable(
            &format!("{window:?} {shape:?}"),
            |t| {
                let (x, weight, bias) = operands(t);
                image_convolution(x, weight, Some(bias), window)
            },
            |t| {
                let (x, weight, bias) = operands(t);
                portable::convolution(x, weight, Some(bias), window)
            },
        );
    }
}

#[test]
fn transposed_convolutions_equal_the_portable_definition() {
    for (window, [batch, height, width, channels], out) in cases() {
        let operands = |t: &mut Inputs| {
            let y = t.input("y", [batch, window.output(height), window.output(width), out]);
            let weight = t.input("weight", [window.size() * channels, out]);
            (y, weight, t.input("bias", [channels]))
        };
        fast_equals_portable(
            &format!("transposed {window:?}"),
            |t| {
                let (y, weight, bias) = operands(t);
                transposed_image_convolution(y, weight, Some(bias), window, [height, width])
            },
            |t| {
                let (y, weight, bias) = operands(t);
                portable::transposed(y, weight, Some(bias), window, [height, width])
            },
        );
    }
}

#[test]
fn weights_equal_the_portable_definition() {
    for (window, shape @ [batch, height, width, _], out) in cases() {
        let operands = |t: &mut Inputs| {
            let x = t.input("x", shape);
            (x, t.input("dy", [batch, window.output(height), window.output(width), out]))
        };
        fast_equals_portable(
            &format!("weights {window:?}"),
            |t| {
                let (x, dy) = operands(t);
                image_convolution_weights(x, dy, window)
            },
            |t| {
                let (x, dy) = operands(t);
                portable::weights(x, dy, window)
            },
        );
    }
}

#[test]
fn gradients_are_those_of_differences() {
    let window = ConvolutionWindow { side: 3, stride: 2, padding: 1 };
    differentiate("convolution without bias", |t| {
        let x = t.input("x", [2, 5, 4, 2]);
        image_convolution(x, t.input("weight", [18, 3]), None, window)
    });
    differentiate("transposed without bias", |t| {
        let y = t.input("y", [2, 3, 2, 3]);
        transposed_image_convolution(y, t.input("weight", [18, 3]), None, window, [5, 4])
    });
}
