//! Batch normalisation over blocks of rows.
//!
//! Moments are those of blocks that stay in the cache, joined in order and in double precision by
//!
//! ```text
//! mean = Σ n_i·mean_i / n          n·variance = Σ [squares_i + n_i·(mean_i − mean)²]
//! ```
//!
//! so that nothing is lost where the mean is large against the deviation (Chan, Golub and LeVeque, "Algorithms for computing the sample variance",
//! 1983, equation 2.1). With x̂ = (x − mean)·inverse and inverse = 1/√(variance + ε):
//!
//! ```text
//! dβ = Σ dy          dγ = Σ dy·x̂          dx = γ·inverse·(dy − dβ/n − x̂·dγ/n)
//! ```

use burn_flex::FlexTensor;

use crate::cpu::{
    Real, block_rows, contiguous, for_blocks, output, slice, sum_blocks, tensor, vectorised, with_real,
};
use crate::profile;

/// What the backward pass needs.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    pub x: FlexTensor,
    pub gain: FlexTensor,
    pub mean: FlexTensor,
    pub variance: FlexTensor,
    pub epsilon: f64,
}

/// Means and variances of the channels.
pub(super) fn moments(x: &FlexTensor) -> [FlexTensor; 2] {
    profile::operation("batch_norm", [x], || with_real!(x.dtype(), R => moments_as::<R>(x)))
}

fn moments_as<T: Real>(x: &FlexTensor) -> [FlexTensor; 2] {
    let x = contiguous(x);
    let (values, channels) = (slice::<T>(&x), channels(&x));
    let size = block_rows(channels) * channels;
    // Means and sums of squares of every block, side by side.
    let mut parts = vec![T::ZERO; values.len().div_ceil(size) * 2 * channels];
    for_blocks(&mut parts, 2 * channels, |start, part| {
        let first = start / (2 * channels) * size;
        let (mean, squares) = part.split_at_mut(channels);
        block_moments(&values[first..values.len().min(first + size)], mean, squares);
    });
    let rows = |part: usize| ((values.len() - part * size).min(size) / channels) as f64;
    let count = (values.len() / channels) as f64;
    let joined = |channel: usize| {
        let parts = parts.chunks_exact(2 * channels).enumerate();
        let sum: f64 = parts.clone().map(|(i, part)| rows(i) * part[channel].wide()).sum();
        let mean = sum / count;
        let squares = parts.map(|(i, part)| {
            let away = part[channel].wide() - mean;
            part[channels + channel].wide() + rows(i) * away * away
        });
        [mean, squares.sum::<f64>() / count]
    };
    let joined: Vec<[f64; 2]> = (0..channels).map(joined).collect();
    [0, 1].map(|moment| tensor(joined.iter().map(|of| T::of(of[moment])).collect(), [channels]))
}

/// The value; `saved` is what it is computed from.
pub(super) fn forward(saved: &Saved, bias: &FlexTensor) -> FlexTensor {
    profile::operation(
        "batch_norm",
        [&saved.x],
        || with_real!(saved.x.dtype(), R => forward_as::<R>(saved, bias)),
    )
}

fn forward_as<T: Real>(saved: &Saved, bias: &FlexTensor) -> FlexTensor {
    let (x, bias) = (contiguous(&saved.x), contiguous(bias));
    let (values, bias, of) = (slice::<T>(&x), slice::<T>(&bias), Channels::<T>::new(saved));
    let mut y = output::<T>(values.len());
    for_blocks(&mut y, of.block(), |start, y| {
        normalise(y, &values[start..start + y.len()], &of, bias);
    });
    tensor(y, x.layout().shape().clone())
}

/// Gradients of x, gain and bias, of those that are `needed`.
pub(super) fn backward(dy: &FlexTensor, saved: &Saved, needed: [bool; 3]) -> [Option<FlexTensor>; 3] {
    profile::operation(
        "batch_norm",
        [dy, &saved.x],
        || with_real!(dy.dtype(), R => backward_as::<R>(dy, saved, needed)),
    )
}

fn backward_as<T: Real>(dy: &FlexTensor, saved: &Saved, needed: [bool; 3]) -> [Option<FlexTensor>; 3] {
    let (dy, x) = (contiguous(dy), contiguous(&saved.x));
    let (gradient, values, of) = (slice::<T>(&dy), slice::<T>(&x), Channels::<T>::new(saved));
    let channels = of.mean.len();
    let parts = values.len().div_ceil(of.block());
    let mut sums = vec![T::ZERO; parts * 2 * channels];
    for_blocks(&mut sums, 2 * channels, |start, part| {
        let first = start / (2 * channels) * of.block();
        let range = first..values.len().min(first + of.block());
        add_sums(part, &gradient[range.clone()], &values[range], &of);
    });
    let sums = sum_blocks(&sums, 2 * channels);
    let (dbias, dgain) = sums.split_at(channels);
    let dx = needed[0].then(|| {
        let count = T::of(channels as f64 / values.len() as f64);
        let means: Vec<T> = sums.iter().map(|&sum| sum * count).collect();
        let mut dx = output::<T>(values.len());
        for_blocks(&mut dx, of.block(), |start, dx| {
            let range = start..start + dx.len();
            gradients(dx, &gradient[range.clone()], &values[range], &of, &means);
        });
        tensor(dx, x.layout().shape().clone())
    });
    let parameter = |values: &[T]| tensor(values.to_vec(), [channels]);
    [dx, needed[1].then(|| parameter(dgain)), needed[2].then(|| parameter(dbias))]
}

fn channels(x: &FlexTensor) -> usize {
    x.layout().shape().as_slice().last().copied().unwrap_or(1)
}

/// What is done to every channel.
struct Channels<T> {
    mean: Vec<T>,
    /// 1/√(variance + ε).
    inverse: Vec<T>,
    /// γ·inverse.
    scale: Vec<T>,
}

impl<T: Real> Channels<T> {
    fn new(saved: &Saved) -> Self {
        let [mean, variance, gain] =
            [&saved.mean, &saved.variance, &saved.gain].map(|x| slice::<T>(&contiguous(x)).to_vec());
        let inverse: Vec<T> =
            variance.iter().map(|variance| T::of((variance.wide() + saved.epsilon).sqrt().recip())).collect();
        let scale = gain.iter().zip(&inverse).map(|(&gain, &inverse)| gain * inverse).collect();
        Channels { mean, inverse, scale }
    }

    /// Numbers of a block of whole rows.
    fn block(&self) -> usize {
        let channels = self.mean.len();
        block_rows(channels) * channels
    }
}

vectorised! {
    /// Means of rows, and sums of the squares of what is left.
    fn block_moments<T: Real>(x: &[T], mean: &mut [T], squares: &mut [T]) {
        let channels = mean.len();
        for row in x.chunks_exact(channels) {
            for (sum, &x) in mean.iter_mut().zip(row) {
                *sum += x;
            }
        }
        let share = T::of(channels as f64 / x.len() as f64);
        for mean in mean.iter_mut() {
            *mean = *mean * share;
        }
        for row in x.chunks_exact(channels) {
            for ((square, &x), &mean) in squares.iter_mut().zip(row).zip(mean.iter()) {
                let away = x - mean;
                *square = away.mul_add(away, *square);
            }
        }
    }
}

vectorised! {
    fn normalise<T: Real>(y: &mut [T], x: &[T], of: &Channels<T>, bias: &[T]) {
        let channels = of.mean.len();
        for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            let of = of.mean.iter().zip(&of.scale).zip(bias);
            for ((y, &x), ((&mean, &scale), &bias)) in y.iter_mut().zip(x).zip(of) {
                *y = (x - mean).mul_add(scale, bias);
            }
        }
    }
}

vectorised! {
    /// Adds Σ dy and Σ dy·x̂ of rows to the two halves of `sums`.
    fn add_sums<T: Real>(sums: &mut [T], dy: &[T], x: &[T], of: &Channels<T>) {
        let channels = of.mean.len();
        let (sums, products) = sums.split_at_mut(channels);
        for (dy, x) in dy.chunks_exact(channels).zip(x.chunks_exact(channels)) {
            for (((sum, product), (&dy, &x)), (&mean, &inverse)) in sums
                .iter_mut()
                .zip(products.iter_mut())
                .zip(dy.iter().zip(x))
                .zip(of.mean.iter().zip(&of.inverse))
            {
                *sum += dy;
                *product = ((x - mean) * inverse).mul_add(dy, *product);
            }
        }
    }
}

vectorised! {
    /// dx from dy and the means of dy and of dy·x̂.
    fn gradients<T: Real>(dx: &mut [T], dy: &[T], x: &[T], of: &Channels<T>, means: &[T]) {
        let channels = of.mean.len();
        let (means, products) = means.split_at(channels);
        let rows = dy.chunks_exact(channels).zip(x.chunks_exact(channels));
        for (dx, (dy, x)) in dx.chunks_exact_mut(channels).zip(rows) {
            for (((dx, (&dy, &x)), (&mean, &inverse)), ((&scale, &of_dy), &of_product)) in dx
                .iter_mut()
                .zip(dy.iter().zip(x))
                .zip(of.mean.iter().zip(&of.inverse))
                .zip(of.scale.iter().zip(means).zip(products))
            {
                let normal = (x - mean) * inverse;
                *dx = scale * (dy - of_dy - normal * of_product);
            }
        }
    }
}
