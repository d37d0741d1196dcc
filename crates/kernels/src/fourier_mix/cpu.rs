//! The transform by real fast Fourier transforms along both axes.
//!
//! With the transforms `Z_m[l] = A_m[l] + i·B_m[l]` of the n rows, the result is
//! `y[k,l] = Σ_m A_m[l]·cos(2πkm/n) + B_m[l]·sin(2πkm/n)`. The cosines take the part of A that is even in m, and the sines
//! the part of B that is odd: the real column `r_m = (A_m + A_{n−m})/2 + (B_m − B_{n−m})/2` has the spectrum R with
//! `Re R[k] = Σ A cos` and `−Im R[k] = Σ B sin`, so that `y[k,l] = Re R[k] − Im R[k]` and
//! `y[n−k,l] = Re R[k] + Im R[k]`. Of the columns only `l ≤ d/2` are needed, since `y[k,d−l] = y[n−k,l]`. That
//! is a quarter of the work of a complex transform over both axes.

use burn_flex::FlexTensor;
use rayon::prelude::*;
use realfft::num_complex::Complex;

use super::FourierGroups;
use super::plan::{Plan, Planned, Transform, plan};
use crate::cpu::{
    Matrix, Real, Rows, block_rows, for_blocks, output, tensor, transpose, vectorised, with_real, with_rows,
};
use crate::profile;

pub(super) fn fourier_mix(x: FlexTensor, groups: Option<&FourierGroups>) -> FlexTensor {
    let x = with_rows(x);
    profile::operation("fourier_mix", [&x], || with_real!(x.dtype(), R => mix::<R>(&x, groups)))
}

fn mix<T: Planned>(x: &FlexTensor, groups: Option<&FourierGroups>) -> FlexTensor {
    let shape = x.layout().shape();
    let (batch, n, channels) = (shape[0], shape[1], shape[2]);
    let mut y = output::<T>(shape.num_elements());
    if !y.is_empty() {
        let groups: Vec<Vec<usize>> = match groups {
            None => (0..batch).map(|b| (b * n..(b + 1) * n).collect()).collect(),
            Some(groups) => {
                groups.iter().map(|group| group.iter().map(|&at| at as usize).collect()).collect()
            }
        };
        let mut rows: Vec<Option<&mut [T]>> = y.chunks_exact_mut(channels).map(Some).collect();
        let sequences: Vec<Sequence<'_, T>> = groups
            .iter()
            .filter(|group| !group.is_empty())
            .map(|group| Sequence {
                inputs: group,
                outputs: group.iter().map(|&at| rows[at].take().expect("a position of one group")).collect(),
            })
            .collect();
        rows.into_iter().flatten().for_each(|row| row.fill(T::ZERO));
        let (x, along_channels) = (Rows::new(x), plan(channels));
        sequences.into_par_iter().for_each(|sequence| {
            let columns =
                transformed_columns(folded_rows(x, sequence.inputs, &along_channels), sequence.inputs.len());
            write_rows(&columns, sequence.outputs);
        });
    }
    tensor(y, shape.clone())
}

/// Rows that are transformed together.
struct Sequence<'a, T> {
    inputs: &'a [usize],
    outputs: Vec<&'a mut [T]>,
}

/// The columns r as rows `[n, d/2 + 1]`.
fn folded_rows<T: Planned>(x: Rows<'_, T>, inputs: &[usize], along_channels: &Plan<T>) -> Vec<T> {
    let (n, bins) = (inputs.len(), along_channels.complex_len());
    let mut folded = output::<T>(n * bins);
    let mut rows: Vec<Option<&mut [T]>> = folded.chunks_exact_mut(bins).map(Some).collect();
    // Rows m and n − m; row 0, and row n/2 of an even n, are their own mirrors and come without one.
    let pairs: Vec<_> = (0..=n / 2).map(|m| (m, rows[m].take(), rows[(n - m) % n].take())).collect();
    let least = block_rows(4 * bins);
    let buffers = || {
        let transform = Transform::new(along_channels);
        let spectra = [(); 2].map(|()| transform.spectrum());
        (transform, spectra)
    };
    pairs.into_par_iter().with_min_len(least).for_each_init(
        buffers,
        |(transform, [a, b]), (m, row, mirror)| {
            let row = row.expect("a row of one pair");
            transform.run(x.row(inputs[m]), a);
            match mirror {
                None => real_parts(row, a),
                Some(mirror) => {
                    transform.run(x.row(inputs[n - m]), b);
                    fold(row, mirror, a, b);
                }
            }
        },
    );
    folded
}

/// `y[k,l]` for `l ≤ d/2`, `[n, d/2 + 1]`, from the columns r.
fn transformed_columns<T: Planned>(mut folded: Vec<T>, n: usize) -> Vec<T> {
    /// Columns of a block: rows of it fill lines of the cache, and it stays in the cache while it is transformed.
    const COLUMNS: usize = 16;
    let bins = folded.len() / n;
    let along_tokens = plan(n);
    let mut columns = output::<T>(bins * n);
    let blocks = columns.par_chunks_mut(COLUMNS * n).enumerate();
    let buffers = || {
        let transform = Transform::new(&along_tokens);
        let spectrum = transform.spectrum();
        (transform, spectrum)
    };
    blocks.with_min_len(block_rows(COLUMNS * n)).for_each_init(
        buffers,
        |(transform, spectrum), (i, block)| {
            let range = i * COLUMNS..i * COLUMNS + block.len() / n;
            transpose(Matrix::new(&folded, n, bins).part(0..n, range), block, n);
            for column in block.chunks_exact_mut(n) {
                transform.run(column, spectrum);
                unfold(column, spectrum);
            }
        },
    );
    let columns = Matrix::new(&columns, bins, n);
    for_blocks(&mut folded, block_rows(bins) * bins, |start, block| {
        let range = start / bins..(start + block.len()) / bins;
        transpose(columns.part(0..bins, range), block, bins);
    });
    folded
}

/// The rows of the result, whose second half is `y[k,d−l] = y[n−k,l]`.
fn write_rows<T: Real>(half: &[T], mut outputs: Vec<&mut [T]>) {
    let n = outputs.len();
    let bins = half.len() / n;
    outputs.par_iter_mut().with_min_len(block_rows(2 * bins)).enumerate().for_each(|(k, row)| {
        let (first, second) = row.split_at_mut(bins);
        let mirror = (n - k) % n * bins;
        first.copy_from_slice(&half[k * bins..(k + 1) * bins]);
        for (y, &mirrored) in second.iter_mut().rev().zip(&half[mirror + 1..mirror + bins]) {
            *y = mirrored;
        }
    });
}

vectorised! {
    fn real_parts<T: Real>(row: &mut [T], a: &[Complex<T>]) {
        for (row, a) in row.iter_mut().zip(a) {
            *row = a.re;
        }
    }
}

vectorised! {
    /// r_m and r_{n−m} from the transforms of rows m and n − m.
    fn fold<T: Real>(row: &mut [T], mirror: &mut [T], a: &[Complex<T>], b: &[Complex<T>]) {
        let half = T::of(0.5);
        for (((row, mirror), a), b) in row.iter_mut().zip(mirror).zip(a).zip(b) {
            let (even, odd) = ((a.re + b.re) * half, (a.im - b.im) * half);
            *row = even + odd;
            *mirror = even - odd;
        }
    }
}

vectorised! {
    /// A column of the result from the spectrum of r.
    fn unfold<T: Real>(column: &mut [T], spectrum: &[Complex<T>]) {
        let n = column.len();
        let (low, high) = column.split_at_mut(spectrum.len());
        for (y, z) in low.iter_mut().zip(spectrum) {
            *y = z.re - z.im;
        }
        // Frequency n − k for k = 1, 2, ..: the middle one of an even n is its own mirror.
        for (y, z) in high.iter_mut().rev().zip(&spectrum[1..n - low.len() + 1]) {
            *y = z.re + z.im;
        }
    }
}
