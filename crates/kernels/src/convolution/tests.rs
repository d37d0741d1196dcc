mod meaning;

use burn::tensor::Tensor;
use mixlab_core::Precision;

use super::{ChannelMap, ConvolutionOptions, depthwise_convolution, dynamic_convolution, portable};
use crate::Mask;
use crate::harness::{Inputs, SIZES, differentiate, evaluate, fast_equals_portable};
use crate::tiled::cases::masks;

const MAPS: [ChannelMap; 2] = [ChannelMap::Contiguous, ChannelMap::Modular];

fn options(causal: bool, mask: Mask) -> ConvolutionOptions {
    let channels = ChannelMap::Contiguous;
    ConvolutionOptions { causal, dilation: 1, channels, renormalise: false, mask }
}

/// batch, tokens, channels, filters, taps
type Shape = [usize; 5];

fn shared(t: &mut Inputs, [b, n, d, h, k]: Shape, renormalise: bool) -> (Tensor<3>, Tensor<2>) {
    let (x, filters) = (t.input("x", [b, n, d]), t.input("filters", [h, k]));
    // Sums near zero would make every number after the division as uncertain as they are.
    (x, if renormalise { filters.exp() } else { filters })
}

fn own(t: &mut Inputs, [b, n, d, h, k]: Shape, renormalise: bool) -> (Tensor<3>, Tensor<4>) {
    let (x, filters) = (t.input("x", [b, n, d]), t.input("filters", [b, n, h, k]));
    (x, if renormalise { filters.exp() } else { filters })
}

/// Kernels against definitions, of both convolutions.
fn check(name: &str, shape: Shape, options: &ConvolutionOptions) {
    let ConvolutionOptions { causal, dilation, channels, renormalise, .. } = options;
    let name = format!("{name} {shape:?} causal {causal} dilation {dilation} {channels:?} {renormalise}");
    let run = |t: &mut Inputs, f: fn(Tensor<3>, Tensor<2>, ConvolutionOptions) -> Tensor<3>| {
        let (x, filters) = shared(t, shape, *renormalise);
        f(x, filters, options.clone())
    };
    fast_equals_portable(
        &format!("shared, {name}"),
        |t| run(t, depthwise_convolution),
        |t| run(t, portable::depthwise_convolution),
    );
    let run = |t: &mut Inputs, f: fn(Tensor<3>, Tensor<4>, ConvolutionOptions) -> Tensor<3>| {
        let (x, filters) = own(t, shape, *renormalise);
        f(x, filters, options.clone())
    };
    fast_equals_portable(
        &format!("own, {name}"),
        |t| run(t, dynamic_convolution),
        |t| run(t, portable::dynamic_convolution),
    );
}

#[test]
fn kernels_equal_definitions_at_odd_lengths_under_every_mask() {
    for n in SIZES {
        for (name, mask) in masks(3, n) {
            for (causal, renormalise) in [(false, false), (true, false), (false, true), (true, true)] {
                // In the shortest sequences tokens may read nothing but themselves. A tap divided by itself is one, and
                // its gradient zero up to rounding.
                if n > 2 || !renormalise {
                    let options = ConvolutionOptions { renormalise, ..options(causal, mask.clone()) };
                    check(name, [3, n, 6, 2, 5], &options);
                }
            }
        }
    }
}

#[test]
fn kernels_equal_definitions_at_odd_widths_and_groups() {
    for width in SIZES {
        for heads in [1, 2, 4, width].into_iter().filter(|&heads| width.is_multiple_of(heads)) {
            for channels in MAPS {
                check(
                    "widths",
                    [2, 9, width, heads, 3],
                    &ConvolutionOptions { channels, ..options(false, Mask::default()) },
                );
            }
        }
    }
    // Several panels of channels, and groups that are no whole chunks.
    check("panels", [1, 7, 300, 2, 4], &options(true, Mask::default()));
    let (_, mask) = masks(2, 9).swap_remove(4);
    for channels in MAPS {
        let options = ConvolutionOptions { renormalise: true, channels, ..options(false, mask.clone()) };
        check("renormalised", [2, 9, 60, 5, 4], &options);
    }
}

#[test]
fn kernels_equal_definitions_at_every_size_of_filter() {
    for taps in [1, 2, 3, 4, 8, 31, 64, 100] {
        for (causal, dilation) in [(false, 1), (true, 1), (false, 3), (true, 3), (false, 40)] {
            // Where a token reads itself alone, the gradient of its filter is zero up to rounding.
            let renormalise = taps > 30 && !causal && dilation < 30;
            let options = ConvolutionOptions { dilation, renormalise, ..options(causal, Mask::default()) };
            check("taps", [2, 30, 6, 3, taps], &options);
        }
    }
}

#[test]
fn kernels_equal_definitions_in_many_blocks() {
    for (name, mask) in masks(3, 400) {
        let options = ConvolutionOptions { dilation: 2, ..options(false, mask) };
        check(name, [3, 400, 96, 4, 7], &options);
    }
}

#[test]
fn operands_may_be_slices_and_transposes() {
    let run = |t: &mut Inputs, f: fn(Tensor<3>, Tensor<2>, ConvolutionOptions) -> Tensor<3>| {
        let (x, filters) = (t.input("x", [2, 9, 10]), t.input("filters", [5, 3]));
        f(x.narrow(2, 3, 6), filters.transpose(), options(true, Mask::default()))
    };
    fast_equals_portable(
        "views",
        |t| run(t, depthwise_convolution),
        |t| run(t, portable::depthwise_convolution),
    );
    let run = |t: &mut Inputs, f: fn(Tensor<3>, Tensor<4>, ConvolutionOptions) -> Tensor<3>| {
        let (x, filters) = (t.input("x", [2, 6, 9]), t.input("filters", [2, 9, 5, 3]));
        f(x.swap_dims(1, 2), filters.swap_dims(2, 3).narrow(2, 1, 2), options(false, Mask::default()))
    };
    fast_equals_portable("views", |t| run(t, dynamic_convolution), |t| run(t, portable::dynamic_convolution));
}

/// A frozen operand gets no gradient; that of the other stays the same.
#[test]
fn untracked_operands() {
    for renormalise in [false, true] {
        let options = ConvolutionOptions { renormalise, ..options(true, Mask::default()) };
        let filters = |t: &Inputs| t.constant((1..=8).map(f64::from).collect(), [2, 4]);
        fast_equals_portable(
            "frozen filters",
            |t| depthwise_convolution(t.input("x", [2, 7, 6]), filters(t), options.clone()),
            |t| portable::depthwise_convolution(t.input("x", [2, 7, 6]), filters(t), options.clone()),
        );
        let x = |t: &Inputs| t.constant((0..84).map(f64::from).map(f64::sin).collect(), [2, 7, 6]);
        fast_equals_portable(
            "frozen x",
            |t| depthwise_convolution(x(t), t.input("filters", [2, 4]).exp(), options.clone()),
            |t| portable::depthwise_convolution(x(t), t.input("filters", [2, 4]).exp(), options.clone()),
        );
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let (_, mask) = masks(2, 7).swap_remove(4);
    for (renormalise, channels) in [(false, ChannelMap::Modular), (true, ChannelMap::Contiguous)] {
        let options = ConvolutionOptions { renormalise, channels, ..options(false, mask.clone()) };
        differentiate("shared filters", |t| {
            let (x, filters) = shared(t, [2, 7, 6, 2, 4], renormalise);
            depthwise_convolution(x, filters, options.clone())
        });
        differentiate("own filters", |t| {
            let (x, filters) = own(t, [2, 7, 6, 2, 4], renormalise);
            dynamic_convolution(x, filters, options.clone())
        });
    }
}

/// Padded tokens have no influence on any gradient and get none, not even where they are no numbers.
#[test]
fn padded_tokens_get_no_gradient() {
    let real = |at: usize| at % 9 < 6 && at != 2;
    let mask = Mask { padding: Some((0..18).map(real).collect()), segments: None };
    let wild: Vec<f64> = (0..18 * 4).map(|at| if real(at / 4) { 0.0 } else { f64::NAN }).collect();
    for renormalise in [false, true] {
        let options = ConvolutionOptions { renormalise, ..options(false, mask.clone()) };
        let gradients = |wild: Vec<f64>| {
            let shared = evaluate(Precision::F64, |t| {
                let (x, filters) = shared(t, [2, 9, 4, 2, 5], renormalise);
                depthwise_convolution(x + t.constant(wild.clone(), [2, 9, 4]), filters, options.clone())
            });
            let own = evaluate(Precision::F64, |t| {
                let (x, filters) = own(t, [2, 9, 4, 2, 5], renormalise);
                dynamic_convolution(x + t.constant(wild.clone(), [2, 9, 4]), filters, options.clone())
            });
            [shared, own]
        };
        let wild = gradients(wild.clone());
        assert_eq!(wild, gradients(vec![0.0; 18 * 4]), "numbers in the padding are not read");
        for evaluation in wild {
            let (name, dx) = &evaluation[1];
            assert_eq!(name, "gradient of x");
            for (at, row) in dx.chunks_exact(4).enumerate() {
                assert_eq!(row.iter().any(|&dx| dx != 0.0), real(at), "gradient of token {at}");
            }
        }
    }
}
