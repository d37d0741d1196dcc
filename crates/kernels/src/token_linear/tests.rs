use std::sync::Arc;

use burn::tensor::Tensor;
use proptest::prelude::*;

use super::masked::TILE;
use super::{TokenOptions, portable, token_linear};
use crate::Activation;
use crate::harness::{Inputs, SIZES, differentiate, evaluate, fast_equals_portable, numbers};
use crate::tiled::cases::{assert_causal, assert_near, disturbed, double, masks, normal};
use mixlab_core::Precision;

fn options(activation: Activation, causal: bool, segments: Option<Arc<[u32]>>) -> TokenOptions {
    TokenOptions { activation, causal, segments }
}

/// The ids of documents whose lengths differ from row to row.
fn documents(batch: usize, n: usize) -> Option<Arc<[u32]>> {
    masks(batch, n).swap_remove(3).1.segments
}

/// Batch, input tokens, output tokens, channels.
type Shape = [usize; 4];
type Operands = (Tensor<3>, Tensor<2>, Option<Tensor<1>>);

fn operands(t: &mut Inputs, [batch, n, m, channels]: Shape, bias: bool) -> Operands {
    let x = t.input("x", [batch, n, channels]);
    let weight = t.input("weight", [m, n]);
    (x, weight, bias.then(|| t.input("bias", [m])))
}

fn compare(shape: Shape, bias: bool, options: &TokenOptions) {
    let TokenOptions { activation, causal, segments } = options;
    let documents = segments.is_some();
    fast_equals_portable(
        &format!("{shape:?} bias {bias} {activation:?} causal {causal} documents {documents}"),
        |t| {
            let (x, weight, bias) = operands(t, shape, bias);
            token_linear(x, weight, bias, options.clone())
        },
        |t| {
            let (x, weight, bias) = operands(t, shape, bias);
            portable::token_linear(x, weight, bias, options.clone())
        },
    );
}

#[test]
fn equals_the_portable_definition() {
    for size in SIZES {
        compare([2, size, 5, 3], true, &options(Activation::Gelu, false, None));
        compare([3, 5, size, 7], true, &options(Activation::Identity, false, None));
        compare([1, 7, 4, size], false, &options(Activation::Silu, false, None));
        for causal in [false, true] {
            compare([3, size, size, 5], true, &options(Activation::Tanh, causal, None));
            compare([3, size, size, 4], false, &options(Activation::Identity, causal, documents(3, size)));
            compare([1, size, size, 6], true, &options(Activation::Gelu, causal, documents(1, size)));
        }
    }
}

/// Several pieces a sample, several stripes of the weight's gradient, products that are cut into tiles.
#[test]
fn large_sizes() {
    let plain = |activation| options(activation, false, None);
    compare([1, 150, 49, 160], true, &plain(Activation::Gelu));
    compare([5, 130, 600, 3], true, &plain(Activation::SquaredRelu));
    compare([2, 40, 333, 900], false, &plain(Activation::Identity));
    for causal in [false, true] {
        compare([2, 700, 700, 9], true, &options(Activation::Identity, causal, None));
        compare([3, 400, 400, 5], true, &options(Activation::Silu, causal, documents(3, 400)));
    }
}

#[test]
fn weights_and_inputs_that_are_views() {
    type Operation = fn(Tensor<3>, Tensor<2>, Option<Tensor<1>>, TokenOptions) -> Tensor<3>;
    for causal in [false, true] {
        let run = |t: &mut Inputs, operation: Operation| {
            let (x, weight) = (t.input("x", [3, 70, 9]), t.input("weight", [90, 80]));
            let weight = weight.narrow(0, 3, 70).narrow(1, 5, 70);
            let options = options(Activation::Tanh, causal, None);
            let once = operation(x.clone().narrow(2, 2, 5), weight.clone(), None, options.clone());
            let turned = operation(x.narrow(2, 1, 5), weight.transpose(), None, options);
            once + turned
        };
        fast_equals_portable(
            &format!("views, causal {causal}"),
            |t| run(t, token_linear),
            |t| run(t, portable::token_linear),
        );
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for (causal, segments) in [(false, None), (true, None), (true, documents(2, 6))] {
        let options = options(Activation::GeluTanh, causal, segments);
        differentiate("map over tokens", |t| {
            let (x, weight, bias) = operands(t, [2, 6, 6, 3], true);
            token_linear(x, weight, bias, options.clone())
        });
    }
    differentiate("map to more tokens", |t| {
        let (x, weight, bias) = operands(t, [2, 4, 7, 3], true);
        token_linear(x, weight, bias, options(Activation::Gelu, false, None))
    });
}

#[test]
fn definition_equals_loops() {
    let (batch, n, channels) = (3, 9, 4);
    for causal in [false, true] {
        for segments in [None, documents(batch, n)] {
            let [x, weight, bias] = [("x", batch * n * channels), ("weight", n * n), ("bias", n)]
                .map(|(name, length)| numbers(normal(name, [length])));
            let sees = |b: usize, i: usize, j: usize| {
                (!causal || j <= i) && segments.as_ref().is_none_or(|ids| ids[b * n + i] == ids[b * n + j])
            };
            let element = |b: usize, i: usize, c: usize| {
                let seen = (0..n).filter(|&j| sees(b, i, j));
                let sum: f64 = seen.map(|j| weight[i * n + j] * x[(b * n + j) * channels + c]).sum();
                (sum + bias[i]).max(0.0)
            };
            let expected = (0..batch * n * channels)
                .map(|at| element(at / channels / n, at / channels % n, at % channels))
                .collect();
            let actual = portable::token_linear(
                double(x.clone(), [batch, n, channels]),
                double(weight.clone(), [n, n]),
                Some(double(bias.clone(), [n])),
                options(Activation::Relu, causal, segments.clone()),
            );
            assert_near("loops", actual, double(expected, [batch, n, channels]), 1e-13);
        }
    }
}

/// A frozen weight gets no gradient and costs none; the others stay the same.
#[test]
fn untracked_operands() {
    let plain = || options(Activation::Gelu, false, None);
    let fixed = |t: &Inputs| t.constant(crate::harness::normals("fixed", 20), [4, 5]);
    fast_equals_portable(
        "frozen weight",
        |t| token_linear(t.input("x", [2, 5, 3]), fixed(t), Some(t.input("bias", [4])), plain()),
        |t| portable::token_linear(t.input("x", [2, 5, 3]), fixed(t), Some(t.input("bias", [4])), plain()),
    );
    fast_equals_portable(
        "frozen input",
        |t| token_linear(fixed(t).unsqueeze(), t.input("weight", [7, 4]), None, plain()),
        |t| portable::token_linear(fixed(t).unsqueeze(), t.input("weight", [7, 4]), None, plain()),
    );
}

/// What lies above the diagonal is neither read nor multiplied, except in the tiles on it: what is not a number would
/// show in every product that meets it, with a factor of zero too.
#[test]
fn a_causal_map_leaves_out_the_tiles_above_the_diagonal() {
    let n = 300;
    let holes = |t: &Inputs, hole: &dyn Fn(usize) -> bool| {
        t.constant((0..n).map(|i| if hole(i) { f64::NAN } else { 1.0 }).collect(), [1, n, 1])
    };
    let run = |t: &mut Inputs, input: &dyn Fn(usize) -> bool, output: &dyn Fn(usize) -> bool| {
        let (x, weight) = (t.input("x", [1, n, 3]) * holes(t, input), t.input("weight", [n, n]));
        token_linear(x, weight, None, options(Activation::Identity, true, None)) * holes(t, output)
    };
    let finite = |x: &[f64]| x.iter().all(|x| x.is_finite());
    for from in [TILE, 2 * TILE, 4 * TILE] {
        // Later tokens do not reach earlier ones, nor the gradient of their weights.
        let results = evaluate(Precision::F64, |t| run(t, &|i| i >= from, &|_| false));
        assert!(finite(&results[0].1[..from * 3]), "values before {from}");
        assert!(finite(&results[2].1[..from * n]), "gradient of the weight before {from}");
        // Nor do the gradients of earlier tokens reach later ones.
        let results = evaluate(Precision::F64, |t| run(t, &|_| false, &|i| i < from));
        assert!(finite(&results[1].1[from * 3..]), "gradient of the input from {from}");
        assert!(finite(&results[2].1[from * n..]), "gradient of the weight from {from}");
    }
}

#[test]
fn weights_above_the_diagonal_are_not_read() {
    let n = 100;
    let results = evaluate(Precision::F64, |t| {
        let above = |at: usize| if at % n > at / n { f64::NAN } else { 0.0 };
        let above = t.constant((0..n * n).map(above).collect(), [n, n]);
        let (x, weight) = (t.input("x", [1, n, 3]), t.input("weight", [n, n]) + above);
        token_linear(x, weight, None, options(Activation::Identity, true, None))
    });
    assert!(results.iter().all(|(_, values)| values.iter().all(|x| x.is_finite())));
    let upper = |&(at, _): &(usize, &f64)| at % n > at / n;
    assert!(results[2].1.iter().enumerate().filter(upper).all(|(_, &x)| x == 0.0));
}

/// The unit of gMLP starts as the identity gate: W = 0 and b = 1.
#[test]
fn a_zero_weight_leaves_the_bias() {
    let y = token_linear(
        normal("x", [2, 5, 3]),
        normal("weight", [5, 5]).mul_scalar(0.0),
        Some(double(vec![1.0; 5], [5])),
        options(Activation::Identity, true, None),
    );
    assert_eq!(numbers(y), vec![1.0; 30]);
}

#[test]
#[should_panic(expected = "is square, not 3 x 4")]
fn a_causal_map_is_square() {
    token_linear(
        normal("x", [1, 4, 2]),
        normal("weight", [3, 4]),
        None,
        options(Activation::Identity, true, None),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_token_sees_a_later_one(n in 2usize..200, at in 0.0..1.0) {
        let position = 1 + (at * (n - 1) as f64) as usize;
        assert_causal("map over tokens", position, |change| {
            let x = normal("x", [2, n, 3]);
            let x = if change { disturbed(x, position) } else { x };
            token_linear(x, normal("weight", [n, n]), None, options(Activation::Tanh, true, None))
        });
    }

    /// Each document is mapped by its own square of the weight, as if alone.
    #[test]
    fn documents_are_as_if_alone(first in 1usize..90, second in 1usize..90, causal: bool) {
        let n = first + second;
        let ids = (0..n).map(|j| u32::from(j < first)).collect();
        let (x, weight) = (normal("x", [1, n, 4]), normal("weight", [n, n]));
        let options = |segments| options(Activation::Identity, causal, segments);
        let packed = token_linear(x.clone(), weight.clone(), None, options(Some(ids)));
        for (start, length) in [(0, first), (first, second)] {
            let square = weight.clone().narrow(0, start, length).narrow(1, start, length);
            let alone = token_linear(x.clone().narrow(1, start, length), square, None, options(None));
            assert_near("document", packed.clone().narrow(1, start, length), alone, 1e-12);
        }
    }
}
