//! What the convolutions mean: loops, matrices, numbers by hand, and what they must not depend on.

use burn::tensor::Tensor;
use proptest::prelude::*;

use super::super::{ChannelMap, ConvolutionOptions, depthwise_convolution, dynamic_convolution, portable};
use super::{MAPS, options};
use crate::Mask;
use crate::harness::numbers;
use crate::tiled::cases::{assert_causal, assert_near, disturbed, double, masks, normal};

/// The definition, written as loops over b, i, c and t.
fn loops(x: &Tensor<3>, filters: &Tensor<4>, options: &ConvolutionOptions) -> Vec<f64> {
    let ([batch, n, d], [.., h, taps]) = (x.dims(), filters.dims());
    let (x, filters) = (numbers(x.clone()), numbers(filters.clone()));
    let left = if options.causal { taps - 1 } else { (taps - 1) / 2 };
    let mut out = Vec::new();
    for (b, i, c) in (0..batch * n * d).map(|at| (at / d / n, at / d % n, at % d)) {
        let head = match options.channels {
            ChannelMap::Contiguous => c * h / d,
            ChannelMap::Modular => c % h,
        };
        let (mut sum, mut weights) = (0.0, 0.0);
        for t in 0..taps {
            let j = i as isize + (t as isize - left as isize) * options.dilation as isize;
            if !(0..n as isize).contains(&j) {
                continue;
            }
            let (own, read) = (b * n + i, b * n + j as usize);
            let real = |position: usize| options.mask.padding.as_ref().is_none_or(|real| real[position]);
            let document = |position: usize| options.mask.segments.as_ref().map_or(0, |ids| ids[position]);
            if real(own) && real(read) && document(own) == document(read) {
                let weight = filters[(own * h + head) * taps + t];
                sum += weight * x[read * d + c];
                weights += weight;
            }
        }
        out.push(if !options.renormalise {
            sum
        } else if weights == 0.0 {
            0.0
        } else {
            sum / weights
        });
    }
    out
}

#[test]
fn definition_equals_loops() {
    for (name, mask) in masks(3, 9) {
        for (causal, dilation, renormalise, taps) in
            [(false, 1, false, 3), (true, 2, true, 4), (false, 2, true, 12), (true, 1, false, 6)]
        {
            for channels in MAPS {
                let options =
                    ConvolutionOptions { causal, dilation, channels, renormalise, mask: mask.clone() };
                let (x, filters) = (normal("x", [3, 9, 6]), normal("filters", [3, 9, 2, taps]).exp());
                let expected = double(loops(&x, &filters, &options), [3, 9, 6]);
                let actual = portable::dynamic_convolution(x.clone(), filters, options.clone());
                assert_near(name, actual, expected, 1e-13);
                let filters = normal("filters", [2, taps]).exp();
                let everywhere = filters.clone().reshape([1, 1, 2, taps]).expand([3, 9, 2, taps]);
                let expected = double(loops(&x, &everywhere, &options), [3, 9, 6]);
                assert_near(name, portable::depthwise_convolution(x, filters, options), expected, 1e-13);
            }
        }
    }
}

/// The convolution of a head is a product with a matrix that is constant along its diagonals.
#[test]
fn shared_filters_are_a_band_matrix_a_head() {
    let [n, h, group] = [20, 3, 4];
    for (causal, dilation, taps) in [(false, 1, 5), (true, 1, 4), (false, 3, 4), (true, 2, 30)] {
        let (x, filters) = (normal("x", [2, n, h * group]), normal("filters", [h, taps]));
        let options = ConvolutionOptions { dilation, ..options(causal, Mask::default()) };
        let left = options.left(taps) as isize;
        let values = numbers(filters.clone());
        let element = |at: usize| {
            let (head, distance) = (at / n / n, (at % n) as isize - (at / n % n) as isize);
            let tap = distance / dilation as isize + left;
            let inside = distance % dilation as isize == 0 && (0..taps as isize).contains(&tap);
            if inside { values[head * taps + tap as usize] } else { 0.0 }
        };
        let matrix: Tensor<4> = double((0..h * n * n).map(element).collect(), [1, h, n, n]);
        let heads = x.clone().reshape([2, n, h, group]).swap_dims(1, 2);
        let expected = matrix.expand([2, h, n, n]).matmul(heads).swap_dims(1, 2).reshape([2, n, h * group]);
        assert_near("band", depthwise_convolution(x, filters, options), expected, 1e-13);
    }
}

#[test]
fn one_tap_of_one_is_the_identity() {
    let x = normal("x", [2, 9, 6]);
    for causal in [false, true] {
        let options = options(causal, Mask::default());
        let ones = Tensor::ones([3, 1], (&x.device(), x.dtype()));
        assert_near("shared", depthwise_convolution(x.clone(), ones, options.clone()), x.clone(), 0.0);
        let ones = Tensor::ones([2, 9, 3, 1], (&x.device(), x.dtype()));
        assert_near("own", dynamic_convolution(x.clone(), ones, options), x.clone(), 0.0);
    }
}

#[test]
fn channels_to_filters() {
    let ones = double(vec![1.0; 6], [1, 1, 6]);
    for (channels, expected) in MAPS.into_iter().zip([[1, 1, 1, 2, 2, 2], [1, 2, 1, 2, 1, 2]]) {
        let options = ConvolutionOptions { channels, ..options(true, Mask::default()) };
        let expected = expected.map(f64::from);
        let filters = double(vec![1.0, 2.0], [2, 1]);
        assert_eq!(numbers(depthwise_convolution(ones.clone(), filters, options.clone())), expected);
        let filters = double(vec![1.0, 2.0], [1, 1, 2, 1]);
        assert_eq!(numbers(dynamic_convolution(ones.clone(), filters, options)), expected);
    }
}

#[test]
fn values_by_hand() {
    let run = |filter: &[f64], options: ConvolutionOptions| {
        let x = double(vec![1.0, 10.0, 100.0, 1000.0], [1, 4, 1]);
        numbers(depthwise_convolution(x, double(filter.to_vec(), [1, filter.len()]), options))
    };
    let none = Mask::default;
    assert_eq!(run(&[1.0, 2.0, 3.0], options(true, none())), [3.0, 32.0, 321.0, 3210.0]);
    assert_eq!(run(&[1.0, 2.0, 3.0], options(false, none())), [32.0, 321.0, 3210.0, 2100.0]);
    // An even filter has one tap before the present token and two after it.
    assert_eq!(run(&[1.0, 2.0, 3.0, 4.0], options(false, none())), [432.0, 4321.0, 3210.0, 2100.0]);
    let dilated = ConvolutionOptions { dilation: 2, ..options(false, none()) };
    assert_eq!(run(&[1.0, 2.0, 3.0], dilated), [302.0, 3020.0, 201.0, 2010.0]);
    let renormalised = ConvolutionOptions { renormalise: true, ..options(true, none()) };
    assert_eq!(run(&[1.0, 1.0], renormalised.clone()), [1.0, 5.5, 55.0, 550.0]);
    assert_eq!(run(&[1.0, 0.0], renormalised), [0.0, 1.0, 10.0, 100.0], "the first token reads a sum of 0");
}

#[test]
#[should_panic(expected = "4 filters must divide 6 channels")]
fn filters_must_divide_the_channels() {
    depthwise_convolution(normal("x", [1, 2, 6]), normal("filters", [4, 3]), options(true, Mask::default()));
}

/// Both convolutions of the same normals; the filters of a position are a function of its place in `x`.
fn both(x: Tensor<3>, taps: usize, options: &ConvolutionOptions) -> Tensor<3> {
    let [batch, n, width] = x.dims();
    let shared = depthwise_convolution(x.clone(), normal("shared", [2, taps]).exp(), options.clone());
    let filters = normal("own", [1, 200, 2, taps]).exp().narrow(1, 0, n).expand([batch, n, 2, taps]);
    let own = dynamic_convolution(x, filters, options.clone());
    assert_eq!(own.dims(), [batch, n, width]);
    Tensor::cat(vec![shared, own], 2)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_token_reads_a_later_one(n in 2usize..150, at in 0.0..1.0, taps in 1usize..40, dilation in 1usize..4) {
        let position = 1 + (at * (n - 1) as f64) as usize;
        let options = ConvolutionOptions { dilation, ..options(true, Mask::default()) };
        assert_causal("convolution", position, |change| {
            let x = normal("x", [1, n, 6]);
            both(if change { disturbed(x, position) } else { x }, taps, &options)
        });
    }

    /// Real rows of a padded batch are those of the sequence alone, to the bit, whatever stands in the padding.
    #[test]
    fn padding_does_not_matter(
        n in 1usize..100,
        extra in 1usize..80,
        taps in 1usize..40,
        causal: bool,
        renormalise: bool,
    ) {
        let all = n + extra;
        let mask = Mask { padding: Some((0..all).map(|j| j < n).collect()), segments: None };
        let x = normal("x", [1, n, 6]);
        let wild = Tensor::cat(vec![x.clone(), double(vec![f64::NAN; extra * 6], [1, extra, 6])], 1);
        let out = both(wild, taps, &ConvolutionOptions { renormalise, ..options(causal, mask) });
        let alone = both(x, taps, &ConvolutionOptions { renormalise, ..options(causal, Mask::default()) });
        assert_near("padding", out.clone().narrow(1, 0, n), alone, 0.0);
        prop_assert!(numbers(out.narrow(1, n, extra)).iter().all(|&y| y == 0.0));
    }

    /// Documents in one sequence are as if alone, also beside what is not a number.
    #[test]
    fn documents_are_as_if_alone(
        first in 1usize..90,
        second in 1usize..90,
        taps in 1usize..40,
        dilation in 1usize..3,
        causal: bool,
        renormalise: bool,
    ) {
        let n = first + second;
        let mask = Mask { padding: None, segments: Some((0..n).map(|j| u32::from(j < first)).collect()) };
        let x = normal("x", [1, n, 6]);
        let filters = normal("own", [1, n, 2, taps]).exp();
        let options = ConvolutionOptions { dilation, renormalise, ..options(causal, mask) };
        let packed = dynamic_convolution(x.clone(), filters.clone(), options.clone());
        let options = ConvolutionOptions { mask: Mask::default(), ..options };
        let part = |start, length| {
            let (x, filters) = (x.clone().narrow(1, start, length), filters.clone().narrow(1, start, length));
            dynamic_convolution(x, filters, options.clone())
        };
        assert_near("documents", packed, Tensor::cat(vec![part(0, first), part(first, second)], 1), 0.0);
    }

    /// The last rows of a causal convolution need no more than the K−1 tokens before them, as in decoding.
    #[test]
    fn the_last_rows_need_few_tokens(n in 1usize..60, before in 0usize..90, taps in 1usize..9) {
        let kept = before.min(taps - 1);
        let options = options(true, Mask::default());
        let (x, filters) = (normal("x", [1, before + n, 6]), normal("shared", [2, taps]));
        let whole = depthwise_convolution(x.clone(), filters.clone(), options.clone());
        let rest = depthwise_convolution(x.narrow(1, before - kept, kept + n), filters, options);
        assert_near("decoding", rest.narrow(1, kept, n), whole.narrow(1, before, n), 0.0);
    }
}
