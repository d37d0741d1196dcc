use burn::tensor::Tensor;
use proptest::prelude::*;

use super::{LinearOptions, linear_attention, portable};
use crate::harness::{Inputs, SIZES, differentiate, fast_equals_portable, numbers};
use crate::mask::{Geometry, Mask};
use crate::tiled::cases::{assert_causal, assert_near, disturbed, double, masks, normal};
use crate::{Activation, activation};

fn options(causal: bool, chunk: usize, mask: Mask) -> LinearOptions {
    // Large, because the gradients of a query that sees one key would cancel to a multiple of ε.
    LinearOptions { causal, epsilon: Some(0.5), chunk, mask }
}

type Operation = fn(Tensor<4>, Tensor<4>, Tensor<4>, LinearOptions) -> Tensor<4>;

/// Batch, length, heads, width, value width.
type Shape = [usize; 5];

fn positive<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation(x, Activation::EluPlusOne)
}

fn run(t: &mut Inputs, [b, n, h, d, dv]: Shape, options: &LinearOptions, operation: Operation) -> Tensor<4> {
    let (q, k) = (positive(t.input("q", [b, n, h, d])), positive(t.input("k", [b, n, h, d])));
    operation(q, k, t.input("v", [b, n, h, dv]), options.clone())
}

fn check(name: &str, shape: Shape, options: &LinearOptions) {
    let name = format!("{name} {shape:?} causal {} chunk {}", options.causal, options.chunk);
    fast_equals_portable(
        &name,
        |t| run(t, shape, options, linear_attention),
        |t| run(t, shape, options, portable::linear_attention),
    );
}

#[test]
fn kernel_equals_definition_at_odd_sizes_under_every_mask() {
    for (n, chunk) in SIZES.into_iter().zip([1, 4, 7, 16, 64, 200]) {
        for (i, (name, mask)) in masks(3, n).into_iter().enumerate() {
            for causal in [false, true] {
                check(name, [3, n, 2, 5, 3], &options(causal, chunk, mask.clone()));
                let undivided = LinearOptions { epsilon: None, ..options(causal, chunk + i, mask.clone()) };
                check(name, [3, n, 1, 4, 4], &undivided);
            }
        }
    }
}

#[test]
fn kernel_equals_definition_across_tiles_and_blocks_of_columns() {
    for (name, mask) in masks(1, 700) {
        check(name, [1, 700, 1, 8, 130], &options(true, 64, mask.clone()));
        check(name, [1, 700, 1, 8, 130], &options(false, 64, mask));
    }
}

#[test]
fn definition_equals_loops() {
    for (name, mask) in masks(3, 9) {
        for causal in [false, true] {
            let options = options(causal, 4, mask.clone());
            let (q, k) = (positive(normal("q", [3, 9, 2, 5])), positive(normal("k", [3, 9, 2, 5])));
            let v = normal("v", [3, 9, 2, 4]);
            let expected = double(loops(&q, &k, &v, &options), [3, 9, 2, 4]);
            assert_near(name, portable::linear_attention(q, k, v, options), expected, 1e-13);
        }
    }
}

/// The recurrence of Katharopoulos et al., equations 16 to 20, with explicit sums.
fn loops(q: &Tensor<4>, k: &Tensor<4>, v: &Tensor<4>, options: &LinearOptions) -> Vec<f64> {
    let ([batch, n, heads, d], dv) = (q.dims(), v.dims()[3]);
    let geometry = Geometry { batch, queries: n, keys: n, causal: options.causal };
    let [q, k, v] = [q, k, v].map(|x| numbers(x.clone()));
    let mut out = Vec::new();
    for (b, i, h) in (0..batch * n * heads).map(|row| (row / heads / n, row / heads % n, row % heads)) {
        let row = |j: usize| (b * n + j) * heads + h;
        let visible: Vec<usize> = (0..n).filter(|&j| options.mask.visible(&geometry, b, i, j)).collect();
        let state = |c: usize, value: &dyn Fn(usize) -> f64| -> f64 {
            visible.iter().map(|&j| k[row(j) * d + c] * value(j)).sum()
        };
        let read = |value: &dyn Fn(usize) -> f64| -> f64 {
            (0..d).map(|c| q[row(i) * d + c] * state(c, value)).sum()
        };
        let divisor = read(&|_| 1.0) + options.epsilon.unwrap_or(0.0);
        out.extend((0..dv).map(|e| read(&|j| v[row(j) * dv + e]) / divisor));
    }
    out
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let (_, mask) = masks(2, 9).swap_remove(4);
    for causal in [false, true] {
        let options = options(causal, 4, mask.clone());
        differentiate("linear attention", |t| run(t, [2, 9, 2, 3, 2], &options, linear_attention));
    }
}

#[test]
fn a_query_that_sees_nothing_gives_zeros_even_without_epsilon() {
    let mask = Mask { padding: Some([false, false, true].into()), segments: None };
    let options = LinearOptions { epsilon: Some(0.0), ..options(true, 2, mask) };
    let [q, k, v] = [normal("q", [1, 3, 1, 2]), normal("k", [1, 3, 1, 2]), normal("v", [1, 3, 1, 2])];
    for operation in [linear_attention as Operation, portable::linear_attention] {
        let out = numbers(operation(positive(q.clone()), positive(k.clone()), v.clone(), options.clone()));
        assert_eq!(out[..4], [0.0; 4]);
        assert!(out[4..].iter().all(|x| x.is_finite() && *x != 0.0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_chunk_does_not_matter(n in 1usize..150, chunk in 1usize..160) {
        let [q, k, v] = [normal("q", [1, n, 1, 4]), normal("k", [1, n, 1, 4]), normal("v", [1, n, 1, 3])];
        let run = |chunk| {
            let (q, k) = (positive(q.clone()), positive(k.clone()));
            linear_attention(q, k, v.clone(), options(true, chunk, Mask::default()))
        };
        assert_near("chunk", run(chunk), run(n), 1e-12);
    }

    #[test]
    fn no_query_sees_a_later_key(n in 2usize..150, at in 0.0..1.0, chunk in 1usize..80) {
        let position = 1 + (at * (n - 1) as f64) as usize;
        assert_causal("linear", position, |change| {
            let [q, k, v] = [normal("q", [1, n, 1, 4]), normal("k", [1, n, 1, 4]), normal("v", [1, n, 1, 3])];
            let (k, v) = if change { (disturbed(k, position), disturbed(v, position)) } else { (k, v) };
            linear_attention(positive(q), positive(k), v, options(true, chunk, Mask::default()))
        });
    }

    /// Each document of a padded batch is as if alone, whatever stands in the padding: padded keys leave
    /// numerator and denominator.
    #[test]
    fn documents_are_as_if_alone(
        first in 1usize..90, second in 1usize..90, extra in 0usize..9, chunk in 1usize..80, causal: bool,
    ) {
        let n = first + second + extra;
        let mask = Mask {
            padding: Some((0..n).map(|j| j < first + second).collect()),
            segments: Some((0..n).map(|j| u32::from(j >= first)).collect()),
        };
        let wild = |x: Tensor<4>| {
            let (real, padding) = (x.clone().narrow(1, 0, first + second), x.slice_dim(1, first + second..));
            Tensor::cat(vec![real, padding.mul_scalar(1e6)], 1)
        };
        let (q, k) = (positive(normal("q", [1, n, 1, 4])), positive(normal("k", [1, n, 1, 4])));
        let v = normal("v", [1, n, 1, 3]);
        let packed = linear_attention(q.clone(), wild(k.clone()), wild(v.clone()), options(causal, chunk, mask));
        for (start, length) in [(0, first), (first, second)] {
            let [q, k, v] = [&q, &k, &v].map(|x| x.clone().narrow(1, start, length));
            let alone = linear_attention(q, k, v, options(causal, chunk, Mask::default()));
            assert_near("document", packed.clone().narrow(1, start, length), alone, 1e-11);
        }
    }
}
