use super::{portable, softmax};
use crate::harness::{Inputs, SIZES, differentiate, fast_equals_portable, numbers};
use crate::tiled::cases::{assert_near, double, normal};
use burn::tensor::{Device, Tensor};

/// Rows of which every third number is hidden, the second row whole.
fn partly_hidden(t: &mut Inputs, rows: usize, width: usize) -> Tensor<2> {
    let hidden = |i: usize| i / width == 1 || i * 7 % 3 == 1;
    let mask = (0..rows * width).map(|i| if hidden(i) { f64::NEG_INFINITY } else { 0.0 }).collect();
    t.input("x", [rows, width]) + t.constant(mask, [rows, width])
}

#[test]
fn equals_the_portable_definition() {
    // The last shapes make several blocks of work, of short rows and of rows of several groups.
    let sizes = SIZES.map(|width| (6, width)).into_iter();
    for (rows, width) in sizes.chain([(6, 31), (6, 32), (6, 33), (5000, 7), (20, 3000)]) {
        let name = format!("{rows} x {width}");
        fast_equals_portable(
            &name,
            |t| softmax(t.input("x", [2, rows, width]).mul_scalar(3.0)),
            |t| portable::softmax(t.input("x", [2, rows, width]).mul_scalar(3.0)),
        );
        fast_equals_portable(
            &format!("{name}, partly hidden"),
            |t| softmax(partly_hidden(t, rows, width)),
            |t| portable::softmax(partly_hidden(t, rows, width)),
        );
    }
}

#[test]
fn transposes_and_slices_of_other_tensors() {
    fast_equals_portable(
        "views",
        |t| softmax(t.input("x", [4, 9, 5]).swap_dims(0, 2).narrow(1, 2, 6)),
        |t| portable::softmax(t.input("x", [4, 9, 5]).swap_dims(0, 2).narrow(1, 2, 6)),
    );
}

#[test]
fn definition_equals_loops() {
    let x = normal("x", [5, 7]);
    let rows = numbers(x.clone());
    let mut expected = Vec::new();
    for row in rows.chunks_exact(7) {
        let sum: f64 = row.iter().map(|x| x.exp()).sum();
        expected.extend(row.iter().map(|x| x.exp() / sum));
    }
    assert_near("loops", portable::softmax(x), double(expected, [5, 7]), 1e-14);
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for width in [5, 40] {
        differentiate("softmax", |t| softmax(t.input("x", [3, width])));
        differentiate("softmax, partly hidden", |t| softmax(partly_hidden(t, 3, width)));
    }
}

#[test]
fn hidden_entries_give_zero_and_hidden_rows_zeros() {
    const HIDDEN: f32 = f32::NEG_INFINITY;
    let x = [[HIDDEN, 0.0, HIDDEN, 0.0], [HIDDEN; 4], [1e30, HIDDEN, -1e30, 1e30]];
    let expected = [0.0, 0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.5];
    assert_eq!(numbers(softmax(Tensor::<2>::from_floats(x, &Device::flex()))), expected);
    assert_eq!(numbers(portable::softmax(Tensor::<2>::from_floats(x, &Device::flex()))), expected);
}

#[test]
fn what_is_not_a_number_is_not_hidden() {
    for width in [3, 50] {
        let mut values = vec![f64::NEG_INFINITY; 2 * width];
        (values[1], values[width]) = (f64::NAN, 0.0);
        let y = numbers(softmax(double(values, [2, width])));
        assert!(y[..width].iter().any(|y| y.is_nan()), "a row of {width}");
        assert_eq!(y[width], 1.0, "the next row of {width}");
    }
}
