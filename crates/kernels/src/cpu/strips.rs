//! Strips of a product under AVX2: all rows of a left operand against one panel of the right one, in tiles of registers.
//!
//! A tile has six rows of sixteen sums: twelve registers, enough that no addition waits for another, and few enough rows that they do
//! not push each other out of the first-level cache where their distance is a power of two. With AVX-512 the general product is at the
//! machine's limit as it is (docs/concepts/performance.md).

use std::arch::x86_64::{
    _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
};

use super::packed::{LANES, PANEL, Strip, TILE_ROWS};

/// Computes a strip.
///
/// # Safety
/// As for [`super::Real::strip`], on a processor with AVX2 and fused multiply-add.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn strip(strip: &Strip<f32>) {
    debug_assert!(strip.columns > 0 && strip.columns <= PANEL, "columns of a strip");
    // SAFETY: the caller's promise.
    unsafe {
        if strip.columns > LANES {
            all_rows::<2>(strip);
        } else {
            all_rows::<1>(strip);
        }
    }
}

/// # Safety
/// As above, and `strip.columns` must need so many registers.
#[target_feature(enable = "avx2,fma")]
unsafe fn all_rows<const VECTORS: usize>(strip: &Strip<f32>) {
    for first in (0..strip.rows).step_by(TILE_ROWS) {
        // SAFETY: the caller's promise, and so many rows are left.
        unsafe {
            match strip.rows - first {
                1 => tile::<1, VECTORS>(strip, first),
                2 => tile::<2, VECTORS>(strip, first),
                3 => tile::<3, VECTORS>(strip, first),
                4 => tile::<4, VECTORS>(strip, first),
                5 => tile::<5, VECTORS>(strip, first),
                _ => tile::<TILE_ROWS, VECTORS>(strip, first),
            }
        }
    }
}

/// # Safety
/// As above, and the strip must have `COUNT` rows from `first` on.
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn tile<const COUNT: usize, const VECTORS: usize>(strip: &Strip<f32>, first: usize) {
    let mut sums = [[_mm256_setzero_ps(); VECTORS]; COUNT];
    // SAFETY: the caller's promise: rows and panel are read inside their memory.
    unsafe {
        let mut left = strip.left.add(first * strip.left_stride);
        let mut panel = strip.panel;
        for _ in 0..strip.inner {
            let mut right = [_mm256_setzero_ps(); VECTORS];
            for (vector, right) in right.iter_mut().enumerate() {
                *right = _mm256_loadu_ps(panel.add(vector * LANES));
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                let left = _mm256_set1_ps(*left.add(row * strip.left_stride));
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = _mm256_fmadd_ps(left, right, *sum);
                }
            }
            left = left.add(1);
            panel = panel.add(VECTORS * LANES);
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        let mut whole = [0.0; PANEL];
        // SAFETY: `whole` has room for all registers, and so many columns of this row of `out` may be written.
        unsafe {
            let out = strip.out.add((first + row) * strip.out_stride);
            for (vector, &sum) in sums.iter().enumerate() {
                if strip.columns == VECTORS * LANES {
                    let out = out.add(vector * LANES);
                    let sum = if strip.add { _mm256_add_ps(_mm256_loadu_ps(out), sum) } else { sum };
                    _mm256_storeu_ps(out, sum);
                } else {
                    _mm256_storeu_ps(whole[vector * LANES..].as_mut_ptr(), sum);
                }
            }
            if strip.columns < VECTORS * LANES {
                for (column, &sum) in whole[..strip.columns].iter().enumerate() {
                    let out = out.add(column);
                    *out = if strip.add { *out + sum } else { sum };
                }
            }
        }
    }
}
