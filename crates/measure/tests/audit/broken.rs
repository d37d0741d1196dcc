//! Layers as they have been published or written by mistake, each with a declaration that it breaks.

use burn::tensor::{Bool, Tensor};
use mixlab_kernels::{FourierGroups, Geometry, Mask, fourier_mix, softmax};
use mixlab_nn::mixer::Lengths;
use mixlab_nn::{Context, Promises};

use crate::spoiled::Layer;

const NOTHING: Promises = Promises {
    causal: false,
    any_length: true,
    padding_safe: false,
    streaming: false,
    prefix_consistent: false,
    permutation_equivariant: false,
};

/// What a causal mixer declares whose outputs depend on their past alone.
const CAUSAL: Promises = Promises { causal: true, streaming: true, prefix_consistent: true, ..NOTHING };

/// What a mixer declares that sees the real tokens, in no order.
const UNORDERED: Promises = Promises { padding_safe: true, permutation_equivariant: true, ..NOTHING };

/// Scores divided by the present length: `relu²(S)/n`, though a row sees its own past alone.
pub const DIVIDED_BY_LENGTH: Layer = Layer::new(CAUSAL, |x, context| {
    let n = x.dims()[1] as f64;
    let weights = masked(scores(&x).clamp_min(0.0).square(), context, &context.mask);
    weights.div_scalar(n).matmul(x)
});

/// A softmax over all keys, of which the hidden ones are removed afterwards: they stay in the denominator.
pub const MASKED_AFTER_SOFTMAX: Layer = Layer::new(UNORDERED, |x, context| {
    let documents = Mask { padding: None, ..context.mask.clone() };
    let scores = scores(&x).mask_fill(hidden(&x, context, &documents), f64::NEG_INFINITY);
    masked(softmax(scores), context, &context.mask).matmul(x)
});

/// FNet, every output of which is a sum over all positions, declared causal.
pub const CAUSAL_FNET: Layer =
    Layer::new(Promises { causal: true, padding_safe: true, ..NOTHING }, |x, context| {
        let [batch, n, _] = x.dims();
        fourier_mix(x, FourierGroups::of_mask(&context.mask, batch, n))
    });

/// Linear attention that hides keys by setting their values to zero: their features stay in the denominator.
pub const PADDING_IN_DENOMINATOR: Layer = Layer::new(UNORDERED, |x, context| {
    let features = burn::tensor::activation::sigmoid(x.clone());
    let products = features.clone().matmul(features.transpose());
    let documents = Mask { padding: None, ..context.mask.clone() };
    let denominator = masked(products.clone(), context, &documents).sum_dim(2);
    masked(products, context, &context.mask).matmul(x) / denominator
});

/// A bias by offset whose table is counted from the present length.
pub const BIAS_COUNTED_FROM_LENGTH: Layer = Layer::new(CAUSAL, |x, context| {
    let [batch, n, _] = x.dims();
    let bias = |i: usize, j: usize| (0.7 * (n - 1 + j - i.min(n - 1 + j)) as f64).sin();
    let values: Vec<f64> = (0..n).flat_map(|i| (0..n).map(move |j| bias(i, j))).collect();
    let bias = burn::tensor::TensorData::new(values, [1, n, n]);
    let bias = Tensor::<3>::from_data(bias, (&x.device(), x.dtype())).expand([batch, n, n]);
    masked((scores(&x) + bias).clamp_min(0.0).square(), context, &context.mask).div_scalar(8.0).matmul(x)
});

/// A mean over the tokens of the document, hidden ones included.
pub const MEAN_OF_ALL: Layer = Layer::new(UNORDERED, |x, context| {
    let documents = Mask { padding: None, ..context.mask.clone() };
    mean(x, context, &documents, 0.0)
});

/// A running mean whose state forgets all but the last sixteen tokens.
pub const FORGETFUL: Layer = Layer { memory: 16, ..RUNNING_MEAN };

/// A running mean that divides by zero where no token is real.
pub const NOTHING_OVER_NOTHING: Layer =
    Layer::new(Promises { padding_safe: true, ..CAUSAL }, |x, context| mean(x, context, &context.mask, 0.0));

/// A running mean that panics at more than seven tokens.
pub const PANICKING: Layer = Layer::new(Promises { padding_safe: true, ..CAUSAL }, |x, context| {
    let n = x.dims()[1];
    assert!(n <= 7, "{n} tokens are too many for me");
    (RUNNING_MEAN.mix)(x, context)
});

/// A running mean whose kernel gives a gradient that is one millionth too large.
pub const WRONG_GRADIENT: Layer = Layer { gradient: 1.0 + 1e-6, ..RUNNING_MEAN };

/// A running mean that takes at most ten tokens, in a model that does not know.
pub const SHORT: Layer = Layer {
    lengths: Lengths::AtMost(10),
    promises: Promises { any_length: false, ..CAUSAL },
    ..RUNNING_MEAN
};

/// A running mean that takes at most ten tokens and declares to take any number.
pub const SHORT_AND_BOASTING: Layer =
    Layer { lengths: Lengths::AtMost(10), promises: CAUSAL, ..RUNNING_MEAN };

/// A factor by position, declared blind to it.
pub const ORDERED: Layer = Layer::new(UNORDERED, |x, _| {
    let n = x.dims()[1];
    let factors: Vec<f64> = (0..n).map(|position| 1.0 / (1 + position) as f64).collect();
    let factors = burn::tensor::TensorData::new(factors, [1, n, 1]);
    x.clone() * Tensor::<3>::from_data(factors, (&x.device(), x.dtype()))
});

/// A mean over the row that ignores where documents end.
pub const ACROSS_DOCUMENTS: Layer = Layer::new(UNORDERED, |x, context| {
    let padding = Mask { segments: None, ..context.mask.clone() };
    mean(x, context, &padding, 1e-3)
});

/// What is sound: a mean over the real tokens that a position sees.
pub const RUNNING_MEAN: Layer =
    Layer::new(Promises { padding_safe: true, ..CAUSAL }, |x, context| mean(x, context, &context.mask, 1e-3));

/// `Σ x_j / (count + ε)` over the tokens j that a mask shows.
fn mean(x: Tensor<3>, context: &Context, mask: &Mask, epsilon: f64) -> Tensor<3> {
    let shown = masked(scores(&x).ones_like(), context, mask);
    let count = shown.clone().sum_dim(2);
    shown.matmul(x) / count.add_scalar(epsilon)
}

/// `x·xᵀ/√d`, `[b, n, n]`.
fn scores(x: &Tensor<3>) -> Tensor<3> {
    let width = x.dims()[2] as f64;
    x.clone().matmul(x.clone().transpose()).div_scalar(width.sqrt())
}

/// `weights` `[b, n, n]` with zeros where a pair is hidden.
fn masked(weights: Tensor<3>, context: &Context, mask: &Mask) -> Tensor<3> {
    let pairs = hidden(&weights, context, mask);
    weights.mask_fill(pairs, 0.0)
}

/// `[b, n, n]`.
fn hidden(like: &Tensor<3>, context: &Context, mask: &Mask) -> Tensor<3, Bool> {
    let [batch, n, _] = like.dims();
    let geometry = Geometry { batch, queries: n, keys: n, causal: context.causal };
    mask.hidden(&geometry, &like.device())
}
