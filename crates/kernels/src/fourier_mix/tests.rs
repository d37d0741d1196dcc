use std::f64::consts::TAU;

use burn::tensor::{Device, Tensor};
use mixlab_core::Precision;
use proptest::prelude::*;

use super::{FourierGroups, fourier_mix, fourier_mix_by_product};
use crate::Mask;
use crate::harness::{PRECISIONS, SIZES, differentiate, evaluate, fast_equals_portable, normals, numbers};
use crate::tiled::cases::{assert_near, double, masks, normal};

type Operation = fn(Tensor<3>, Option<FourierGroups>) -> Tensor<3>;

fn compare(name: &str, shape: [usize; 3], groups: Option<&FourierGroups>) {
    fast_equals_portable(
        &format!("{name} {shape:?}"),
        |t| fourier_mix(t.input("x", shape), groups.cloned()),
        |t| fourier_mix_by_product(t.input("x", shape), groups.cloned()),
    );
}

#[test]
fn equals_the_portable_definition() {
    for size in SIZES {
        compare("tokens", [2, size, 12], None);
        compare("channels", [3, 7, size], None);
        compare("both", [1, size, size], None);
        for (name, mask) in masks(3, size) {
            compare(name, [3, size, 10], FourierGroups::of_mask(&mask, 3, size).as_ref());
        }
    }
}

/// Primes, which have plans of their own kinds, and sizes of real models; several blocks of every pass.
#[test]
fn large_sizes() {
    for shape in [[1, 131, 127], [2, 257, 8], [1, 17, 1009], [2, 33, 768], [1, 768, 34], [1, 300, 384]] {
        compare("large", shape, None);
    }
    let (_, mask) = masks(3, 300).swap_remove(4);
    compare("documents, holes", [3, 300, 96], FourierGroups::of_mask(&mask, 3, 300).as_ref());
}

#[test]
fn inputs_that_are_views() {
    let run = |x: Tensor<3>, operation: Operation| {
        let slice = operation(x.clone().narrow(2, 1, 5), None);
        slice + operation(x.swap_dims(1, 2).narrow(2, 0, 6), None).swap_dims(1, 2).narrow(2, 2, 5)
    };
    fast_equals_portable(
        "views",
        |t| run(t.input("x", [2, 6, 9]), fourier_mix),
        |t| run(t.input("x", [2, 6, 9]), fourier_mix_by_product),
    );
}

/// `Σ_{m,c} x[m,c]·cos(2π(km/n + lc/d))`, term by term.
fn cosine_sums(x: &[f64], n: usize, d: usize) -> Vec<f64> {
    let element = |k: usize, l: usize| -> f64 {
        let term = |m: usize, c: usize| {
            let angle = (k * m % n) as f64 / n as f64 + (l * c % d) as f64 / d as f64;
            x[m * d + c] * (TAU * angle).cos()
        };
        (0..n * d).map(|at| term(at / d, at % d)).sum()
    };
    (0..n * d).map(|at| element(at / d, at % d)).collect()
}

/// An element is a sum of n·d terms of unit size, so typically sqrt(n·d); its error is a few roundings of that.
#[test]
fn both_forms_equal_the_sum_of_cosines() {
    for (n, d) in [(1, 1), (1, 12), (12, 1), (2, 2), (11, 24), (13, 7), (32, 20), (97, 30), (3, 768)] {
        let expected = cosine_sums(&normals("x", n * d), n, d);
        for (precision, epsilon) in
            [(Precision::F64, f64::EPSILON), (Precision::F32, f64::from(f32::EPSILON))]
        {
            let size = (n * d) as f64;
            let tolerance = 4.0 * epsilon * size.sqrt() * (2.0 + size.log2());
            for operation in [fourier_mix as Operation, fourier_mix_by_product] {
                let x = Tensor::<3>::from_data(
                    normal("x", [1, n, d]).into_data(),
                    (&Device::flex(), precision.dtype()),
                );
                let actual = numbers(operation(x, None));
                for (at, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
                    let error = (actual - expected).abs();
                    assert!(error <= tolerance, "{n} × {d} {precision:?}: [{at}] is {error:e} off");
                }
            }
        }
    }
}

/// `x[(−m) mod n, (−c) mod d]`.
fn reversed(x: &[f64], n: usize, d: usize) -> Vec<f64> {
    (0..n * d).map(|at| x[(n - at / d) % n * d + (d - at % d) % d]).collect()
}

#[test]
fn identities_of_the_transform() {
    for (n, d) in [(1, 9), (9, 1), (6, 10), (15, 7), (64, 48), (101, 103)] {
        let x = normal("x", [1, n, d]);
        let once = fourier_mix(x.clone(), None);
        let values = numbers(once.clone());
        let mirrored = double(reversed(&values, n, d), [1, n, d]);
        assert_near("mix(X)[−k,−l] = mix(X)[k,l]", mirrored, once.clone(), 1e-11);
        let total: f64 = numbers(x.clone()).iter().sum();
        assert!((values[0] - total).abs() < 1e-10, "the first element is the sum of all");
        // What is odd under reversal of both axes is lost, the rest comes back.
        let twice = fourier_mix(once, None).mul_scalar(1.0 / (n * d) as f64);
        let even = (x.clone() + double(reversed(&numbers(x), n, d), [1, n, d])).mul_scalar(0.5);
        assert_near("mix(mix(X))", twice, even, 1e-12);
    }
}

#[test]
fn one_token_or_channel_leaves_a_sum_of_cosines_along_the_other_axis() {
    let x = double(vec![1.0, 2.0, 4.0, 8.0], [1, 1, 4]);
    // The real parts of the discrete Fourier transform of (1, 2, 4, 8).
    let expected = [15.0, -3.0, -5.0, -3.0];
    assert_near("channels", fourier_mix(x.clone(), None), double(expected.to_vec(), [1, 1, 4]), 1e-14);
    let turned = fourier_mix(x.swap_dims(1, 2), None);
    assert_near("tokens", turned, double(expected.to_vec(), [1, 4, 1]), 1e-14);
}

/// The map is symmetric, so that its gradient is the map of the seed, here without a single bit of difference.
#[test]
fn the_gradient_is_the_same_transform() {
    let (_, mask) = masks(3, 21).swap_remove(4);
    for groups in [None, FourierGroups::of_mask(&mask, 3, 21)] {
        for (precision, _) in PRECISIONS {
            let results = evaluate(precision, |t| fourier_mix(t.input("x", [3, 21, 10]), groups.clone()));
            let seed = evaluate(precision, |t| fourier_mix(t.input("seed", [3, 21, 10]), groups.clone()));
            assert_eq!(results[1].1, seed[0].1);
        }
        let (a, b) = (normal("a", [3, 21, 10]), normal("b", [3, 21, 10]));
        let product = |x: Tensor<3>, y: Tensor<3>| numbers((x * y).sum())[0];
        let left = product(fourier_mix(a.clone(), groups.clone()), b.clone());
        let right = product(a, fourier_mix(b, groups));
        assert!((left - right).abs() < 1e-11 * left.abs().max(1e3), "{left} and {right}");
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let groups = FourierGroups::new(vec![vec![0, 1, 3], vec![7, 5]]);
    for groups in [None, Some(groups)] {
        differentiate("mix", |t| fourier_mix(t.input("x", [2, 4, 3]), groups.clone()));
    }
}

/// Groups need not be in order nor inside one row of the batch; what is in none is neither read nor touched.
#[test]
fn groups_equal_the_transform_of_each_alone() {
    let groups = vec![vec![2, 0, 3], vec![9, 1, 8, 7, 11], vec![], vec![6]];
    let left_out = [4, 5, 10];
    for operation in [fourier_mix as Operation, fourier_mix_by_product] {
        let mut values = normals("x", 12 * 7);
        for at in left_out {
            values[at * 7..(at + 1) * 7].fill(f64::NAN);
        }
        let x = double(values.clone(), [2, 6, 7]);
        let y = numbers(operation(x, Some(FourierGroups::new(groups.clone()))));
        let row = |values: &[f64], at: usize| values[at * 7..(at + 1) * 7].to_vec();
        for group in groups.iter().filter(|group| !group.is_empty()) {
            let shape = [1, group.len(), 7];
            let gather = |values: &[f64]| -> Vec<f64> {
                group.iter().flat_map(|&at: &u32| row(values, at as usize)).collect()
            };
            let alone = operation(double(gather(&values), shape), None);
            assert_near("group", double(gather(&y), shape), alone, 1e-13);
        }
        for at in left_out {
            assert_eq!(row(&y, at), [0.0; 7]);
        }
    }
}

#[test]
fn no_group_at_all() {
    for operation in [fourier_mix as Operation, fourier_mix_by_product] {
        let none = || Some(FourierGroups::new(Vec::new()));
        let results = evaluate(Precision::F32, |t| operation(t.input("x", [2, 3, 4]), none()));
        assert_eq!(results[0].1, [0.0; 24]);
        assert_eq!(results[1].1, [0.0; 24]);
    }
}

#[test]
fn a_mask_makes_a_group_of_the_real_tokens_of_each_document() {
    let mask = Mask {
        padding: Some([true, false, true, true, true, false, true, true, false, false].into()),
        segments: Some([4, 4, 4, 9, 9, 1, 1, 1, 1, 0].into()),
    };
    let groups = FourierGroups::of_mask(&mask, 2, 5).expect("something is hidden");
    let expected: Vec<&[u32]> = vec![&[0, 2], &[3, 4], &[6, 7]];
    assert_eq!(groups.iter().collect::<Vec<_>>(), expected);
    let padding = FourierGroups::of_mask(&Mask { segments: None, ..mask }, 2, 5).expect("padding");
    let expected: Vec<&[u32]> = vec![&[0, 2, 3, 4], &[6, 7]];
    assert_eq!(padding.iter().collect::<Vec<_>>(), expected);
    assert_eq!(FourierGroups::of_mask(&Mask::default(), 2, 5), None);
}

#[test]
#[should_panic(expected = "position 3 occurs twice")]
fn a_position_has_one_group() {
    fourier_mix(normal("x", [1, 4, 2]), Some(FourierGroups::new(vec![vec![3], vec![0, 3]])));
}

#[test]
#[should_panic(expected = "position 4 of a group is not below the 4")]
fn a_position_exists() {
    fourier_mix_by_product(normal("x", [1, 4, 2]), Some(FourierGroups::new(vec![vec![4]])));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_lengths(n in 1usize..140, d in 1usize..140) {
        let x = normal("x", [1, n, d]);
        let (fast, plain) = (fourier_mix(x.clone(), None), fourier_mix_by_product(x, None));
        assert_near(&format!("{n} × {d}"), fast, plain, 1e-10);
    }

    /// Padded rows and packed documents are transformed as if alone.
    #[test]
    fn documents_are_as_if_alone(first in 1usize..60, second in 1usize..60, extra in 0usize..9) {
        let n = first + second + extra;
        let mask = Mask {
            padding: Some((0..n).map(|j| j < first + second).collect()),
            segments: Some((0..n).map(|j| u32::from(j >= first)).collect()),
        };
        let x = normal("x", [1, n, 6]);
        let packed = fourier_mix(x.clone(), FourierGroups::of_mask(&mask, 1, n));
        for (start, length) in [(0, first), (first, second)] {
            let alone = fourier_mix(x.clone().narrow(1, start, length), None);
            assert_near("document", packed.clone().narrow(1, start, length), alone, 0.0);
        }
    }
}
