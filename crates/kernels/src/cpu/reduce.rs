//! Sums in a fixed order that vectorises: element i goes to lane i mod 32, and the lanes are added
//! as a tree.

use super::Real;

const LANES: usize = 32;

/// Folds the rest of a slice and then the lanes, as a tree.
///
/// Not inlined on purpose: the lanes have to be stored for the call, which keeps the loop that fills them in whole
/// vector registers. Inlined, the optimiser takes the tree apart and the loop with it.
#[inline(never)]
fn fold<T: Real>(lanes: &mut [T; LANES], rest: &[T], join: fn(T, T) -> T) -> T {
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = join(*lane, x);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = join(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn plus<T: Real>(x: T, y: T) -> T {
    x + y
}

/// Σ f(x_i), in the precision of f.
#[inline(always)]
pub(crate) fn sum<T: Copy, A: Real>(x: &[T], f: impl Fn(T) -> A) -> A {
    let (mut lanes, mut rest) = ([A::ZERO; LANES], [A::ZERO; LANES]);
    let chunks = x.chunks_exact(LANES);
    let remainder = chunks.remainder();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    for (rest, &x) in rest.iter_mut().zip(remainder) {
        *rest = f(x);
    }
    fold(&mut lanes, &rest[..remainder.len()], plus)
}

/// Σ f(x_i, y_i) over slices of one length.
#[inline(always)]
pub(crate) fn sum2<T: Real>(x: &[T], y: &[T], f: impl Fn(T, T) -> T) -> T {
    let (mut lanes, mut rest) = ([T::ZERO; LANES], [T::ZERO; LANES]);
    let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let remainder = (xs.remainder(), ys.remainder());
    for (x, y) in xs.zip(ys) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += f(x, y);
        }
    }
    for ((rest, &x), &y) in rest.iter_mut().zip(remainder.0).zip(remainder.1) {
        *rest = f(x, y);
    }
    fold(&mut lanes, &rest[..remainder.0.len()], plus)
}

/// `x_i ← f(x_i)`, and the sum of the results: [`sum`] in the pass that makes its terms.
#[inline(always)]
pub(crate) fn map_sum<T: Real>(x: &mut [T], f: impl Fn(T) -> T) -> T {
    let (mut lanes, mut rest) = ([T::ZERO; LANES], [T::ZERO; LANES]);
    let mut chunks = x.chunks_exact_mut(LANES);
    for chunk in chunks.by_ref() {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *x = f(*x);
            *lane += *x;
        }
    }
    let remainder = chunks.into_remainder();
    for (rest, x) in rest.iter_mut().zip(remainder.iter_mut()) {
        *x = f(*x);
        *rest = *x;
    }
    fold(&mut lanes, &rest[..remainder.len()], plus)
}

/// `x_i ← x_i + y_i` over slices of one length, and the [`largest`] of the results.
#[inline(always)]
pub(crate) fn add_largest<T: Real>(x: &mut [T], y: &[T]) -> T {
    let mut lanes = [T::NEG_INFINITY; LANES];
    let (mut xs, ys) = (x.chunks_exact_mut(LANES), y.chunks_exact(LANES));
    let last = ys.remainder();
    for (x, y) in xs.by_ref().zip(ys) {
        for ((lane, x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *x += y;
            *lane = x.larger(*lane);
        }
    }
    let remainder = xs.into_remainder();
    for (x, &y) in remainder.iter_mut().zip(last) {
        *x += y;
    }
    fold(&mut lanes, remainder, |lane, x| x.larger(lane))
}

/// max x_i; −∞ of nothing. What is not a number is passed over.
#[inline(always)]
pub(crate) fn largest<T: Real>(x: &[T]) -> T {
    let mut lanes = [T::NEG_INFINITY; LANES];
    let chunks = x.chunks_exact(LANES);
    let remainder = chunks.remainder();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = x.larger(*lane);
        }
    }
    fold(&mut lanes, remainder, |lane, x| x.larger(lane))
}

#[cfg(test)]
mod tests {
    use super::{add_largest, largest, map_sum, sum, sum2};

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

    #[test]
    fn one_pass_gives_the_bits_of_two() {
        for n in [0, 1, 2, 31, 32, 33, 63, 64, 65, 100] {
            let x: Vec<f64> = (1..=n).map(|i| f64::from(i).sin()).collect();
            let y: Vec<f64> = (1..=n).map(|i| f64::from(i).cos()).collect();
            let (mut mapped, mut added) = (x.clone(), x.clone());
            let mapped_sum = map_sum(&mut mapped, |x| x * x + 0.1);
            let added_largest = add_largest(&mut added, &y);
            let expected: Vec<f64> = x.iter().map(|x| x * x + 0.1).collect();
            assert_eq!((mapped_sum, mapped), (sum(&expected, |x: f64| x), expected));
            let expected: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x + y).collect();
            assert_eq!((added_largest, added), (largest(&expected), expected));
        }
    }
}
