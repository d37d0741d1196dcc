use super::{linear, linear_weights, portable};
use crate::Activation;
use crate::harness::{
    Inputs, PRECISIONS, SIZES, assert_close, differentiate, fast_equals_portable, normals, numbers,
    same_bits, untracked,
};
use burn::tensor::Tensor;

type Operands = (Tensor<3>, Tensor<2>, Option<Tensor<1>>);

fn operands(t: &mut Inputs, [batch, n, width, out]: [usize; 4], bias: bool) -> Operands {
    let x = t.input("x", [batch, n, width]);
    let weight = t.input("weight", [width, out]);
    (x, weight, bias.then(|| t.input("bias", [out])))
}

fn compare(sizes: [usize; 4], bias: bool, activation: Activation) {
    fast_equals_portable(
        &format!("{sizes:?} bias {bias} {activation:?}"),
        |t| {
            let (x, weight, bias) = operands(t, sizes, bias);
            linear(x, weight, bias, activation)
        },
        |t| {
            let (x, weight, bias) = operands(t, sizes, bias);
            portable::linear(x, weight, bias, activation)
        },
    );
}

#[test]
fn equals_the_portable_definition() {
    for size in SIZES {
        compare([2, 3, size, 5], true, Activation::Gelu);
        compare([2, 3, 5, size], true, Activation::Identity);
        compare([1, size, 7, 4], false, Activation::Silu);
    }
}

#[test]
fn many_blocks_of_rows() {
    compare([5, 113, 9, 20], true, Activation::SquaredRelu);
    compare([5, 113, 9, 20], false, Activation::Identity);
    // Seventeen blocks, two to a part with a sum of its own, the last part of one row.
    compare([1, 1025, 2, 4096], true, Activation::Relu);
    // A weight whose gradient is one product.
    compare([1, 200, 300, 257], true, Activation::Relu);
}

#[test]
fn transposed_weights_and_sliced_inputs() {
    fast_equals_portable(
        "views",
        |t| {
            let (x, weight) = (t.input("x", [3, 4, 9]), t.input("weight", [6, 5]));
            linear(x.narrow(2, 2, 5), weight.transpose(), None, Activation::Tanh)
        },
        |t| {
            let (x, weight) = (t.input("x", [3, 4, 9]), t.input("weight", [6, 5]));
            portable::linear(x.narrow(2, 2, 5), weight.transpose(), None, Activation::Tanh)
        },
    );
}

#[test]
fn gradients_are_those_of_finite_differences() {
    differentiate("linear", |t| {
        let (x, weight, bias) = operands(t, [2, 3, 6, 5], true);
        linear(x, weight, bias, Activation::GeluTanh)
    });
}

/// A frozen weight gets no gradient and costs none; the others stay the same.
#[test]
fn untracked_operands() {
    let fixed = |t: &Inputs| t.constant(crate::harness::normals("fixed", 20), [4, 5]);
    fast_equals_portable(
        "frozen weight",
        |t| linear(t.input("x", [3, 4]), fixed(t), Some(t.input("bias", [5])), Activation::Gelu),
        |t| portable::linear(t.input("x", [3, 4]), fixed(t), Some(t.input("bias", [5])), Activation::Gelu),
    );
    fast_equals_portable(
        "frozen input",
        |t| linear(fixed(t), t.input("weight", [5, 7]), None, Activation::Gelu),
        |t| portable::linear(fixed(t), t.input("weight", [5, 7]), None, Activation::Gelu),
    );
}

#[test]
fn weights_equal_the_portable_definition() {
    for [rows, width, out] in [[1, 3, 5], [70, 2, 65], [300, 130, 257]] {
        for (precision, tolerance) in PRECISIONS {
            let t = untracked(precision);
            let x = t.constant(normals("x", (rows + 2) * width), [rows + 2, width]).narrow(0, 1, rows);
            let dy = t.constant(normals("dy", rows * out), [rows, out]);
            let name = format!("weights {rows} x {width} x {out} {precision:?}");
            let weights = || vec![("weights".to_owned(), numbers(linear_weights(x.clone(), dy.clone())))];
            assert_close(&name, &weights(), &crate::portable(weights), tolerance);
            same_bits(&name, weights);
        }
    }
}
