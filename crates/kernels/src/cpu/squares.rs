//! Transposition of `f32` in squares of eight by eight, which AVX2 turns in its registers.

use std::arch::x86_64::{
    __m256, _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_unpackhi_ps,
    _mm256_unpacklo_ps,
};

use super::Matrix;

/// Rows and columns of a square.
const SIDE: usize = 8;

/// `out[c·stride + r] ← matrix[r, c]` for the whole squares of a matrix whose rows are contiguous; returns how many rows
/// and columns they cover.
///
/// # Safety
/// The processor must have AVX2.
///
/// # Panics
/// If the rows are not contiguous or `out` is too short.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn transpose(matrix: Matrix<'_, f32>, out: &mut [f32], stride: usize) -> (usize, usize) {
    let (rows, columns) = matrix.size();
    let (rows, columns) = (rows / SIDE * SIDE, columns / SIDE * SIDE);
    if rows == 0 || columns == 0 {
        return (0, 0);
    }
    assert!(matrix.has_contiguous_rows(), "squares are read row by row");
    assert!((columns - 1) * stride + rows <= out.len(), "the result reaches outside its memory");
    let (from, row_stride) = matrix.start();
    for row in (0..rows).step_by(SIDE) {
        for column in (0..columns).step_by(SIDE) {
            // SAFETY: `Matrix` keeps its elements inside their slice, and the assertion the result's inside `out`.
            unsafe {
                let from = from.add(row * row_stride + column);
                square(from, row_stride, out.as_mut_ptr().add(column * stride + row), stride);
            }
        }
    }
    (rows, columns)
}

/// # Safety
/// Eight numbers must be readable at every `from + i·from_stride` and writable at every `to + i·to_stride`, i < 8.
#[target_feature(enable = "avx2")]
unsafe fn square(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: the caller's promise.
    let row = |i: usize| unsafe { _mm256_loadu_ps(from.add(i * from_stride)) };
    // Pairs of rows, then fours: each register holds two columns of four rows, one in each half.
    let fours = |first: usize| {
        let rows = [row(first), row(first + 1), row(first + 2), row(first + 3)];
        let low = [_mm256_unpacklo_ps(rows[0], rows[1]), _mm256_unpacklo_ps(rows[2], rows[3])];
        let high = [_mm256_unpackhi_ps(rows[0], rows[1]), _mm256_unpackhi_ps(rows[2], rows[3])];
        [
            _mm256_shuffle_ps::<0x44>(low[0], low[1]),
            _mm256_shuffle_ps::<0xee>(low[0], low[1]),
            _mm256_shuffle_ps::<0x44>(high[0], high[1]),
            _mm256_shuffle_ps::<0xee>(high[0], high[1]),
        ]
    };
    let (upper, lower) = (fours(0), fours(4));
    // SAFETY: the caller's promise.
    let store = |i: usize, x: __m256| unsafe { _mm256_storeu_ps(to.add(i * to_stride), x) };
    for i in 0..4 {
        store(i, _mm256_permute2f128_ps::<0x20>(upper[i], lower[i]));
        store(i + 4, _mm256_permute2f128_ps::<0x31>(upper[i], lower[i]));
    }
}
