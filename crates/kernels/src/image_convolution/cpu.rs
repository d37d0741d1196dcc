//! The three maps, a sample at a time: its windows are laid out in the cache, and multiplied there.
//!
//! Where a convolution keeps the size of its images it is also a transposed one, and the other way round, by the weight turned around
//! ([`mirrored`]). So windows are laid out, or added up, on the side that has fewer channels: nine copies of three channels in place of nine
//! copies of 64.

use burn_flex::FlexTensor;

use super::ConvolutionWindow;
use crate::cpu::{
    ByRows, Matrix, Real, contiguous, for_blocks, output, product, slice, sum_blocks, tensor, transpose,
    viewable, with_real,
};
use crate::epilogue::FlexEpilogue;
use crate::profile;

/// Parts of a batch whose weight gradients are summed apart: does not depend on the number of threads.
const PARTS: usize = 8;

/// Parts of a batch that are mapped apart, with a buffer for windows each.
const TASKS: usize = 32;

/// Sizes of a convolution.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Height, width and channels of the input.
    input: [usize; 3],
    /// Of the output.
    output: [usize; 3],
    window: ConvolutionWindow,
}

impl Sizes {
    fn new(input: [usize; 3], channels: usize, window: ConvolutionWindow) -> Self {
        let [height, width, _] = input;
        Sizes { input, output: [window.output(height), window.output(width), channels], window }
    }

    fn input_size(&self) -> usize {
        self.input.iter().product()
    }

    fn output_size(&self) -> usize {
        self.output.iter().product()
    }

    /// Windows of a sample.
    fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Numbers of a window.
    fn row(&self) -> usize {
        self.window.size() * self.input[2]
    }

    /// Calls `part(window row in numbers, place in the image, numbers)` for every run of numbers that a window and the image share.
    #[inline]
    fn for_runs(&self, mut part: impl FnMut(usize, usize, usize)) {
        let [height, width, channels] = self.input;
        let (side, row) = (self.window.side, self.row());
        for y in 0..self.output[0] {
            let (top, above, rows) = self.window.inside(y, height);
            for x in 0..self.output[1] {
                let (left, before, columns) = self.window.inside(x, width);
                let start = (y * self.output[1] + x) * row;
                for i in 0..rows {
                    let at = start + ((above + i) * side + before) * channels;
                    part(at, ((top + i) * width + left) * channels, columns * channels);
                }
            }
        }
    }
}

/// Lays the windows of a sample out, `[pixels, row]`, but for the zeros around it.
fn unfold<T: Real>(sizes: &Sizes, x: &[T], windows: &mut [T]) {
    sizes.for_runs(|to, from, count| windows[to..to + count].copy_from_slice(&x[from..from + count]));
}

/// Adds windows up where they overlap; `x` is written whole.
fn fold<T: Real>(sizes: &Sizes, windows: &[T], x: &mut [T]) {
    x.fill(T::ZERO);
    sizes.for_runs(|from, to, count| {
        for (x, &value) in x[to..to + count].iter_mut().zip(&windows[from..from + count]) {
            *x += value;
        }
    });
}

/// Calls `use_windows` with the windows of a sample: the sample itself, where a window is a pixel. `buffer` is empty for the first sample, and
/// keeps the zeros that are around every one.
fn with_windows<T: Real>(sizes: &Sizes, x: &[T], buffer: &mut Vec<T>, mut use_windows: impl FnMut(&[T])) {
    if sizes.window.is_point() {
        return use_windows(x);
    }
    if buffer.is_empty() {
        *buffer = vec![T::ZERO; sizes.pixels() * sizes.row()];
    }
    unfold(sizes, x, buffer);
    use_windows(buffer);
}

/// Calls `work` with every sample, its output of `size` numbers and a buffer, which the samples of a part of the batch share.
fn for_samples<T: Real>(
    out: &mut [T],
    size: usize,
    batch: usize,
    work: impl Fn(usize, &mut [T], &mut Vec<T>) + Sync + Send,
) {
    let samples = batch.div_ceil(TASKS).max(1);
    for_blocks(out, samples * size, |start, part| {
        let mut buffer = Vec::new();
        for (index, out) in part.chunks_exact_mut(size).enumerate() {
            work(start / size + index, out, &mut buffer);
        }
    });
}

fn dimensions(x: &FlexTensor) -> [usize; 4] {
    let shape = x.layout().shape().as_slice();
    [shape[0], shape[1], shape[2], shape[3]]
}

/// y = u(x)·W, finished by an epilogue.
pub(super) fn convolution(
    x: &FlexTensor,
    weight: &FlexTensor,
    epilogue: &FlexEpilogue,
    window: ConvolutionWindow,
) -> FlexTensor {
    profile::operation(
        "image_convolution",
        [x, weight],
        || with_real!(x.dtype(), R => convolution_as::<R>(x, weight, epilogue, window)),
    )
}

fn convolution_as<T: Real>(
    x: &FlexTensor,
    weight: &FlexTensor,
    epilogue: &FlexEpilogue,
    window: ConvolutionWindow,
) -> FlexTensor {
    let (x, weight) = (contiguous(x), viewable(weight.clone()));
    let [batch, height, width, channels] = dimensions(&x);
    let outputs = weight.layout().shape().as_slice()[1];
    if window.keeps_size() && outputs < channels {
        let weight = mirrored::<T>(&weight, window);
        return transposed_as::<T>(&x, &weight, epilogue, window, [height, width]);
    }
    let sizes = Sizes::new([height, width, channels], outputs, window);
    let (values, weight) = (slice::<T>(&x), Matrix::<T>::of(&weight));
    let finish = epilogue.finish::<T>(outputs, sizes.output_size());
    let mut y = output::<T>(batch * sizes.output_size());
    for_samples(&mut y, sizes.output_size(), batch, |sample, y, buffer| {
        let x = &values[sample * sizes.input_size()..][..sizes.input_size()];
        with_windows(&sizes, x, buffer, |windows| {
            let windows = Matrix::new(windows, sizes.pixels(), sizes.row());
            product(y, windows, weight, T::ONE, false, batch == 1);
        });
        finish.run(sample * sizes.output_size(), y);
    });
    let [rows, columns, _] = sizes.output;
    tensor(y, [batch, rows, columns, outputs])
}

/// x̂ = uᵀ(y·Wᵀ), finished by an epilogue.
pub(super) fn transposed(
    y: &FlexTensor,
    weight: &FlexTensor,
    epilogue: &FlexEpilogue,
    window: ConvolutionWindow,
    size: [usize; 2],
) -> FlexTensor {
    profile::operation(
        "image_convolution",
        [y, weight],
        || with_real!(y.dtype(), R => transposed_as::<R>(y, weight, epilogue, window, size)),
    )
}

fn transposed_as<T: Real>(
    y: &FlexTensor,
    weight: &FlexTensor,
    epilogue: &FlexEpilogue,
    window: ConvolutionWindow,
    [height, width]: [usize; 2],
) -> FlexTensor {
    let (y, weight) = (contiguous(y), viewable(weight.clone()));
    let [batch, .., outputs] = dimensions(&y);
    let channels = weight.layout().shape().as_slice()[0] / window.size();
    if window.keeps_size() && outputs < channels {
        return convolution_as::<T>(&y, &mirrored::<T>(&weight, window), epilogue, window);
    }
    let sizes = Sizes::new([height, width, channels], outputs, window);
    // All samples share the weight: it is turned once.
    let turned = ByRows::new(Matrix::<T>::of(&weight).t());
    let (values, weight) = (slice::<T>(&y), turned.matrix());
    let finish = epilogue.finish::<T>(channels, sizes.input_size());
    let mut x = output::<T>(batch * sizes.input_size());
    for_samples(&mut x, sizes.input_size(), batch, |sample, x, windows| {
        let y = &values[sample * sizes.output_size()..][..sizes.output_size()];
        let y = Matrix::new(y, sizes.pixels(), outputs);
        if window.is_point() {
            product(x, y, weight, T::ONE, false, batch == 1);
        } else {
            if windows.is_empty() {
                *windows = output::<T>(sizes.pixels() * sizes.row());
            }
            product(windows, y, weight, T::ONE, false, batch == 1);
            fold(&sizes, windows, x);
        }
        finish.run(sample * sizes.input_size(), x);
    });
    tensor(x, [batch, height, width, channels])
}

/// dW = u(x)ᵀ·dy, in parts of the batch that are added in order.
pub(super) fn weights(x: &FlexTensor, dy: &FlexTensor, window: ConvolutionWindow) -> FlexTensor {
    profile::operation(
        "image_convolution",
        [x, dy],
        || with_real!(x.dtype(), R => weights_as::<R>(x, dy, window)),
    )
}

fn weights_as<T: Real>(x: &FlexTensor, dy: &FlexTensor, window: ConvolutionWindow) -> FlexTensor {
    let (x, dy) = (contiguous(x), contiguous(dy));
    let [batch, height, width, channels] = dimensions(&x);
    let [.., outputs] = dimensions(&dy);
    if window.keeps_size() && outputs < channels {
        return mirrored::<T>(&weights_as::<T>(&dy, &x, window), window);
    }
    let sizes = Sizes::new([height, width, channels], outputs, window);
    let (xs, dys) = (slice::<T>(&x), slice::<T>(&dy));
    let size = sizes.row() * outputs;
    let samples = batch.div_ceil(PARTS).max(1);
    let mut parts = output::<T>(batch.div_ceil(samples).max(1) * size);
    if batch == 0 {
        parts.fill(T::ZERO);
    }
    for_blocks(&mut parts, size, |start, part| {
        let first = start / size * samples;
        let mut buffer = Vec::new();
        for sample in first..batch.min(first + samples) {
            let x = &xs[sample * sizes.input_size()..][..sizes.input_size()];
            let dy = &dys[sample * sizes.output_size()..][..sizes.output_size()];
            with_windows(&sizes, x, &mut buffer, |windows| {
                let windows = Matrix::new(windows, sizes.pixels(), sizes.row()).t();
                let dy = Matrix::new(dy, sizes.pixels(), outputs);
                product(part, windows, dy, T::ONE, sample > first, false);
            });
        }
    });
    tensor(sum_blocks(&parts, size), [sizes.row(), outputs])
}

/// `[side·side·in, out]` to `[side·side·out, in]`, pixels of the window backwards: the weight with which the adjoint of a convolution that
/// keeps the size of its images is a convolution.
fn mirrored<T: Real>(weight: &FlexTensor, window: ConvolutionWindow) -> FlexTensor {
    let weight = Matrix::<T>::of(weight);
    let (rows, outputs) = weight.size();
    let channels = rows / window.size();
    let size = channels * outputs;
    let mut turned = output::<T>(rows * outputs);
    for (pixel, turned) in turned.chunks_exact_mut(size.max(1)).rev().enumerate() {
        let weight = weight.part(pixel * channels..(pixel + 1) * channels, 0..outputs);
        transpose(weight, turned, channels);
    }
    tensor(turned, [window.size() * outputs, channels])
}
