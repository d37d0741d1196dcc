use burn::tensor::Tensor;

use super::{affine_rotary, portable};
use crate::harness::{Inputs, SIZES, differentiate, fast_equals_portable};
use crate::{Positions, RotaryLayout, RotaryOptions};

type Function =
    fn(Tensor<3>, Tensor<2>, Option<Tensor<2>>, usize, Option<RotaryOptions>, Positions) -> Tensor<3>;

fn options(width: usize) -> [Option<RotaryOptions>; 3] {
    let of = |layout, width| Some(RotaryOptions { layout, width, base: 10_000.0 });
    let even = width / 2 * 2;
    [None, of(RotaryLayout::SplitHalf, even), of(RotaryLayout::Interleaved, even / 4 * 2)]
}

/// Head 1 of 3 in a graph that also uses head 2, so that the gradients of both rows are seen.
fn two_heads(
    t: &mut Inputs,
    function: Function,
    shape: [usize; 3],
    with_beta: bool,
    rotary: Option<RotaryOptions>,
) -> Tensor<3> {
    let (x, gamma) = (t.input("x", shape), t.input("gamma", [3, shape[2]]));
    let beta = with_beta.then(|| t.input("beta", [3, shape[2]]));
    let first = function(x.clone(), gamma.clone(), beta.clone(), 1, rotary, 5.into());
    first + function(x, gamma, beta, 2, None, 5.into()) * 0.5
}

#[test]
fn equals_the_portable_definition() {
    // The last makes several blocks of work.
    let shapes = SIZES.map(|n| [2, n, 6]).into_iter().chain(SIZES.map(|width| [2, 3, width]));
    for shape in shapes.chain([[2, 300, 65]]) {
        for rotary in options(shape[2]) {
            for with_beta in [true, false] {
                fast_equals_portable(
                    &format!("{shape:?} {rotary:?} offsets {with_beta}"),
                    |t| two_heads(t, affine_rotary, shape, with_beta, rotary),
                    |t| two_heads(t, portable::affine_rotary, shape, with_beta, rotary),
                );
            }
        }
    }
}

#[test]
fn slices_of_a_wider_tensor() {
    let slice = |t: &mut Inputs, function: Function| {
        let x = t.input("x", [2, 7, 10]).narrow(2, 3, 6);
        function(x, t.input("gamma", [1, 6]), None, 0, options(6)[1], Positions { start: 0, gap: 4 })
    };
    fast_equals_portable("slices", |t| slice(t, affine_rotary), |t| slice(t, portable::affine_rotary));
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for rotary in options(8) {
        differentiate(&format!("{rotary:?}"), |t| two_heads(t, affine_rotary, [2, 3, 8], true, rotary));
    }
}
