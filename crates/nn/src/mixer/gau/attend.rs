//! `A·V` of a gated attention unit under any normaliser, on the fused attention operations.

use burn::tensor::{Tensor, TensorData};
use mixlab_kernels::{
    Dropout, Mask, ScoreOptions, ScoreWeight, SoftmaxOptions, score_attention, softmax_attention,
};

use super::normaliser::{NormaliserConfig, RowFactors, Weighing};
use crate::mixer::key_counts::KeyCounts;
use crate::position::{RelativeBias, Span};

/// What turns queries, keys and values into an attended sequence.
pub(super) struct Attention<'a> {
    pub normaliser: &'a NormaliserConfig,
    pub relative_bias: Option<&'a RelativeBias>,
    pub key_width: usize,
    pub causal: bool,
}

impl Attention<'_> {
    /// Queries `[b, n, s]` over keys `[b, m, s]` and values `[b, m, e]`; gives `[b, n, e]`.
    pub fn attend(
        &self,
        query: Tensor<3>,
        key: Tensor<3>,
        value: Tensor<3>,
        mask: &Mask,
        dropout: Option<Dropout>,
    ) -> Tensor<3> {
        let span = Span { queries: query.dims()[1], keys: key.dims()[1], causal: self.causal };
        let rows = self.rows(mask, query.dims()[0], span);
        let (query, scale) = rows.score.apply_or_defer(query);
        let options = |weight, dropout| ScoreOptions {
            weight,
            scale,
            causal: self.causal,
            mask: mask.clone(),
            dropout,
        };
        let attended = match self.normaliser.weighing() {
            Weighing::Softmax => {
                let options = SoftmaxOptions { scale, causal: self.causal, mask: mask.clone(), dropout };
                softmax(query, key, value, options)
            }
            Weighing::Score(weight) => {
                score_attention(query, key, value, self.bias(span), options(weight, dropout))
            }
            Weighing::SumOfSquares => {
                let (bias, weight) = (self.bias(span), ScoreWeight::SquaredRelu);
                let ones = value.clone().narrow(2, 0, 1).ones_like();
                // The sum is over the weights before their dropout, as in a softmax.
                let sum =
                    score_attention(query.clone(), key.clone(), ones, bias.clone(), options(weight, None));
                let empty = sum.clone().equal_elem(0.0);
                let attended = score_attention(query, key, value, bias, options(weight, dropout));
                attended / sum.mask_fill(empty, 1.0)
            }
        };
        rows.weight.apply(attended)
    }

    fn bias(&self, span: Span) -> Option<Tensor<1>> {
        let factor = self.normaliser.bias_factor(self.key_width);
        self.relative_bias.map(|bias| bias.values(span).mul_scalar(factor))
    }

    fn rows(&self, mask: &Mask, batch: usize, span: Span) -> Rows {
        let counts = KeyCounts::new(mask, batch, span.queries, span.keys, span.causal);
        let factors = counts.document.iter().zip(&counts.visible).map(|(&document, &visible)| {
            let RowFactors { score, weight } = self.normaliser.factors(self.key_width, document, visible);
            // relu(x)²·w = relu(x·√w)²: without a bias the factor on the weights moves to the queries, which
            // are narrower than the result.
            if self.relative_bias.is_none() && weight != 1.0 {
                (score * weight.sqrt(), 1.0)
            } else {
                (score, weight)
            }
        });
        let (score, weight) = factors.unzip();
        Rows { score: Factor::new(score, counts.rows), weight: Factor::new(weight, counts.rows) }
    }
}

/// The factors of every row of a batch.
struct Rows {
    score: Factor,
    weight: Factor,
}

enum Factor {
    /// One for all rows.
    Same(f64),
    /// `[rows, queries]`, where one row stands for the whole batch.
    Each { values: Vec<f64>, rows: usize },
}

impl Factor {
    fn new(values: Vec<f64>, rows: usize) -> Self {
        match values.first() {
            Some(&first) if values.iter().all(|&value| value == first) => Factor::Same(first),
            Some(_) | None => Factor::Each { values, rows },
        }
    }

    /// The rows of `x` multiplied by their factors, and a factor for all that is left to the scores.
    fn apply_or_defer(self, x: Tensor<3>) -> (Tensor<3>, f64) {
        match self {
            Factor::Same(factor) => (x, factor),
            each @ Factor::Each { .. } => (each.apply(x), 1.0),
        }
    }

    /// Multiplies every row of `x` `[b, n, ..]` by its factor.
    fn apply(self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Factor::Same(1.0) => x,
            Factor::Same(factor) => x.mul_scalar(factor),
            Factor::Each { values, rows } => {
                let shape = [rows, x.dims()[1], 1];
                let factors: Tensor<3> =
                    Tensor::from_data(TensorData::new(values, shape), (&x.device(), x.dtype()));
                x * factors
            }
        }
    }
}

fn softmax(query: Tensor<3>, key: Tensor<3>, value: Tensor<3>, options: SoftmaxOptions) -> Tensor<3> {
    let one_head = |x: Tensor<3>| x.unsqueeze_dim::<4>(2);
    softmax_attention(one_head(query), one_head(key), one_head(value), options).squeeze_dim(2)
}
