use super::{gated_product, glu, portable};
use crate::Activation;
use crate::harness::{Inputs, SIZES, differentiate, fast_equals_portable};

const KINDS: [Activation; 5] =
    [Activation::Identity, Activation::Sigmoid, Activation::Silu, Activation::Gelu, Activation::SquaredRelu];

#[test]
fn gated_product_equals_the_portable_definition() {
    for kind in KINDS {
        // 300 rows of 100 make several blocks of work.
        for (rows, width) in SIZES.map(|width| (3, width)).into_iter().chain([(300, 100)]) {
            let operands = |t: &mut Inputs| (t.input("value", [rows, width]), t.input("gate", [rows, width]));
            fast_equals_portable(
                &format!("{kind:?} {rows} x {width}"),
                |t| {
                    let (value, gate) = operands(t);
                    gated_product(value, gate, kind)
                },
                |t| {
                    let (value, gate) = operands(t);
                    portable::gated_product(value, gate, kind)
                },
            );
        }
    }
}

#[test]
fn glu_equals_the_portable_definition() {
    for kind in KINDS {
        for (rows, half) in SIZES.map(|half| (3, half)).into_iter().chain([(300, 50)]) {
            fast_equals_portable(
                &format!("{kind:?} {rows} x 2·{half}"),
                |t| glu(t.input("x", [2, rows, 2 * half]), kind),
                |t| portable::glu(t.input("x", [2, rows, 2 * half]), kind),
            );
        }
    }
}

#[test]
fn slices_and_transposes_of_other_tensors() {
    fast_equals_portable(
        "slices",
        |t| {
            let both = t.input("both", [4, 5, 9]);
            gated_product(both.clone().narrow(2, 1, 3), both.narrow(2, 5, 3), Activation::Silu)
        },
        |t| {
            let both = t.input("both", [4, 5, 9]);
            portable::gated_product(both.clone().narrow(2, 1, 3), both.narrow(2, 5, 3), Activation::Silu)
        },
    );
    fast_equals_portable(
        "transposes",
        |t| glu(t.input("x", [6, 5]).transpose(), Activation::Silu),
        |t| portable::glu(t.input("x", [6, 5]).transpose(), Activation::Silu),
    );
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for kind in KINDS {
        differentiate(&format!("{kind:?}"), |t| glu(t.input("x", [3, 8]), kind));
    }
}
