use burn::tensor::Tensor;
use proptest::prelude::*;

use super::{ScoreOptions, ScoreWeight, portable, score_attention};
use crate::harness::{Inputs, SIZES, differentiate, fast_equals_portable, numbers};
use crate::mask::{Geometry, Mask};
use crate::tiled::cases::{assert_causal, assert_near, disturbed, double, dropout, masks, normal};

const LAPLACE: ScoreWeight =
    ScoreWeight::Laplace { mean: std::f64::consts::FRAC_1_SQRT_2, deviation: 0.282_094_791_773_878_1 };

fn options(weight: ScoreWeight, causal: bool, mask: Mask) -> ScoreOptions {
    ScoreOptions { weight, scale: 0.3, causal, mask, dropout: None }
}

type Operation = fn(Tensor<3>, Tensor<3>, Tensor<3>, Option<Tensor<1>>, ScoreOptions) -> Tensor<3>;

/// Batch, queries, keys, width, value width.
type Shape = [usize; 5];

fn run(
    t: &mut Inputs,
    shape: Shape,
    biased: bool,
    options: &ScoreOptions,
    operation: Operation,
) -> Tensor<3> {
    let [b, n, m, s, e] = shape;
    let [q, k, v] = [t.input("q", [b, n, s]), t.input("k", [b, m, s]), t.input("v", [b, m, e])];
    let bias = biased.then(|| t.input("bias", [n + m - 1]));
    operation(q, k, v, bias, options.clone())
}

fn check(name: &str, shape: Shape, biased: bool, options: &ScoreOptions) {
    let name = format!("{name} {shape:?} {:?} causal {}", options.weight, options.causal);
    fast_equals_portable(
        &name,
        |t| run(t, shape, biased, options, score_attention),
        |t| run(t, shape, biased, options, portable::score_attention),
    );
}

#[test]
fn kernel_equals_definition_at_odd_sizes_under_every_mask() {
    for n in SIZES {
        for (i, (name, mask)) in masks(3, n).into_iter().enumerate() {
            for causal in [false, true] {
                check(name, [3, n, n, 5, 7], true, &options(ScoreWeight::SquaredRelu, causal, mask.clone()));
                check(name, [3, n, n, 5, 7], i % 2 == 0, &options(LAPLACE, causal, mask.clone()));
            }
        }
    }
}

#[test]
fn kernel_equals_definition_with_offset_queries_and_dropout() {
    for (n, m) in [(1, 2), (1, 100), (3, 64), (65, 100)] {
        for (name, mask) in masks(3, m) {
            for (causal, weight) in [(false, ScoreWeight::SquaredRelu), (true, LAPLACE)] {
                let options =
                    ScoreOptions { dropout: Some(dropout(3)), ..options(weight, causal, mask.clone()) };
                check(name, [3, n, m, 4, 9], true, &options);
            }
        }
    }
}

#[test]
fn kernel_equals_definition_across_key_tiles() {
    for (name, mask) in masks(1, 700) {
        check(name, [1, 700, 700, 8, 6], true, &options(ScoreWeight::SquaredRelu, true, mask));
    }
}

#[test]
fn definition_equals_loops() {
    for (name, mask) in masks(3, 9) {
        for (causal, weight) in [(false, LAPLACE), (true, ScoreWeight::SquaredRelu)] {
            let options = ScoreOptions { dropout: Some(dropout(3)), ..options(weight, causal, mask.clone()) };
            let [q, k, v] = [normal("q", [3, 6, 5]), normal("k", [3, 9, 5]), normal("v", [3, 9, 2])];
            let bias = normal("bias", [14]);
            let expected = double(loops(&q, &k, &v, &bias, &options), [3, 6, 2]);
            assert_near(name, portable::score_attention(q, k, v, Some(bias), options), expected, 1e-13);
        }
    }
}

fn loops(q: &Tensor<3>, k: &Tensor<3>, v: &Tensor<3>, bias: &Tensor<1>, options: &ScoreOptions) -> Vec<f64> {
    let ([batch, n, s], [_, m, e]) = (q.dims(), v.dims());
    let geometry = Geometry { batch, queries: n, keys: m, causal: options.causal };
    let [q, k, v] = [q, k, v].map(|x| numbers(x.clone()));
    let bias = numbers(bias.clone());
    let mut out = Vec::new();
    for (b, i) in (0..batch * n).map(|row| (row / n, row % n)) {
        let weight = |j: usize| {
            let product: f64 = (0..s).map(|c| q[(b * n + i) * s + c] * k[(b * m + j) * s + c]).sum();
            let score = options.scale * product + bias[j + n - 1 - i];
            let weight = match options.weight {
                ScoreWeight::SquaredRelu => score.max(0.0).powi(2),
                ScoreWeight::Laplace { mean, deviation } => {
                    0.5 * (1.0 + libm::erf((score - mean) / (deviation * 2f64.sqrt())))
                }
            };
            weight * options.dropout.as_ref().map_or(1.0, |x| x.score_factor(b, 0, m - n + i, j))
        };
        let visible: Vec<usize> = (0..m).filter(|&j| options.mask.visible(&geometry, b, i, j)).collect();
        out.extend((0..e).map(|c| visible.iter().map(|&j| weight(j) * v[(b * m + j) * e + c]).sum::<f64>()));
    }
    out
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let (_, mask) = masks(2, 7).swap_remove(4);
    for weight in [ScoreWeight::SquaredRelu, LAPLACE] {
        let options = ScoreOptions { dropout: Some(dropout(2)), ..options(weight, true, mask.clone()) };
        differentiate("score attention", |t| run(t, [2, 5, 7, 3, 2], true, &options, score_attention));
    }
}

#[test]
fn hidden_weights_are_zero_even_where_the_function_of_zero_is_not() {
    let mask = Mask { padding: Some([true, false, false].into()), segments: None };
    let zeros = || double(vec![0.0; 3], [1, 3, 1]);
    let v = double(vec![1.0, 10.0, 100.0], [1, 3, 1]);
    let out = score_attention(zeros(), zeros(), v, None, options(LAPLACE, false, mask));
    // Φ(−sqrt(1/2) / sqrt(1/(4π))) = Φ(−sqrt(2π)), of the first value alone.
    let weight = 0.5 * (1.0 - libm::erf(std::f64::consts::PI.sqrt()));
    assert_near("weight of a zero score", out, double(vec![weight; 3], [1, 3, 1]), 1e-14);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_query_sees_a_later_key(n in 2usize..150, at in 0.0..1.0, laplace: bool) {
        let position = 1 + (at * (n - 1) as f64) as usize;
        let weight = if laplace { LAPLACE } else { ScoreWeight::SquaredRelu };
        assert_causal("score", position, |change| {
            let [q, k, v] = [normal("q", [1, n, 4]), normal("k", [1, n, 4]), normal("v", [1, n, 2])];
            let (k, v) = if change { (disturbed(k, position), disturbed(v, position)) } else { (k, v) };
            let bias = normal("bias", [2 * n - 1]);
            score_attention(q, k, v, Some(bias), options(weight, true, Mask::default()))
        });
    }

    /// The prefix property, padding and documents at once: each document of a padded batch is as if alone.
    #[test]
    fn documents_are_as_if_alone(first in 1usize..90, second in 1usize..90, extra in 0usize..9, causal: bool) {
        let n = first + second + extra;
        let mask = Mask {
            padding: Some((0..n).map(|j| j < first + second).collect()),
            segments: Some((0..n).map(|j| u32::from(j >= first)).collect()),
        };
        let [q, k, v] = [normal("q", [1, n, 4]), normal("k", [1, n, 4]), normal("v", [1, n, 2])];
        let bias = normal("bias", [2 * n - 1]);
        let options = |mask| options(LAPLACE, causal, mask);
        let packed = score_attention(q.clone(), k.clone(), v.clone(), Some(bias.clone()), options(mask));
        for (start, length) in [(0, first), (first, second)] {
            let [q, k, v] = [&q, &k, &v].map(|x| x.clone().narrow(1, start, length));
            let bias = bias.clone().narrow(0, n - length, 2 * length - 1);
            let alone = score_attention(q, k, v, Some(bias), options(Mask::default()));
            assert_near("document", packed.clone().narrow(1, start, length), alone, 1e-13);
        }
    }
}
