//! The cost model of Su Jianlin's "Linear Transformers are probably not the model you are waiting for" (2021), with
//! its crossovers solved from its formulas, and the corrections that follow from them.
//!
//! Multiplications of one layer, forward, for a sequence of n tokens, with H = h·d_h channels in h heads:
//!
//! ```text
//! attention = 4nH² + 2n²H     feed-forward = 8nH²     layer = 12nH² + 2n²H
//! core of attention 2n²H      core of linear attention 2n·d_h·H
//! ```
//!
//! Softmax, scale, norms, shortcuts, biases and embeddings are left out. A causal layer that skips what it must not see
//! makes n(n + 1)/2 scores instead of n².

use serde::Serialize;

use super::Crossing;
use super::polynomial::Polynomial;

/// Heads and their width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LayerShape {
    /// Number of heads, h.
    pub heads: usize,
    /// Width of a head, d_h.
    pub head_width: usize,
}

/// How much wider than d_h the heads of linear attention are.
#[derive(Clone, Copy, Debug)]
struct Widening {
    /// Factor on queries and keys.
    key: f64,
    /// Factor on values, and so on what the output matrix reads.
    value: f64,
}

const SAME: Widening = Widening { key: 1.0, value: 1.0 };
/// What linear attention needs to be as good as softmax attention, by the post.
const FOURFOLD: Widening = Widening { key: 4.0, value: 4.0 };
const FOURFOLD_KEYS: Widening = Widening { key: 4.0, value: 1.0 };

/// Pairs of tokens that a mixer looks at.
pub(super) fn pairs(causal: bool) -> Polynomial {
    if causal { (Polynomial::N_SQUARED + Polynomial::N) * 0.5 } else { Polynomial::N_SQUARED }
}

impl LayerShape {
    /// Width of the model, H = h·d_h.
    pub fn width(self) -> usize {
        self.heads * self.head_width
    }

    fn h(self) -> f64 {
        self.width() as f64
    }

    /// The four matrices of attention, 4nH² unless heads are widened.
    fn projections(self, widening: Widening) -> Polynomial {
        Polynomial::N * (2.0 * (widening.key + widening.value) * self.h() * self.h())
    }

    /// Scores and weighted values: H multiplications each for a pair, whatever the number of heads.
    fn softmax_core(self, causal: bool) -> Polynomial {
        pairs(causal) * (2.0 * self.h())
    }

    /// Sums φ(k)vᵀ of every head, and their products with φ(q).
    fn linear_core(self, widening: Widening) -> Polynomial {
        Polynomial::N * (2.0 * widening.key * widening.value * self.head_width as f64 * self.h())
    }

    fn self_attention(self, causal: bool) -> Polynomial {
        self.projections(SAME) + self.softmax_core(causal)
    }

    fn linear_attention(self, widening: Widening) -> Polynomial {
        self.projections(widening) + self.linear_core(widening)
    }

    /// Two matrices with four times the width between them.
    pub(super) fn feed_forward(self) -> Polynomial {
        Polynomial::N * (8.0 * self.h() * self.h())
    }

    /// Attention with its feed-forward layer.
    pub(super) fn softmax_block(self, causal: bool) -> Polynomial {
        self.self_attention(causal) + self.feed_forward()
    }

    /// The same with linear attention, its heads as wide as before.
    pub(super) fn linear_block(self) -> Polynomial {
        self.linear_attention(SAME) + self.feed_forward()
    }
}

/// A statement of the cost model, and where it begins to hold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Crossover {
    /// What is compared.
    pub statement: &'static str,
    /// The length as a formula, for mixers that see both sides.
    pub condition: &'static str,
    /// Where it holds with all n² scores.
    pub both: Crossing,
    /// Where it holds with the n(n + 1)/2 scores of a causal mixer.
    pub causal: Crossing,
}

/// Every crossover of the model for one shape, solved from its costs.
pub fn crossovers(shape: LayerShape) -> Vec<Crossover> {
    let linear_terms = shape.projections(SAME) + shape.feed_forward();
    let attention = |causal| shape.self_attention(causal);
    let core = |causal| shape.softmax_core(causal);
    let row = |statement, condition, cheaper: Polynomial, than: &dyn Fn(bool) -> Polynomial| Crossover {
        statement,
        condition,
        both: cheaper.below(than(false)),
        causal: cheaper.below(than(true)),
    };
    vec![
        row("attention costs more than feed-forward", "n > 2H", shape.feed_forward(), &attention),
        row("quadratic term above the linear ones", "n > 6H", linear_terms, &core),
        row("linear core cheaper, same heads", "n > d_h", shape.linear_core(SAME), &core),
        row("linear core cheaper, heads 4 times as wide", "n > 16 d_h", shape.linear_core(FOURFOLD), &core),
        row(
            "the same with its wider projections",
            "n > 16 d_h + 6H",
            shape.linear_attention(FOURFOLD),
            &attention,
        ),
        row(
            "the same, only queries and keys wider",
            "n > 4 d_h + 3H",
            shape.linear_attention(FOURFOLD_KEYS),
            &attention,
        ),
    ]
}

/// What a layer could gain if its quadratic part cost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ceiling {
    /// Length n.
    pub length: usize,
    /// Cost of the layer over that of its linear terms: 1 + n/(6H), or 1 + (n + 1)/(12H) when causal.
    pub speed_up: f64,
    /// Share of the quadratic part in the layer.
    pub share: f64,
}

/// The ceiling at one length.
pub fn ceiling(shape: LayerShape, causal: bool, length: usize) -> Ceiling {
    let n = length as f64;
    let (layer, core) = (shape.softmax_block(causal).at(n), shape.softmax_core(causal).at(n));
    Ceiling { length, speed_up: layer / (layer - core), share: core / layer }
}

/// Numbers that one attention layer keeps for its backward pass, without dropout.
#[derive(Clone, Copy, Debug)]
struct Kept {
    /// Queries, keys, values; scores and weights of every pair: 3nH + 2hn². A causal mask does not make them fewer.
    classical: Polynomial,
    /// Exact attention in tiles (Dao et al. 2022): queries, keys, values, output, and the logarithm of a sum for each
    /// row and head: 4nH + hn. Scores are made again.
    tiled: Polynomial,
    /// Queries, keys, values and the state: 3nH + d_h·H.
    linear: Polynomial,
}

fn kept(shape: LayerShape) -> Kept {
    let (h, heads) = (shape.h(), shape.heads as f64);
    Kept {
        classical: Polynomial::N * (3.0 * h) + Polynomial::N_SQUARED * (2.0 * heads),
        tiled: Polynomial::N * (4.0 * h + heads),
        linear: Polynomial::N * (3.0 * h) + Polynomial::constant(shape.head_width as f64 * h),
    }
}

/// Numbers kept a token at one length, by kind of attention.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KeptNumbers {
    /// Length n.
    pub length: usize,
    /// Softmax attention that stores its scores.
    pub classical: f64,
    /// Softmax attention in tiles, as this program computes it.
    pub tiled: f64,
    /// Linear attention.
    pub linear: f64,
}

/// What attention keeps at one length.
pub fn kept_numbers(shape: LayerShape, length: usize) -> KeptNumbers {
    let (kept, n) = (kept(shape), length as f64);
    let [classical, tiled, linear] =
        [kept.classical, kept.tiled, kept.linear].map(|numbers| numbers.at(n) / n);
    KeptNumbers { length, classical, tiled, linear }
}

/// Where linear attention keeps less than each form of softmax attention.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KeptCrossings {
    /// Less than attention that stores its scores.
    pub classical: Crossing,
    /// Less than attention in tiles.
    pub tiled: Crossing,
}

/// Both crossings of memory.
pub fn kept_crossings(shape: LayerShape) -> KeptCrossings {
    let kept = kept(shape);
    KeptCrossings { classical: kept.linear.below(kept.classical), tiled: kept.linear.below(kept.tiled) }
}

#[cfg(test)]
mod tests;
