//! Which sequence lengths something is defined for, and what a mixer with one weight a position does at others.

use std::fmt;

use burn::tensor::{Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// The sequence lengths a mixer, a position or a model is defined for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lengths {
    /// Every length.
    Any,
    /// Every length up to this one.
    AtMost(usize),
    /// This length alone.
    Exactly(usize),
}

impl Lengths {
    /// The lengths that both allow.
    pub fn and(self, other: Lengths) -> Lengths {
        match (self, other) {
            (Lengths::Any, lengths) | (lengths, Lengths::Any) => lengths,
            (Lengths::Exactly(n), _) | (_, Lengths::Exactly(n)) => Lengths::Exactly(n),
            (Lengths::AtMost(a), Lengths::AtMost(b)) => Lengths::AtMost(a.min(b)),
        }
    }

    /// Whether `length` is one of them.
    pub fn allow(self, length: usize) -> bool {
        match self {
            Lengths::Any => true,
            Lengths::AtMost(most) => length <= most,
            Lengths::Exactly(only) => length == only,
        }
    }

    /// The longest, if there is one.
    pub fn most(self) -> Option<usize> {
        match self {
            Lengths::Any => None,
            Lengths::AtMost(most) | Lengths::Exactly(most) => Some(most),
        }
    }
}

impl fmt::Display for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lengths::Any => write!(f, "any length"),
            Lengths::AtMost(most) => write!(f, "at most {most}"),
            Lengths::Exactly(only) => write!(f, "exactly {only}"),
        }
    }
}

/// What a mixer whose weights belong to N positions does with a sequence of another length n. None of the answers
/// but the first is free: `docs/concepts/lengths.md` shows what each one costs on a trained model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LengthPolicy {
    /// Refuse it. A causal matrix still takes every n below N: its upper left corner is what the first n positions
    /// had used anyway.
    #[default]
    Refuse,
    /// For n < N, use the weights of the first n positions; refuse longer ones.
    Truncate,
    /// For n < N, put zero vectors behind the sequence and mix N positions; refuse longer ones.
    Pad,
    /// Resample the weights along their token axes, linearly and with the sum over tokens kept; any n.
    Interpolate,
    /// Mix every N positions by themselves, the last ones truncated; any n.
    BlockDiagonal,
    /// Give every offset the mean of the weights at that offset, 0 to offsets of N and beyond, and every token the mean
    /// bias; any n. Only for a single square matrix.
    Toeplitz,
}

impl LengthPolicy {
    /// The word in a config file.
    pub fn name(self) -> &'static str {
        match self {
            LengthPolicy::Refuse => "refuse",
            LengthPolicy::Truncate => "truncate",
            LengthPolicy::Pad => "pad",
            LengthPolicy::Interpolate => "interpolate",
            LengthPolicy::BlockDiagonal => "block_diagonal",
            LengthPolicy::Toeplitz => "toeplitz",
        }
    }

    /// The lengths that weights of `maximum` positions serve.
    pub fn lengths(self, maximum: usize, causal: bool) -> Lengths {
        match self {
            LengthPolicy::Refuse if causal => Lengths::AtMost(maximum),
            LengthPolicy::Refuse => Lengths::Exactly(maximum),
            LengthPolicy::Truncate | LengthPolicy::Pad => Lengths::AtMost(maximum),
            LengthPolicy::Interpolate | LengthPolicy::BlockDiagonal | LengthPolicy::Toeplitz => Lengths::Any,
        }
    }

    /// Whether a sequence mixes as the first positions of a longer one with the rest hidden.
    pub fn keeps_weights(self) -> bool {
        match self {
            LengthPolicy::Refuse
            | LengthPolicy::Truncate
            | LengthPolicy::Pad
            | LengthPolicy::BlockDiagonal => true,
            LengthPolicy::Interpolate | LengthPolicy::Toeplitz => false,
        }
    }

    /// # Panics
    /// If weights of `maximum` positions do not serve n of them; [`crate::ModelConfig::check_length`] tells before.
    pub(super) fn assert_allows(self, n: usize, maximum: usize, causal: bool) {
        let lengths = self.lengths(maximum, causal);
        assert!(lengths.allow(n), "{n} positions, but the length policy `{}` takes {lengths}", self.name());
    }

    /// # Errors
    /// A policy that moves weights between positions, in a causal model: a longer text would change its beginning.
    pub fn check_direction(self, method: &str, causal: bool) -> Result<(), ModelError> {
        if !causal || self.keeps_weights() {
            return Ok(());
        }
        Err(ModelError::Unsupported {
            method: method.to_owned(),
            purpose: "a causal model with this length policy",
            reason: format!(
                "`{}` gives a position other weights at another length, so a longer text would change the outputs \
                 of its own beginning",
                self.name()
            ),
            remedy: "set `model.mixer.length` to \"refuse\", \"truncate\" or \"block_diagonal\"".to_owned(),
        })
    }

    /// # Errors
    /// [`LengthPolicy::Toeplitz`]: a hidden layer has no offsets.
    pub(super) fn check_hidden_layer(self, method: &str) -> Result<(), ModelError> {
        if self != LengthPolicy::Toeplitz {
            return Ok(());
        }
        Err(ModelError::Unsupported {
            method: method.to_owned(),
            purpose: "the length policy `toeplitz`",
            reason: "a position writes to hidden units, which have no distance from it".to_owned(),
            remedy:
                "use \"interpolate\" or \"block_diagonal\", or a mixer with one square matrix (res_mlp, gmlp)"
                    .to_owned(),
        })
    }

    /// Copies of the weights along the diagonal that n positions take.
    pub(super) fn blocks(self, maximum: usize, n: usize) -> usize {
        if self == LengthPolicy::BlockDiagonal { n.div_ceil(maximum).max(1) } else { 1 }
    }

    /// `[N, N]`, from tokens to tokens, as `[n, n]`.
    ///
    /// # Panics
    /// If [`LengthPolicy::lengths`] does not allow n.
    pub(super) fn square(self, weight: Tensor<2>, n: usize) -> Tensor<2> {
        let [maximum, _] = weight.dims();
        if n == maximum {
            return weight;
        }
        match self {
            LengthPolicy::Interpolate => resample_columns(resample_rows(weight, n), n),
            LengthPolicy::BlockDiagonal if n > maximum => {
                corner(on_the_diagonal(weight, n.div_ceil(maximum)), n, n)
            }
            LengthPolicy::Toeplitz => from_offsets(mean_of_offsets(weight), n),
            _ => corner(weight, n, n),
        }
    }

    /// `[h, N]`, from tokens to hidden units, as `[k·h, n]` with k the number of blocks.
    pub(super) fn reading(self, weight: Tensor<2>, n: usize) -> Tensor<2> {
        let [hidden, maximum] = weight.dims();
        match self {
            _ if n == maximum => weight,
            LengthPolicy::Interpolate => resample_columns(weight, n),
            LengthPolicy::BlockDiagonal if n > maximum => {
                let blocks = n.div_ceil(maximum);
                corner(on_the_diagonal(weight, blocks), blocks * hidden, n)
            }
            _ => corner(weight, hidden, n),
        }
    }

    /// `[N, h]`, from hidden units to tokens, as `[n, k·h]`.
    pub(super) fn writing(self, weight: Tensor<2>, n: usize) -> Tensor<2> {
        let [maximum, hidden] = weight.dims();
        match self {
            _ if n == maximum => weight,
            LengthPolicy::Interpolate => resample_rows(weight, n),
            LengthPolicy::BlockDiagonal if n > maximum => {
                let blocks = n.div_ceil(maximum);
                corner(on_the_diagonal(weight, blocks), n, blocks * hidden)
            }
            _ => corner(weight, n, hidden),
        }
    }

    /// One number a token, `[N]`, as `[n]`; by offset alone it is the mean of all.
    pub(super) fn tokens(self, values: Tensor<1>, n: usize) -> Tensor<1> {
        let maximum = values.dims()[0];
        if self == LengthPolicy::Toeplitz && n != maximum {
            return values.mean_dim(0).repeat_dim(0, n);
        }
        let column = self.writing(values.reshape([maximum, 1]), n);
        // Of blocks on a diagonal each token has one that is its own; the others are 0.
        column.sum_dim(1).reshape([n])
    }

    /// One number a hidden unit, `[h]`, as `[k·h]`.
    pub(super) fn hidden(self, values: Tensor<1>, maximum: usize, n: usize) -> Tensor<1> {
        match self {
            LengthPolicy::BlockDiagonal if n > maximum => values.repeat_dim(0, n.div_ceil(maximum)),
            _ => values,
        }
    }
}

/// The first rows and columns.
///
/// # Panics
/// If there are fewer.
fn corner(weight: Tensor<2>, rows: usize, columns: usize) -> Tensor<2> {
    let [most_rows, most_columns] = weight.dims();
    assert!(
        rows <= most_rows && columns <= most_columns,
        "{rows}×{columns} weights of {most_rows}×{most_columns}"
    );
    weight.slice([0..rows, 0..columns])
}

/// `blocks` copies of a matrix along a diagonal, zeros elsewhere.
fn on_the_diagonal(weight: Tensor<2>, blocks: usize) -> Tensor<2> {
    let [rows, columns] = weight.dims();
    let zeros = |count: usize| {
        (count > 0).then(|| Tensor::zeros([rows, count * columns], (&weight.device(), weight.dtype())))
    };
    let row = |block: usize| {
        let parts = [zeros(block), Some(weight.clone()), zeros(blocks - 1 - block)];
        Tensor::cat(parts.into_iter().flatten().collect(), 1)
    };
    Tensor::cat((0..blocks).map(row).collect(), 0)
}

/// Linear resampling of `from` equally spaced values to `to`, `[to, from]`: both ends meet, and rows sum to 1.
fn resampling(from: usize, to: usize, like: &Tensor<2>) -> Tensor<2> {
    let mut values = vec![0.0f64; to * from];
    for (row, values) in values.chunks_exact_mut(from).enumerate() {
        let last = (from - 1) as f64;
        let at = if to == 1 { last / 2.0 } else { row as f64 * last / (to - 1) as f64 };
        let left = (at.floor() as usize).min(from - 1);
        let share = at - left as f64;
        values[left] += 1.0 - share;
        if share > 0.0 {
            values[left + 1] += share;
        }
    }
    Tensor::from_data(TensorData::new(values, [to, from]), (&like.device(), like.dtype()))
}

fn resample_rows(weight: Tensor<2>, n: usize) -> Tensor<2> {
    resampling(weight.dims()[0], n, &weight).matmul(weight)
}

/// Columns are summed over, so their weights shrink as their number grows.
fn resample_columns(weight: Tensor<2>, n: usize) -> Tensor<2> {
    let columns = weight.dims()[1];
    let to = resampling(columns, n, &weight).transpose();
    weight.matmul(to).mul_scalar(columns as f64 / n as f64)
}

/// The mean of every diagonal of `[N, N]`, `[2N − 1]`: value N − 1 + j − i belongs to the offset j − i.
fn mean_of_offsets(weight: Tensor<2>) -> Tensor<1> {
    let [n, _] = weight.dims();
    // Of a matrix with reversed rows, written into rows one longer than 2N − 2 and read in rows one shorter, the
    // diagonals stand in columns.
    let padding = Tensor::zeros([n, n], (&weight.device(), weight.dtype()));
    let wide: Tensor<2> = Tensor::cat(vec![weight.flip([0]), padding], 1);
    let skewed = wide.reshape([2 * n * n]).narrow(0, 0, n * (2 * n - 1)).reshape([n, 2 * n - 1]);
    let counts: Vec<f64> = (0..2 * n - 1).map(|at| (n - (n - 1).abs_diff(at)) as f64).collect();
    let sums: Tensor<1> = skewed.sum_dim(0).reshape([2 * n - 1]);
    let like = (&sums.device(), sums.dtype());
    sums.clone() / Tensor::from_data(TensorData::new(counts, [2 * n - 1]), like)
}

/// The matrix `T[i, j] = w[N − 1 + j − i]`, `[n, n]`, of the values of 2N − 1 offsets; 0 beyond them.
pub(super) fn from_offsets(offsets: Tensor<1>, n: usize) -> Tensor<2> {
    let known = offsets.dims()[0].div_ceil(2);
    let zeros = |count: usize| Tensor::zeros([count], (&offsets.device(), offsets.dtype()));
    // Behind the values stands one zero more, so that a row of 2m − 1 is one shorter than their period.
    let (m, offsets) = match n.checked_sub(known) {
        Some(more) if more > 0 => (n, Tensor::cat(vec![zeros(more), offsets.clone(), zeros(more + 1)], 0)),
        _ => (known, Tensor::cat(vec![offsets.clone(), zeros(1)], 0)),
    };
    let shifted = offsets.repeat_dim(0, n).narrow(0, 0, n * (2 * m - 1)).reshape([n, 2 * m - 1]);
    shifted.slice([0..n, m - 1..m - 1 + n])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device};

    fn matrix(rows: usize, columns: usize) -> Tensor<2> {
        let values: Vec<f64> = (0..rows * columns).map(|i| (i + 1) as f64).collect();
        Tensor::from_data(TensorData::new(values, [rows, columns]), (&Device::flex(), DType::F64))
    }

    fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
        tensor.into_data().try_to_vec().expect("doubles")
    }

    #[test]
    fn square_weights_at_other_lengths_by_hand() {
        let square = |policy: LengthPolicy, n| numbers(policy.square(matrix(2, 2), n));
        assert_eq!(square(LengthPolicy::Truncate, 1), [1.0]);
        assert_eq!(square(LengthPolicy::BlockDiagonal, 3), [1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 1.0]);
        // Offsets −1, 0, 1 have the means 3, (1 + 4)/2 and 2.
        assert_eq!(square(LengthPolicy::Toeplitz, 1), [2.5]);
        assert_eq!(square(LengthPolicy::Toeplitz, 3), [2.5, 2.0, 0.0, 3.0, 2.5, 2.0, 0.0, 3.0, 2.5]);
        // Between the corners stand the means; columns have 2/3 of their weight.
        let expected = [1.0, 1.5, 2.0, 2.0, 2.5, 3.0, 3.0, 3.5, 4.0].map(|v| v * 2.0 / 3.0);
        for (found, expected) in square(LengthPolicy::Interpolate, 3).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
        }
    }

    #[test]
    fn hidden_layers_at_other_lengths_by_hand() {
        let policy = LengthPolicy::BlockDiagonal;
        assert_eq!(
            numbers(policy.reading(matrix(1, 2), 3)),
            [1.0, 2.0, 0.0, 0.0, 0.0, 1.0],
            "two hidden units, the second of which reads one token"
        );
        assert_eq!(numbers(policy.writing(matrix(2, 1), 3)), [1.0, 0.0, 2.0, 0.0, 0.0, 1.0]);
        let line = matrix(1, 2).reshape([2]);
        assert_eq!(numbers(policy.tokens(line.clone(), 3)), [1.0, 2.0, 1.0]);
        assert_eq!(numbers(policy.hidden(line.clone(), 2, 3)), [1.0, 2.0, 1.0, 2.0]);
        assert_eq!(numbers(LengthPolicy::Interpolate.tokens(line, 3)), [1.0, 1.5, 2.0]);
    }

    /// Resampling keeps what a constant sequence is mixed to.
    #[test]
    fn resampled_weights_mix_a_constant_alike() {
        let sums = |weight: Tensor<2>| numbers(weight.sum_dim(1));
        let policy = LengthPolicy::Interpolate;
        let flat = Tensor::<2>::ones([3, 5], (&Device::flex(), DType::F64)).mul_scalar(0.5);
        for n in [1, 2, 4, 9] {
            for sum in sums(policy.reading(flat.clone(), n)) {
                assert!((sum - 2.5).abs() < 1e-12, "length {n}: {sum}");
            }
        }
    }

    #[test]
    fn lengths_meet() {
        assert_eq!(Lengths::Any.and(Lengths::AtMost(4)), Lengths::AtMost(4));
        assert_eq!(Lengths::AtMost(7).and(Lengths::AtMost(4)), Lengths::AtMost(4));
        assert_eq!(Lengths::AtMost(7).and(Lengths::Exactly(5)), Lengths::Exactly(5));
        assert!(Lengths::Exactly(5).allow(5) && !Lengths::Exactly(5).allow(4));
    }

    #[test]
    #[should_panic(expected = "3 positions, but the length policy `truncate` takes at most 2")]
    fn a_refused_length_is_not_silently_cut() {
        LengthPolicy::Truncate.assert_allows(3, 2, false);
    }
}
