//! The softmax over blocks of rows.

use burn::tensor::Shape;
use burn_flex::FlexTensor;

use crate::cpu::{
    Real, block_rows, for_blocks, largest, output, slice, sum, sum2, tensor, vectorised, with_real,
};
use crate::profile;

/// Rows shorter than this are reduced one number after the other: they would not fill the lanes of a sum.
const SHORT: usize = 32;

/// Numbers whose exponentials are taken at once, while they stay in the first-level cache.
const GROUP: usize = 1 << 10;

pub(super) fn forward(x: &FlexTensor) -> FlexTensor {
    profile::operation("softmax", [x], || with_real!(x.dtype(), R => forward_as::<R>(x)))
}

fn forward_as<T: Real>(x: &FlexTensor) -> FlexTensor {
    let x = x.to_contiguous();
    let (shape, values) = (x.layout().shape().clone(), slice::<T>(&x));
    let width = width(&shape);
    let mut y = output::<T>(values.len());
    for_blocks(&mut y, block_rows(width) * width, |start, y| {
        y.copy_from_slice(&values[start..start + y.len()]);
        normalise(y, width);
    });
    tensor(y, shape)
}

/// Gradient of x.
pub(super) fn backward(dy: &FlexTensor, y: &FlexTensor) -> FlexTensor {
    profile::operation("softmax", [dy, y], || with_real!(y.dtype(), R => backward_as::<R>(dy, y)))
}

fn backward_as<T: Real>(dy: &FlexTensor, y: &FlexTensor) -> FlexTensor {
    let dy = dy.to_contiguous();
    let (shape, dy, y) = (y.layout().shape().clone(), slice::<T>(&dy), slice::<T>(y));
    let width = width(&shape);
    let mut dx = output::<T>(y.len());
    for_blocks(&mut dx, block_rows(width) * width, |start, dx| {
        let range = start..start + dx.len();
        row_gradients(dx, &dy[range.clone()], &y[range], width);
    });
    tensor(dx, shape)
}

fn width(shape: &Shape) -> usize {
    shape.as_slice().last().copied().unwrap_or(1)
}

vectorised! {
    /// Turns every row into its softmax. The exponentials of short rows are taken together, to fill vectors.
    fn normalise<T: Real>(rows: &mut [T], width: usize) {
        for rows in rows.chunks_mut((GROUP / width).max(1) * width) {
            for row in rows.chunks_exact_mut(width) {
                let highest = if width < SHORT {
                    row.iter().fold(T::NEG_INFINITY, |highest, &x| x.larger(highest))
                } else {
                    largest(row)
                };
                // Where all is hidden, −∞ − (−∞) would not be a number.
                let shift = if highest == T::NEG_INFINITY { T::ZERO } else { highest };
                for x in row {
                    *x = *x - shift;
                }
            }
            for x in rows.iter_mut() {
                *x = x.exp();
            }
            for row in rows.chunks_exact_mut(width) {
                let mass = if width < SHORT {
                    row.iter().fold(T::ZERO, |mass, &x| mass + x)
                } else {
                    sum(row, |x| x)
                };
                let factor = if mass == T::ZERO { T::ZERO } else { T::ONE / mass };
                // Denormal numbers would slow the products that follow a hundredfold.
                let negligible = T::NEGLIGIBLE * mass;
                for x in row {
                    *x = if *x < negligible { T::ZERO } else { *x * factor };
                }
            }
        }
    }
}

vectorised! {
    /// `dx ← y ⊙ (dy − Σ dy ⊙ y)` for every row.
    fn row_gradients<T: Real>(dx: &mut [T], dy: &[T], y: &[T], width: usize) {
        let rows = dy.chunks_exact(width).zip(y.chunks_exact(width));
        for (dx, (dy, y)) in dx.chunks_exact_mut(width).zip(rows) {
            let mean = if width < SHORT {
                dy.iter().zip(y).fold(T::ZERO, |mean, (&dy, &y)| dy.mul_add(y, mean))
            } else {
                sum2(dy, y, |dy, y| dy * y)
            };
            for (dx, (&dy, &y)) in dx.iter_mut().zip(dy.iter().zip(y)) {
                *dx = y * (dy - mean);
            }
        }
    }
}
