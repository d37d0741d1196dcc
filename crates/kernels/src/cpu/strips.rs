//! Strips of a product: all rows of a left operand against one panel of the right one, in tiles of registers.
//!
//! A tile has six rows and one panel's width of sums, two registers of eight `f32` under AVX2 and four of sixteen under
//! AVX-512: enough sums that no addition waits for another, and few enough rows that they do not push each other out
//! of the first-level cache where their distance is a power of two. Every number is summed in order of the inner axis,
//! so that the instruction sets give the same bits.

#[cfg(target_arch = "x86_64")]
use super::Level;

/// Rows of a tile.
pub(crate) const ROWS: usize = 6;

/// How wide panels are, and what multiplies with them.
#[derive(Clone, Copy)]
pub(crate) struct Strips<T> {
    /// Numbers of a register.
    pub lanes: usize,
    /// Registers of a whole panel.
    pub vectors: usize,
    kernel: unsafe fn(&Strip<T>),
}

/// A strip to be computed: `out (+)= a·panel`.
pub(crate) struct Strip<T> {
    /// Rows of `a` and of `out`.
    pub rows: usize,
    /// Columns of `a` and rows of the panel.
    pub inner: usize,
    /// Columns of `out`.
    pub columns: usize,
    /// Element (r, k) at `a + r·a_stride + k`.
    pub a: *const T,
    pub a_stride: usize,
    /// Rows of whole registers, one after the other; what is beyond `columns` is not used.
    pub panel: *const T,
    /// Element (r, c) at `out + r·out_stride + c`.
    pub out: *mut T,
    pub out_stride: usize,
    /// Whether `out` is added to.
    pub add: bool,
}

impl<T> Strips<T> {
    /// Columns of a whole panel.
    pub(crate) fn whole(&self) -> usize {
        self.lanes * self.vectors
    }

    /// Numbers of a row of a panel that has so many columns.
    pub(crate) fn width(&self, columns: usize) -> usize {
        columns.next_multiple_of(self.lanes)
    }

    /// Computes a strip.
    ///
    /// # Safety
    /// All elements must lie in live memory, those of `out` in memory that nothing else reads or writes meanwhile, and
    /// there must be at least one and no more columns than a whole panel has.
    pub(crate) unsafe fn run(&self, strip: &Strip<T>) {
        debug_assert!(strip.columns > 0 && strip.columns <= self.whole(), "columns of a strip");
        // SAFETY: the caller's promise, and [`of_machine`] gives no kernel that the processor cannot run.
        unsafe { (self.kernel)(strip) }
    }
}

/// What this processor has.
pub(crate) fn of_machine() -> Option<Strips<f32>> {
    #[cfg(target_arch = "x86_64")]
    match Level::detect() {
        Level::Avx512 => return Some(Strips { lanes: 16, vectors: 4, kernel: avx512::strip }),
        Level::Avx2 => return Some(Strips { lanes: 8, vectors: 2, kernel: avx2::strip }),
        Level::Baseline => {}
    }
    None
}

/// The kernel of one instruction set.
macro_rules! kernel {
    (
        $features:literal, $lanes:literal, [$($vectors:literal),+],
        $zero:ident, $splat:ident, $load:ident, $fused:ident, $sum:ident, $store:ident
    ) => {
        use std::arch::x86_64::{$fused, $load, $splat, $store, $sum, $zero};

        use super::{ROWS, Strip};

        const LANES: usize = $lanes;

        /// # Safety
        /// As for [`super::Strips::run`], on a processor with these features.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn strip(strip: &Strip<f32>) {
            // SAFETY: the caller's promise.
            unsafe {
                match strip.columns.div_ceil(LANES) {
                    $($vectors => all_rows::<$vectors>(strip),)+
                    _ => unreachable!("a panel has no more registers"),
                }
            }
        }

        /// # Safety
        /// As above, and `strip.columns` must need so many registers.
        #[target_feature(enable = $features)]
        unsafe fn all_rows<const VECTORS: usize>(strip: &Strip<f32>) {
            // SAFETY: the caller's promise.
            unsafe {
                for first in (0..strip.rows).step_by(ROWS) {
                    match strip.rows - first {
                        1 => tile::<1, VECTORS>(strip, first),
                        2 => tile::<2, VECTORS>(strip, first),
                        3 => tile::<3, VECTORS>(strip, first),
                        4 => tile::<4, VECTORS>(strip, first),
                        5 => tile::<5, VECTORS>(strip, first),
                        _ => tile::<ROWS, VECTORS>(strip, first),
                    }
                }
            }
        }

        /// # Safety
        /// As above, and the strip must have `COUNT` rows from `first` on.
        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn tile<const COUNT: usize, const VECTORS: usize>(strip: &Strip<f32>, first: usize) {
            let mut sums = [[$zero(); VECTORS]; COUNT];
            // SAFETY: the caller's promise: rows and panel are read inside their memory.
            unsafe {
                let mut a = strip.a.add(first * strip.a_stride);
                let mut panel = strip.panel;
                for _ in 0..strip.inner {
                    let mut right = [$zero(); VECTORS];
                    for (v, right) in right.iter_mut().enumerate() {
                        *right = $load(panel.add(v * LANES));
                    }
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let left = $splat(*a.add(row * strip.a_stride));
                        for (sum, right) in sums.iter_mut().zip(right) {
                            *sum = $fused(left, right, *sum);
                        }
                    }
                    a = a.add(1);
                    panel = panel.add(VECTORS * LANES);
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                // SAFETY: the caller's promise: so many columns of this row may be written.
                unsafe {
                    let out = strip.out.add((first + row) * strip.out_stride);
                    if strip.columns == VECTORS * LANES {
                        for (v, &sum) in sums.iter().enumerate() {
                            let out = out.add(v * LANES);
                            $store(out, if strip.add { $sum($load(out), sum) } else { sum });
                        }
                    } else {
                        let mut whole = [[0.0; LANES]; VECTORS];
                        for (whole, &sum) in whole.iter_mut().zip(sums) {
                            $store(whole.as_mut_ptr(), sum);
                        }
                        for (column, &sum) in whole.as_flattened()[..strip.columns].iter().enumerate() {
                            let out = out.add(column);
                            *out = if strip.add { *out + sum } else { sum };
                        }
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    kernel!(
        "avx2,fma",
        8,
        [1, 2],
        _mm256_setzero_ps,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_storeu_ps
    );
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    kernel!(
        "avx512f",
        16,
        [1, 2, 3, 4],
        _mm512_setzero_ps,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_storeu_ps
    );
}
