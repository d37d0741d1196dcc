use burn::tensor::Tensor;
use proptest::prelude::*;

use super::{SoftmaxOptions, portable, softmax_attention};
use crate::harness::{Inputs, SIZES, differentiate, fast_equals_portable, numbers};
use crate::mask::{Geometry, Mask};
use crate::tiled::cases::{assert_causal, assert_near, disturbed, double, dropout, masks, normal};

fn options(causal: bool, mask: Mask) -> SoftmaxOptions {
    SoftmaxOptions { scale: 0.4, causal, mask, dropout: None }
}

/// batch, queries, keys, heads, groups, width, value width
type Shape = [usize; 7];

fn operands(t: &mut Inputs, [b, n, m, h, g, d, dv]: Shape) -> [Tensor<4>; 3] {
    [t.input("q", [b, n, h, d]), t.input("k", [b, m, g, d]), t.input("v", [b, m, g, dv])]
}

fn check(name: &str, shape: Shape, options: &SoftmaxOptions) {
    let name = format!("{name} {shape:?} causal {}", options.causal);
    let run = |t: &mut Inputs, f: fn(Tensor<4>, Tensor<4>, Tensor<4>, SoftmaxOptions) -> Tensor<4>| {
        let [q, k, v] = operands(t, shape);
        f(q, k, v, options.clone())
    };
    fast_equals_portable(&name, |t| run(t, softmax_attention), |t| run(t, portable::softmax_attention));
}

#[test]
fn kernel_equals_definition_at_odd_sizes_under_every_mask() {
    for n in SIZES {
        for (name, mask) in masks(3, n) {
            for causal in [false, true] {
                check(name, [3, n, n, 2, 1, 5, 3], &options(causal, mask.clone()));
            }
        }
    }
}

#[test]
fn kernel_equals_definition_with_offset_queries_groups_and_dropout() {
    for (n, m) in [(1, 5), (1, 100), (3, 64), (65, 100)] {
        for (name, mask) in masks(3, m) {
            for causal in [false, true] {
                let options = SoftmaxOptions { dropout: Some(dropout(3)), ..options(causal, mask.clone()) };
                check(name, [3, n, m, 6, 2, 4, 9], &options);
            }
        }
    }
}

/// Attention to another sequence, which may be shorter.
#[test]
fn kernel_equals_definition_with_more_queries_than_keys() {
    for (n, m) in [(10, 9), (100, 13), (65, 64), (300, 130)] {
        for (name, mask) in masks(3, m).into_iter().filter(|(_, mask)| mask.segments.is_none()) {
            for dropout in [None, Some(dropout(3))] {
                check(
                    name,
                    [3, n, m, 4, 2, 4, 5],
                    &SoftmaxOptions { dropout, ..options(false, mask.clone()) },
                );
            }
        }
    }
}

#[test]
#[should_panic(expected = "3 queries stand at the last of 2 key positions")]
fn causal_queries_do_not_outnumber_keys() {
    let [q, k, v] = [normal("q", [1, 3, 1, 2]), normal("k", [1, 2, 1, 2]), normal("v", [1, 2, 1, 2])];
    softmax_attention(q, k, v, options(true, Mask::default()));
}

#[test]
fn kernel_equals_definition_across_key_tiles() {
    for (name, mask) in masks(1, 700) {
        check(name, [1, 700, 700, 2, 1, 8, 6], &options(true, mask.clone()));
        let options = SoftmaxOptions { dropout: Some(dropout(1)), ..options(false, mask) };
        check(name, [1, 130, 700, 1, 1, 8, 6], &options);
    }
}

#[test]
fn operands_may_be_slices_of_one_projection() {
    let run = |t: &mut Inputs, f: fn(Tensor<4>, Tensor<4>, Tensor<4>, SoftmaxOptions) -> Tensor<4>| {
        let projection = t.input("projection", [2, 70, 3 * 8]);
        let [q, k, v] = [0, 8, 16].map(|start| projection.clone().narrow(2, start, 8).reshape([2, 70, 2, 4]));
        f(q, k, v.swap_dims(2, 3).swap_dims(2, 3), options(true, Mask::default()))
    };
    fast_equals_portable("slices", |t| run(t, softmax_attention), |t| run(t, portable::softmax_attention));
}

#[test]
fn definition_equals_loops() {
    for (name, mask) in masks(3, 9) {
        for causal in [false, true] {
            let options = SoftmaxOptions { dropout: Some(dropout(3)), ..options(causal, mask.clone()) };
            // Beside six queries eleven, where they may outnumber the nine keys.
            let placed = causal || options.mask.segments.is_some();
            for n in if placed { vec![6] } else { vec![6, 11] } {
                let [k, v] = [normal("k", [3, 9, 2, 5]), normal("v", [3, 9, 2, 3])];
                let q = normal("q", [3, n, 4, 5]);
                let expected = double(loops(&q, &k, &v, &options), [3, n, 4, 3]);
                let found = portable::softmax_attention(q, k, v, options.clone());
                assert_near(name, found, expected, 1e-13);
            }
        }
    }
}

fn loops(q: &Tensor<4>, k: &Tensor<4>, v: &Tensor<4>, options: &SoftmaxOptions) -> Vec<f64> {
    let ([batch, n, heads, d], [_, m, groups, dv]) = (q.dims(), v.dims());
    let geometry = Geometry { batch, queries: n, keys: m, causal: options.causal };
    let (q, k, v) = (numbers(q.clone()), numbers(k.clone()), numbers(v.clone()));
    let mut out = Vec::new();
    for (b, i, h) in (0..batch * n * heads).map(|row| (row / heads / n, row / heads % n, row % heads)) {
        let key = |j: usize| (b * m + j) * groups + h * groups / heads;
        let score = |j: usize| -> f64 {
            (0..d).map(|c| q[((b * n + i) * heads + h) * d + c] * k[key(j) * d + c]).sum::<f64>()
                * options.scale
        };
        let visible: Vec<usize> = (0..m).filter(|&j| options.mask.visible(&geometry, b, i, j)).collect();
        let sum: f64 = visible.iter().map(|&j| score(j).exp()).sum();
        for c in 0..dv {
            let weight = |j: usize| {
                let dropout = options.dropout.as_ref();
                score(j).exp() / sum
                    * dropout.map_or(1.0, |x| x.score_factor(b, h, m.saturating_sub(n) + i, j))
            };
            out.push(visible.iter().map(|&j| weight(j) * v[key(j) * dv + c]).sum());
        }
    }
    out
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let (_, mask) = masks(2, 7).swap_remove(4);
    let options = SoftmaxOptions { dropout: Some(dropout(2)), ..options(true, mask) };
    differentiate("softmax attention", |t| {
        let [q, k, v] = operands(t, [2, 5, 7, 2, 1, 3, 2]);
        softmax_attention(q, k, v, options.clone())
    });
}

#[test]
fn large_scores_do_not_overflow() {
    let [q, k, v] = [normal("q", [1, 600, 1, 4]), normal("k", [1, 600, 1, 4]), normal("v", [1, 600, 1, 2])];
    let options = SoftmaxOptions { scale: 500.0, ..options(true, Mask::default()) };
    let expected = portable::softmax_attention(q.clone(), k.clone(), v.clone(), options.clone());
    assert_near("large scores", softmax_attention(q, k, v, options), expected, 1e-10);
}

#[test]
fn what_is_not_a_number_is_not_hidden() {
    let [k, v] = [normal("k", [1, 3, 1, 2]), normal("v", [1, 3, 1, 2])];
    let q = double(vec![f64::NAN; 6], [1, 3, 1, 2]);
    let out = softmax_attention(q, k, v, options(true, Mask::default()));
    assert!(numbers(out).iter().all(|x| x.is_nan()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_query_sees_a_later_key(n in 2usize..150, at in 0.0..1.0) {
        let position = 1 + (at * (n - 1) as f64) as usize;
        assert_causal("softmax", position, |change| {
            let [q, k, v] = [normal("q", [1, n, 1, 4]), normal("k", [1, n, 1, 4]), normal("v", [1, n, 1, 2])];
            let (k, v) = if change { (disturbed(k, position), disturbed(v, position)) } else { (k, v) };
            softmax_attention(q, k, v, options(true, Mask::default()))
        });
    }

    /// Real rows of a padded batch are those of the sequence alone, whatever stands in the padding.
    #[test]
    fn padding_does_not_matter(n in 1usize..100, extra in 1usize..80, causal: bool) {
        let all = n + extra;
        let mask = Mask { padding: Some((0..all).map(|j| j < n).collect()), segments: None };
        let [q, k, v] = [normal("q", [1, all, 1, 4]), normal("k", [1, all, 1, 4]), normal("v", [1, all, 1, 2])];
        let wild = |x: Tensor<4>| {
            Tensor::cat(vec![x.clone().narrow(1, 0, n), x.narrow(1, n, extra).mul_scalar(1e6)], 1)
        };
        let out = softmax_attention(q.clone(), wild(k.clone()), wild(v.clone()), options(causal, mask));
        let [q, k, v] = [q, k, v].map(|x| x.narrow(1, 0, n));
        let alone = softmax_attention(q, k, v, options(causal, Mask::default()));
        assert_near("padding", out.narrow(1, 0, n), alone, 1e-13);
    }

    #[test]
    fn documents_are_as_if_alone(first in 1usize..90, second in 1usize..90, causal: bool) {
        let n = first + second;
        let mask = Mask { padding: None, segments: Some((0..n).map(|j| u32::from(j < first)).collect()) };
        let [q, k, v] = [normal("q", [1, n, 1, 4]), normal("k", [1, n, 1, 4]), normal("v", [1, n, 1, 2])];
        let packed = softmax_attention(q.clone(), k.clone(), v.clone(), options(causal, mask));
        let parts = [(0, first), (first, second)].map(|(start, length)| {
            let [q, k, v] = [&q, &k, &v].map(|x| x.clone().narrow(1, start, length));
            softmax_attention(q, k, v, options(causal, Mask::default()))
        });
        assert_near("documents", packed, Tensor::cat(parts.to_vec(), 1), 1e-13);
    }

    /// The last rows of a causal operation are those of offset queries, as in decoding with a cache.
    #[test]
    fn offset_queries_are_the_last_rows(n in 1usize..60, before in 0usize..90) {
        let m = n + before;
        let [q, k, v] = [normal("q", [1, m, 2, 4]), normal("k", [1, m, 1, 4]), normal("v", [1, m, 1, 2])];
        let whole = softmax_attention(q.clone(), k.clone(), v.clone(), options(true, Mask::default()));
        let last = softmax_attention(q.narrow(1, before, n), k, v, options(true, Mask::default()));
        assert_near("offset", last, whole.narrow(1, before, n), 1e-13);
    }
}
