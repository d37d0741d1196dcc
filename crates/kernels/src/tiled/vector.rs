//! Loops over rows of scores.

use mixlab_core::Stream;

use crate::cpu::{self, Matrix, Real, sum2, vectorised};

/// Lanes of a sum: two registers of f32 under AVX-512.
const LANES: usize = 32;
/// Blocks of four random words made at once.
const BLOCKS: usize = 16;

vectorised! {
    /// The largest value, −∞ of an empty row; NaN is passed over.
    pub(crate) fn largest<T: Real>(row: &[T]) -> T {
        cpu::largest(row)
    }
}

vectorised! {
    /// `row ← exp(row − shift)`; returns the sum.
    pub(crate) fn exponentials<T: Real>(row: &mut [T], shift: T) -> T {
        let mut lanes = [T::ZERO; LANES];
        let mut chunks = row.chunks_exact_mut(LANES);
        for chunk in &mut chunks {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *x = (*x - shift).exp();
                *lane += *x;
            }
        }
        for (lane, x) in lanes.iter_mut().zip(chunks.into_remainder()) {
            *x = (*x - shift).exp();
            *lane += *x;
        }
        let mut width = LANES / 2;
        while width > 0 {
            for i in 0..width {
                lanes[i] += lanes[i + width];
            }
            width /= 2;
        }
        lanes[0]
    }
}

vectorised! {
    /// Scores to softmax weights `w = exp(score − log_sum)`, gradients of weights to those of scores
    /// `w · (gradient − mean)`.
    pub(crate) fn softmax_backward<T: Real>(scores: &mut [T], gradients: &mut [T], log_sum: T, mean: T) {
        for (score, gradient) in scores.iter_mut().zip(gradients) {
            *score = (*score - log_sum).exp();
            *gradient = *score * (*gradient - mean);
        }
    }
}

/// max(x, 0), NaN for NaN.
#[inline(always)]
fn positive<T: Real>(x: T) -> T {
    if x < T::ZERO { T::ZERO } else { x }
}

vectorised! {
    /// `x ← max(x, 0)²`.
    pub(crate) fn squared_relu<T: Real>(row: &mut [T]) {
        for x in row {
            *x = positive(*x) * positive(*x);
        }
    }
}

vectorised! {
    /// Scores to squared-relu weights, gradients of weights to those of scores `2 · max(score, 0) · gradient`.
    pub(crate) fn squared_relu_backward<T: Real>(scores: &mut [T], gradients: &mut [T]) {
        for (score, gradient) in scores.iter_mut().zip(gradients) {
            let root = positive(*score);
            *gradient = (root + root) * *gradient;
            *score = root * root;
        }
    }
}

/// The normal distribution function.
#[inline(always)]
fn normal<T: Real>(x: T, mean: T, deviation: T) -> T {
    let standard = (x - mean) / (deviation * T::of(std::f64::consts::SQRT_2));
    (standard.erf() + T::ONE) * T::of(0.5)
}

vectorised! {
    /// `x ← 0.5 · (1 + erf((x − mean) / (deviation · sqrt 2)))`.
    pub(crate) fn laplace<T: Real>(row: &mut [T], mean: T, deviation: T) {
        for x in row {
            *x = normal(*x, mean, deviation);
        }
    }
}

vectorised! {
    /// Scores to Laplace weights, gradients of weights to those of scores: times the normal density.
    pub(crate) fn laplace_backward<T: Real>(scores: &mut [T], gradients: &mut [T], mean: T, deviation: T) {
        let height = T::of((2.0 * std::f64::consts::PI).sqrt().recip()) / deviation;
        for (score, gradient) in scores.iter_mut().zip(gradients) {
            let standard = (*score - mean) / deviation;
            *gradient = height * (standard * standard * T::of(-0.5)).exp() * *gradient;
            *score = normal(*score, mean, deviation);
        }
    }
}

vectorised! {
    /// `row ← row · factor`.
    pub(crate) fn scale<T: Real>(row: &mut [T], factor: T) {
        for x in row {
            *x = *x * factor;
        }
    }
}

/// Lanes of the short sums of one query's scores.
const FEW: usize = 8;

vectorised! {
    /// `scores ← scale · rows·query`: what a product of one row is, without its machinery.
    pub(crate) fn products_with_rows<T: Real>(scores: &mut [T], rows: Matrix<'_, T>, query: &[T], scale: T) {
        for (index, score) in scores.iter_mut().enumerate() {
            let row = &rows.row(index)[..query.len()];
            let mut lanes = [T::ZERO; FEW];
            let (queries, keys) = (query.chunks_exact(FEW), row.chunks_exact(FEW));
            let rest = queries.remainder().iter().zip(keys.remainder());
            for (queries, keys) in queries.zip(keys) {
                for lane in 0..FEW {
                    lanes[lane] = queries[lane].mul_add(keys[lane], lanes[lane]);
                }
            }
            for (lane, (&query, &key)) in lanes.iter_mut().zip(rest) {
                *lane = query.mul_add(key, *lane);
            }
            let pairs: [T; 4] = [lanes[0] + lanes[4], lanes[1] + lanes[5], lanes[2] + lanes[6], lanes[3] + lanes[7]];
            *score = scale * ((pairs[0] + pairs[2]) + (pairs[1] + pairs[3]));
        }
    }
}

vectorised! {
    /// `sum ← sum + Σ weight · row`.
    pub(crate) fn add_weighted_rows<T: Real>(sum: &mut [T], weights: &[T], rows: Matrix<'_, T>) {
        for (index, &weight) in weights.iter().enumerate() {
            for (x, &value) in sum.iter_mut().zip(rows.row(index)) {
                *x = weight.mul_add(value, *x);
            }
        }
    }
}

vectorised! {
    /// `row ← row ⊙ factors`.
    pub(crate) fn multiply<T: Real>(row: &mut [T], factors: &[T]) {
        for (x, &factor) in row.iter_mut().zip(factors) {
            *x = *x * factor;
        }
    }
}

vectorised! {
    /// `row ← row + addends`.
    pub(crate) fn add_into<T: Real>(row: &mut [T], addends: &[T]) {
        for (x, &addend) in row.iter_mut().zip(addends) {
            *x += addend;
        }
    }
}

vectorised! {
    /// Inner product.
    pub(crate) fn dot<T: Real>(a: &[T], b: &[T]) -> T {
        sum2(a, b, |a, b| a * b)
    }
}

vectorised! {
    /// What weights are multiplied by under dropout: elements from block `first` of the stream on, four a block.
    pub(crate) fn dropout_factors<T: Real>(
        factors: &mut [T],
        stream: Stream,
        first: u64,
        threshold: u32,
        survivor: T,
    ) {
        const WORDS: usize = 4 * BLOCKS;
        for (factors, block) in factors.chunks_mut(WORDS).zip((first..).step_by(BLOCKS)) {
            let words = stream.blocks::<BLOCKS>(block);
            let mut all = [T::ZERO; WORDS];
            for (word, words) in words.iter().enumerate() {
                for (lane, &bits) in words.iter().enumerate() {
                    all[4 * lane + word] = if bits < threshold { T::ZERO } else { survivor };
                }
            }
            factors.copy_from_slice(&all[..factors.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_any_length() {
        for length in [0, 1, 2, 15, 31, 32, 33, 64, 100] {
            let x: Vec<f64> = (0..length).map(|i| f64::from(i * 37 % 23 - 11) / 3.0).collect();
            assert_eq!(largest(&x), x.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            assert!((dot(&x, &x) - x.iter().map(|x| x * x).sum::<f64>()).abs() < 1e-11);
            let mut e = x.clone();
            let sum = exponentials(&mut e, 1.0);
            assert!((sum - x.iter().map(|x| (x - 1.0).exp()).sum::<f64>()).abs() < 1e-12 * sum.max(1.0));
            assert!(e.iter().zip(&x).all(|(e, x)| (e - (x - 1.0).exp()).abs() < 1e-14 * e));
        }
    }

    /// Rows with gaps between them, of widths that lanes do not divide.
    #[test]
    fn a_single_query_meets_every_row() {
        for width in [1, 3, 8, 13, 32, 37] {
            let (count, stride) = (5, width + 2);
            let values: Vec<f64> = (0..count * stride).map(|i| (i * 31 % 17) as f64 / 7.0 - 1.0).collect();
            let query: Vec<f64> = (0..width).map(|i| (i * 5 % 7) as f64 / 3.0 - 0.9).collect();
            let rows = Matrix::strided(&values, count, width, stride, 1);
            let mut scores = vec![f64::NAN; count];
            products_with_rows(&mut scores, rows, &query, 0.5);
            let mut sum = vec![1.0; width];
            add_weighted_rows(&mut sum, &scores, rows);
            for (index, score) in scores.iter().enumerate() {
                let expected: f64 = (0..width).map(|i| values[index * stride + i] * query[i]).sum();
                assert!((score - 0.5 * expected).abs() < 1e-13, "{width}: {score}");
            }
            for (i, sum) in sum.iter().enumerate() {
                let expected: f64 = (0..count).map(|row| scores[row] * values[row * stride + i]).sum();
                assert!((sum - 1.0 - expected).abs() < 1e-13, "{width}: {sum}");
            }
        }
    }

    #[test]
    fn what_is_not_a_number_is_not_hidden() {
        let mut row = [f32::NAN, 1.0];
        squared_relu(&mut row);
        assert!(row[0].is_nan());
        assert!(exponentials(&mut [f32::NAN], 0.0).is_nan());
    }
}
