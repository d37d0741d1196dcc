//! The two number types kernels are written for.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use burn::tensor::Element;

#[cfg(target_arch = "x86_64")]
use super::{Level, squares};
use super::{Matrix, single};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `f32`, for training, or `f64`, for verification.
///
/// The elementary functions of `f32` are branch-free polynomials that vectorise; those of `f64` are
/// the platform's accurate ones.
pub(crate) trait Real:
    sealed::Sealed
    + Element
    + bytemuck::Pod
    + PartialOrd
    + Debug
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    const ZERO: Self;
    const ONE: Self;
    const NAN: Self;
    const NEG_INFINITY: Self;
    /// Far above denormal numbers and far below anything a sum of gradients feels.
    const NEGLIGIBLE: Self;

    /// The nearest number of this type.
    fn of(x: f64) -> Self;
    /// The same number in double precision.
    fn wide(self) -> f64;
    /// `self · a + b`, rounded once.
    fn mul_add(self, a: Self, b: Self) -> Self;
    fn sqrt(self) -> Self;
    fn exp(self) -> Self;
    fn tanh(self) -> Self;
    fn erf(self) -> Self;

    /// Transposes the squares of a matrix that the processor turns in its registers; returns how many rows and columns
    /// they cover.
    fn transpose_squares(matrix: Matrix<'_, Self>, out: &mut [Self], stride: usize) -> (usize, usize);

    /// The larger of two numbers; the second if the first is not a number.
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        if self > other { self } else { other }
    }

    /// The number itself, or zero where it is so near to it that products with it come near denormal numbers, which slow every
    /// operation that meets them by two orders of magnitude.
    #[inline(always)]
    fn settled(self) -> Self {
        // What is not a number stays so.
        if self.larger(-self) < Self::NEGLIGIBLE { Self::ZERO } else { self }
    }

    /// 1 / (1 + exp(−x)).
    #[inline(always)]
    fn sigmoid(self) -> Self {
        Self::ONE / (Self::ONE + (-self).exp())
    }
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NAN: Self = f32::NAN;
    const NEG_INFINITY: Self = f32::NEG_INFINITY;
    const NEGLIGIBLE: Self = 1e-30;

    #[inline(always)]
    fn of(x: f64) -> Self {
        x as f32
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        f32::mul_add(self, a, b)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        single::exp(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        single::tanh(self)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        single::erf(self)
    }
    fn transpose_squares(matrix: Matrix<'_, f32>, out: &mut [f32], stride: usize) -> (usize, usize) {
        #[cfg(target_arch = "x86_64")]
        if matrix.has_contiguous_rows() && Level::detect() >= Level::Avx2 {
            // SAFETY: `detect` found AVX2.
            return unsafe { squares::transpose(matrix, out, stride) };
        }
        // Elsewhere nothing is done here.
        let _ = (matrix, out, stride);
        (0, 0)
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NAN: Self = f64::NAN;
    const NEG_INFINITY: Self = f64::NEG_INFINITY;
    const NEGLIGIBLE: Self = 1e-290;

    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        f64::mul_add(self, a, b)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        libm::erf(self)
    }
    fn transpose_squares(_: Matrix<'_, f64>, _: &mut [f64], _: usize) -> (usize, usize) {
        (0, 0)
    }
}
