use burn::tensor::{Device, Tensor};

use super::{Epilogue, Gate};
use crate::harness::{Inputs, PRECISIONS, assert_close, normals, numbers, same_bits, untracked};
use crate::{
    ConvolutionWindow, image_convolution_with, linear_with, portable, transposed_image_convolution_with,
};

/// With and without each part; the gate of other numbers has positive, negative and zero ones.
fn epilogues<const D: usize>(t: &Inputs, shape: [usize; D]) -> Vec<Epilogue<D>> {
    let size = shape.iter().product();
    let signs = normals("signs", size).into_iter().enumerate();
    let signs = signs.map(|(i, x)| if i % 5 == 0 { 0.0 } else { x }).collect();
    let bias = Some(t.constant(normals("bias", shape[D - 1]), [shape[D - 1]]));
    let shares = Some(t.constant(normals("shares", shape[0]), [shape[0]]));
    let of = Gate { rectified: Some(t.constant(signs, shape)), slope: 0.2 };
    let own = |slope| Some(Gate { rectified: None, slope });
    vec![
        Epilogue::default(),
        Epilogue { bias: bias.clone(), ..Epilogue::default() },
        Epilogue { bias: bias.clone(), shares: shares.clone(), gate: None },
        Epilogue::gate(own(0.1)),
        Epilogue::gate(Some(of.clone())),
        Epilogue { bias: bias.clone(), shares: None, gate: own(0.0) },
        Epilogue { bias, shares, gate: Some(of) },
    ]
}

/// A map with every epilogue beside the operations that define it, in both precisions and with one and two threads.
fn check<const D: usize>(
    name: &str,
    shape: [usize; D],
    map: impl Fn(&Inputs, Epilogue<D>) -> Tensor<D> + Sync,
) {
    for (precision, tolerance) in PRECISIONS {
        let t = untracked(precision);
        for (index, epilogue) in epilogues(&t, shape).into_iter().enumerate() {
            let name = format!("{name} {shape:?} epilogue {index} {precision:?}");
            let evaluate = |t: &Inputs| vec![("value".to_owned(), numbers(map(t, epilogue.clone())))];
            assert_close(&name, &evaluate(&t), &portable(|| evaluate(&t)), tolerance);
            same_bits(&name, || evaluate(&t));
        }
    }
}

#[test]
fn affine_maps_end_as_defined() {
    for (rows, width, out) in [(1, 3, 5), (7, 64, 65), (300, 17, 33), (1030, 2, 1)] {
        let x = move |t: &Inputs| t.constant(normals("x", rows * width), [rows, width]);
        check("linear", [rows, out], move |t, epilogue| {
            linear_with(x(t), t.constant(normals("weight", width * out), [width, out]), epilogue)
        });
        check("linear by a transposed view", [rows, out], move |t, epilogue| {
            let weight = t.constant(normals("weight", width * out), [out, width]);
            linear_with(x(t), weight.transpose(), epilogue)
        });
    }
}

#[test]
fn convolutions_end_as_defined() {
    let window = |side, stride, padding| ConvolutionWindow { side, stride, padding };
    // A window of one pixel, one that halves, and two that keep the size, with more channels on either side.
    for (window, [batch, height, width, channels], out) in [
        (window(1, 1, 0), [3, 4, 5, 2], 3),
        (window(4, 2, 1), [35, 8, 6, 3], 5),
        (window(3, 1, 1), [2, 5, 4, 3], 2),
        (window(3, 1, 1), [18, 4, 3, 2], 5),
    ] {
        let small = [height, width].map(|side| window.output(side));
        let weight = move |t: &Inputs| {
            let rows = window.size() * channels;
            t.constant(normals("weight", rows * out), [rows, out])
        };
        let image =
            |t: &Inputs, shape: [usize; 4]| t.constant(normals("image", shape.iter().product()), shape);
        let result = [batch, small[0], small[1], out];
        check("convolution", result, move |t, epilogue| {
            image_convolution_with(image(t, [batch, height, width, channels]), weight(t), window, epilogue)
        });
        check("transposed convolution", [batch, height, width, channels], move |t, epilogue| {
            let size = [height, width];
            transposed_image_convolution_with(image(t, result), weight(t), window, size, epilogue)
        });
    }
}

#[test]
#[should_panic(expected = "not tracked")]
fn tracked_tensors_are_refused() {
    let x = Tensor::<2>::ones([2, 3], &Device::flex().autodiff());
    linear_with(x.clone(), x.transpose(), Epilogue::default());
}

#[test]
#[should_panic(expected = "one share a sample")]
fn shares_belong_to_samples() {
    let x = Tensor::<2>::ones([2, 3], &Device::flex());
    let shares = Some(Tensor::ones([3], &Device::flex()));
    linear_with(x.clone(), x.transpose(), Epilogue { shares, ..Epilogue::default() });
}
