//! The cost model against its published numbers, and against multiplications counted one by one.

use super::*;

const BASE: LayerShape = LayerShape { heads: 12, head_width: 64 };
const LARGE: LayerShape = LayerShape { heads: 16, head_width: 64 };
const GPT3: LayerShape = LayerShape { heads: 96, head_width: 128 };

fn lengths(shape: LayerShape, causal: bool) -> Vec<usize> {
    let length = |crossing| match crossing {
        Crossing::Above { length } => length,
        other => panic!("{other:?}"),
    };
    crossovers(shape).iter().map(|row| length(if causal { row.causal } else { row.both })).collect()
}

#[test]
fn crossovers_of_three_sizes() {
    assert_eq!(lengths(BASE, false), [1536, 4608, 64, 1024, 5632, 2560]);
    assert_eq!(lengths(LARGE, false), [2048, 6144, 64, 1024, 7168, 3328]);
    assert_eq!(lengths(GPT3, false), [24_576, 73_728, 128, 2048, 75_776, 37_376]);
}

/// With half the scores a crossing at n moves to 2n − 1.
#[test]
fn causal_crossovers_are_twice_as_long() {
    for shape in [BASE, LARGE, GPT3] {
        let doubled: Vec<usize> = lengths(shape, false).iter().map(|n| 2 * n - 1).collect();
        assert_eq!(lengths(shape, true), doubled);
    }
}

/// The conditions are printed as text; here they are computed.
#[test]
fn crossovers_equal_their_conditions() {
    for (heads, head_width) in [(1, 1), (1, 8), (3, 5), (7, 96), (12, 64), (128, 512)] {
        let (h, d) = (heads * head_width, head_width);
        let expected = [2 * h, 6 * h, d, 16 * d, 16 * d + 6 * h, 4 * d + 3 * h];
        let shape = LayerShape { heads, head_width };
        assert_eq!(lengths(shape, false), expected, "{shape:?}");
        let conditions: Vec<&str> = crossovers(shape).iter().map(|row| row.condition).collect();
        let texts = ["n > 2H", "n > 6H", "n > d_h", "n > 16 d_h", "n > 16 d_h + 6H", "n > 4 d_h + 3H"];
        assert_eq!(conditions, texts);
    }
}

#[test]
fn ceilings_and_shares() {
    let of = |n| ceiling(BASE, false, n);
    let speed_ups = [128, 512, 1024, 2048, 4096].map(|n| format!("{:.3}", of(n).speed_up));
    assert_eq!(speed_ups, ["1.028", "1.111", "1.222", "1.444", "1.889"]);
    let shares = [128, 512, 1024, 2048, 4608].map(|n| format!("{:.1}", 100.0 * of(n).share));
    assert_eq!(shares, ["2.7", "10.0", "18.2", "30.8", "50.0"]);
    for n in [1, 128, 5000] {
        let h = BASE.width() as f64;
        assert!((of(n).speed_up - (1.0 + n as f64 / (6.0 * h))).abs() < 1e-14);
        let causal = ceiling(BASE, true, n).speed_up;
        assert!((causal - (1.0 + (n as f64 + 1.0) / (12.0 * h))).abs() < 1e-14);
    }
}

#[test]
fn memory_by_hand() {
    let at = kept_numbers(BASE, 1024);
    assert_eq!(at.classical, (3 * 768 + 2 * 12 * 1024) as f64);
    assert_eq!(at.tiled, (4 * 768 + 12) as f64);
    assert_eq!(at.linear, (3 * 768 + 64 * 768 / 1024) as f64);
    // √(d_h·H/2h) = 45.25 and d_h·H/(H + h) = 63.02.
    let KeptCrossings { classical, tiled } = kept_crossings(BASE);
    assert_eq!([classical, tiled], [45, 63].map(|length| Crossing::Above { length }));
}

/// Counts every multiplication of a product of matrices by making it.
#[derive(Default)]
struct Counter(u64);

type Matrix = Vec<Vec<f64>>;

impl Counter {
    fn multiply(&mut self, a: f64, b: f64) -> f64 {
        self.0 += 1;
        a * b
    }

    fn product(&mut self, a: &Matrix, b: &Matrix) -> Matrix {
        let cell = |counter: &mut Counter, row: &[f64], j: usize| {
            row.iter().zip(b).map(|(x, other)| counter.multiply(*x, other[j])).sum()
        };
        a.iter().map(|row| (0..b[0].len()).map(|j| cell(self, row, j)).collect()).collect()
    }

    /// One head of attention: scores and weighted values of the pairs that are seen. What turns a score into a weight
    /// is not counted.
    fn attend(&mut self, q: &Matrix, k: &Matrix, v: &Matrix, causal: bool) {
        for (i, query) in q.iter().enumerate() {
            let mut mixed = vec![0.0; v[0].len()];
            for j in 0..if causal { i + 1 } else { k.len() } {
                let score: f64 = query.iter().zip(&k[j]).map(|(x, y)| self.multiply(*x, *y)).sum();
                for (sum, value) in mixed.iter_mut().zip(&v[j]) {
                    *sum += self.multiply(score, *value);
                }
            }
        }
    }

    /// One head of linear attention: the sum of k_j·v_jᵀ, each read once.
    fn attend_linearly(&mut self, q: &Matrix, k: &Matrix, v: &Matrix) {
        let mut state = vec![vec![0.0; v[0].len()]; k[0].len()];
        for ((query, key), value) in q.iter().zip(k).zip(v) {
            for (row, x) in state.iter_mut().zip(key) {
                for (sum, y) in row.iter_mut().zip(value) {
                    *sum += self.multiply(*x, *y);
                }
            }
            self.product(&vec![query.clone()], &state);
        }
    }
}

fn ones(rows: usize, columns: usize) -> Matrix {
    vec![vec![1.0; columns]; rows]
}

/// A whole block, product by product; `linear` is the widening of queries and keys, and of values.
fn counted(shape: LayerShape, n: usize, causal: bool, linear: Option<(usize, usize)>) -> u64 {
    let mut counter = Counter::default();
    let (width, (key, value)) = (shape.width(), linear.unwrap_or((1, 1)));
    let x = ones(n, width);
    for columns in [key, key, value] {
        counter.product(&x, &ones(width, columns * width));
    }
    for _ in 0..shape.heads {
        let [k, v] = [key, value].map(|factor| ones(n, factor * shape.head_width));
        match linear {
            None => counter.attend(&k, &k, &v, causal),
            Some(_) => counter.attend_linearly(&k, &k, &v),
        }
    }
    counter.product(&ones(n, value * width), &ones(value * width, width));
    let hidden = counter.product(&x, &ones(width, 4 * width));
    counter.product(&hidden, &ones(4 * width, width));
    counter.0
}

#[test]
fn formulas_equal_an_instrumented_block() {
    for (heads, head_width) in [(1, 2), (2, 3), (3, 2)] {
        let shape = LayerShape { heads, head_width };
        for n in [1, 2, 5, 9] {
            let at = |cost: Polynomial| cost.at(n as f64);
            for causal in [false, true] {
                assert_eq!(at(shape.softmax_block(causal)), counted(shape, n, causal, None) as f64);
            }
            for (widening, factors) in [(SAME, (1, 1)), (FOURFOLD, (4, 4)), (FOURFOLD_KEYS, (4, 1))] {
                let formula = shape.linear_attention(widening) + shape.feed_forward();
                assert_eq!(at(formula), counted(shape, n, false, Some(factors)) as f64, "{widening:?}");
            }
        }
    }
}
