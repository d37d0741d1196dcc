use super::{leaky_relu, portable, rectifier_gate};
use crate::harness::{SIZES, differentiate, fast_equals_portable};

#[test]
fn rectifiers_equal_the_portable_definition() {
    for slope in [0.0, 0.1] {
        for size in SIZES.into_iter().chain([40_000]) {
            fast_equals_portable(
                &format!("leaky {slope} of {size}"),
                |t| leaky_relu(t.input("x", [size]), slope),
                |t| portable::leaky_relu(t.input("x", [size]), slope),
            );
            let signs: Vec<f64> = (0..size).map(|i| [1.0, -2.0, 0.0][i % 3]).collect();
            fast_equals_portable(
                &format!("gate {slope} of {size}"),
                |t| {
                    let signs = t.constant(signs.clone(), [size]);
                    rectifier_gate(t.input("x", [size]), signs, slope)
                },
                |t| {
                    let signs = t.constant(signs.clone(), [size]);
                    portable::gate(t.input("x", [size]), signs, slope)
                },
            );
        }
    }
}

#[test]
fn gradients_are_those_of_differences() {
    differentiate("leaky ReLU", |t| leaky_relu(t.input("x", [3, 7]), 0.2));
}
