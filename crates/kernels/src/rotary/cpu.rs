//! The rotation over blocks of positions, with the angles' sines and cosines made once.

use std::sync::Arc;

use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::RotaryLayout;
use crate::cpu::{Real, block_rows, for_blocks, output, slice, tensor, vectorised, with_real};

/// The rotation of every position, in double precision.
#[derive(Clone, Debug)]
pub(crate) struct Rotation {
    layout: RotaryLayout,
    /// Number of rotated pairs of channels.
    pairs: usize,
    /// `[n, pairs]`.
    cosines: Arc<[f64]>,
    sines: Arc<[f64]>,
    /// −1 turns backwards.
    direction: f64,
}

impl Rotation {
    pub(super) fn new(
        layout: RotaryLayout,
        pairs: usize,
        base: f64,
        positions: std::ops::Range<usize>,
    ) -> Self {
        let frequencies: Vec<f64> =
            (0..pairs).map(|i| base.powf(-2.0 * i as f64 / (2 * pairs) as f64)).collect();
        let angles: Vec<(f64, f64)> = positions
            .into_par_iter()
            .flat_map_iter(|position| frequencies.iter().map(move |f| (position as f64 * f).sin_cos()))
            .collect();
        let (sines, cosines): (Vec<_>, Vec<_>) = angles.into_iter().unzip();
        Rotation { layout, pairs, cosines: cosines.into(), sines: sines.into(), direction: 1.0 }
    }

    pub(super) fn inverse(self) -> Self {
        Rotation { direction: -self.direction, ..self }
    }
}

pub(super) fn rotate(x: &FlexTensor, rotation: &Rotation) -> FlexTensor {
    with_real!(x.dtype(), R => rotate_as::<R>(x, rotation))
}

fn rotate_as<T: Real>(x: &FlexTensor, rotation: &Rotation) -> FlexTensor {
    let shape = x.layout().shape().clone();
    let (length, heads, width) = (shape[1], shape[2], shape[3]);
    let x = x.to_contiguous();
    let values = slice::<T>(&x);
    let pairs = rotation.pairs;
    let cosines: Vec<T> = rotation.cosines.iter().map(|&c| T::of(c)).collect();
    let sines: Vec<T> = rotation.sines.iter().map(|&s| T::of(s * rotation.direction)).collect();
    let row = heads * width;
    let mut out = output::<T>(values.len());
    for_blocks(&mut out, block_rows(row) * row, |start, block| {
        for (i, out) in (start / row..).zip(block.chunks_exact_mut(row)) {
            let angles = i % length * pairs..(i % length + 1) * pairs;
            let (cosines, sines) = (&cosines[angles.clone()], &sines[angles]);
            let x = &values[i * row..(i + 1) * row];
            match rotation.layout {
                RotaryLayout::SplitHalf => split_half(out, x, width, cosines, sines),
                RotaryLayout::Interleaved => interleaved(out, x, width, cosines, sines),
            }
        }
    });
    tensor(out, shape)
}

vectorised! {
    /// All heads of one position, channel i paired with channel i + pairs.
    fn split_half<T: Real>(out: &mut [T], x: &[T], width: usize, cosines: &[T], sines: &[T]) {
        let pairs = cosines.len();
        for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let (x, rest) = x.split_at(2 * pairs);
            let (out, out_rest) = out.split_at_mut(2 * pairs);
            let (a, b) = x.split_at(pairs);
            let (out_a, out_b) = out.split_at_mut(pairs);
            let (outs, angles) = (out_a.iter_mut().zip(out_b), cosines.iter().zip(sines));
            for (((out_a, out_b), (&a, &b)), (&cosine, &sine)) in outs.zip(a.iter().zip(b)).zip(angles) {
                *out_a = a * cosine - b * sine;
                *out_b = a * sine + b * cosine;
            }
            out_rest.copy_from_slice(rest);
        }
    }
}

vectorised! {
    /// All heads of one position, channel 2i paired with channel 2i + 1.
    fn interleaved<T: Real>(out: &mut [T], x: &[T], width: usize, cosines: &[T], sines: &[T]) {
        let pairs = cosines.len();
        for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let (x, rest) = x.split_at(2 * pairs);
            let (out, out_rest) = out.split_at_mut(2 * pairs);
            let angles = cosines.iter().zip(sines);
            for ((out, x), (&cosine, &sine)) in out.chunks_exact_mut(2).zip(x.chunks_exact(2)).zip(angles) {
                out[0] = x[0] * cosine - x[1] * sine;
                out[1] = x[0] * sine + x[1] * cosine;
            }
            out_rest.copy_from_slice(rest);
        }
    }
}
