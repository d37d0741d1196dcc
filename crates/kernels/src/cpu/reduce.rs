//! Sums in a fixed order that vectorises: element i goes to lane i mod 32, and the lanes are added
//! as a tree.

use super::Real;

const LANES: usize = 32;

#[inline(always)]
fn tree<T: Real>(mut lanes: [T; LANES]) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Σ f(x_i), in the precision of f.
#[inline(always)]
pub(crate) fn sum<T: Copy, A: Real>(x: &[T], f: impl Fn(T) -> A) -> A {
    let mut lanes = [A::ZERO; LANES];
    let mut chunks = x.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane += f(x);
    }
    tree(lanes)
}

/// Σ f(x_i, y_i) over slices of one length.
#[inline(always)]
pub(crate) fn sum2<T: Real>(x: &[T], y: &[T], f: impl Fn(T, T) -> T) -> T {
    let mut lanes = [T::ZERO; LANES];
    let (mut xs, mut ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    for (x, y) in (&mut xs).zip(&mut ys) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += f(x, y);
        }
    }
    for ((lane, &x), &y) in lanes.iter_mut().zip(xs.remainder()).zip(ys.remainder()) {
        *lane += f(x, y);
    }
    tree(lanes)
}

/// max x_i; −∞ of nothing. What is not a number is passed over.
#[inline(always)]
pub(crate) fn largest<T: Real>(x: &[T]) -> T {
    let mut lanes = [T::NEG_INFINITY; LANES];
    let mut chunks = x.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = x.larger(*lane);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane = x.larger(*lane);
    }
    lanes.into_iter().fold(T::NEG_INFINITY, T::larger)
}

#[cfg(test)]
mod tests {
    use super::{largest, sum, sum2};

    #[test]
    fn largest_is_found_anywhere() {
        assert_eq!(largest::<f32>(&[]), f32::NEG_INFINITY);
        for n in [1, 2, 31, 32, 33, 100] {
            for at in 0..n {
                let x: Vec<f32> = (0..n).map(|i| if i == at { -1.0 } else { -2.0 - i as f32 }).collect();
                assert_eq!(largest(&x), -1.0);
            }
        }
    }

    #[test]
    fn every_element_is_counted_once() {
        for n in [0, 1, 2, 31, 32, 33, 63, 64, 65, 100] {
            let x: Vec<f64> = (1..=n).map(f64::from).collect();
            let n = f64::from(n);
            assert_eq!(sum(&x, |x: f64| x), n * (n + 1.0) / 2.0);
            assert_eq!(sum2(&x, &x, |x, y| x * y), n * (n + 1.0) * (2.0 * n + 1.0) / 6.0);
        }
    }
}
