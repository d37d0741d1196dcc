//! Every mixer against its formula written as loops over positions.

use super::*;
use crate::position::t5_bucket;

pub(super) const N: usize = 11;
const BATCH: usize = 2;

/// Row-major matrices of one sample.
pub(super) type Matrix = Vec<Vec<f64>>;

pub(super) struct Parameters(BTreeMap<String, Tensor<1>>);

impl Parameters {
    pub(super) fn of(mixer: &Mixer) -> Self {
        Parameters(parameter_values(mixer))
    }

    pub(super) fn vector(&self, path: &str) -> Option<Vec<f64>> {
        self.0.get(path).map(numbers)
    }

    /// The matrix of `columns` columns.
    pub(super) fn matrix(&self, path: &str, columns: usize) -> Matrix {
        let values = self.vector(path).unwrap_or_else(|| panic!("no parameter `{path}`"));
        values.chunks(columns).map(<[f64]>::to_vec).collect()
    }
}

pub(super) fn sample(x: &Tensor<3>, b: usize) -> Matrix {
    let columns = x.dims()[2];
    numbers(&x.clone().narrow(0, b, 1)).chunks(columns).map(<[f64]>::to_vec).collect()
}

thread_local! {
    static MULTIPLY_ADDS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts products that contract an axis.
pub(super) fn count(multiply_adds: usize) {
    MULTIPLY_ADDS.with(|counted| counted.set(counted.get() + multiply_adds as u64));
}

/// What has been counted since the last call.
pub(super) fn counted() -> u64 {
    MULTIPLY_ADDS.with(std::cell::Cell::take)
}

pub(super) fn affine(x: &Matrix, weight: &Matrix, bias: Option<&[f64]>) -> Matrix {
    let columns = weight[0].len();
    count(x.len() * weight.len() * columns);
    let at = |row: &Vec<f64>, c: usize| {
        row.iter().zip(weight).map(|(a, w)| a * w[c]).sum::<f64>() + bias.map_or(0.0, |bias| bias[c])
    };
    x.iter().map(|row| (0..columns).map(|c| at(row, c)).collect()).collect()
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    count(a.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

fn square_relu(x: f64) -> f64 {
    x.max(0.0).powi(2)
}

/// The mask of the tests: padding inside and behind, two documents whose boundary is inside a chunk.
fn mask() -> Mask {
    let real = (0..BATCH * N).map(|i| i % N != 2 && i != 2 * N - 1).collect();
    Mask { padding: Some(real), segments: Some((0..BATCH * N).map(|i| u32::from(i % N > 6)).collect()) }
}

fn masks() -> [Mask; 2] {
    [Mask::default(), mask()]
}

pub(super) struct Seen<'a> {
    mask: &'a Mask,
    b: usize,
    pub(super) causal: bool,
}

impl Seen<'_> {
    pub(super) fn real(&self, j: usize) -> bool {
        self.mask.padding.as_ref().is_none_or(|real| real[self.b * N + j])
    }

    pub(super) fn same_document(&self, i: usize, j: usize) -> bool {
        self.mask.segments.as_ref().is_none_or(|ids| ids[self.b * N + i] == ids[self.b * N + j])
    }

    /// Keys of the document of `i`, without regard to direction.
    pub(super) fn document(&self, i: usize) -> Vec<usize> {
        (0..N).filter(|&j| self.real(j) && self.same_document(i, j)).collect()
    }

    pub(super) fn keys(&self, i: usize) -> Vec<usize> {
        self.document(i).into_iter().filter(|&j| !self.causal || j <= i).collect()
    }
}

/// Compares a mixer with `expected(sample, seen)` on real positions, in both directions and under masks, and its
/// cost with the multiply–adds that `expected` makes without a mask.
pub(super) fn compare(config: &MixerConfig, expected: impl Fn(&Parameters, &Matrix, &Seen<'_>) -> Matrix) {
    compare_values(config, |p, x, seen| {
        counted();
        let y = expected(p, x, seen);
        let found = counted();
        if seen.mask.padding.is_none() {
            let place = Place { width: WIDTH, max_length: N, layer: 0 };
            let cost = config.cost(place, N, seen.causal);
            assert_eq!(cost.multiply_adds(), found, "causal: {}, {config:?}", seen.causal);
        }
        y
    });
}

/// The same for a formula that makes more products than the mixer needs.
pub(super) fn compare_values(
    config: &MixerConfig,
    expected: impl Fn(&Parameters, &Matrix, &Seen<'_>) -> Matrix,
) {
    let (mixer, x) = (build_for(config, N), input(BATCH, N));
    let parameters = Parameters::of(&mixer);
    for mask in masks() {
        for causal in directions(config) {
            let found = forward(&mixer, &x, causal, mask.clone());
            for b in 0..BATCH {
                let seen = Seen { mask: &mask, b, causal };
                let expected = expected(&parameters, &sample(&x, b), &seen);
                let found = sample(&found, b);
                for i in (0..N).filter(|&i| seen.real(i)) {
                    for (a, e) in found[i].iter().zip(&expected[i]) {
                        let close = (a - e).abs() < 1e-11 * e.abs().max(1.0);
                        assert!(close, "row {i} of {b}, causal {causal}: {a} instead of {e}; {config:?}");
                    }
                }
            }
        }
    }
}

/// U and V after their activation, and the affine images of Z, unrotated.
fn gated_unit(p: &Parameters, x: &Matrix, e: usize, s: usize) -> (Matrix, Matrix, Vec<Matrix>) {
    let all = affine(x, &p.matrix("unit.input.weight", 2 * e + s), p.vector("unit.input.bias").as_deref());
    let part = |range: std::ops::Range<usize>| -> Matrix {
        all.iter().map(|row| row[range.clone()].iter().map(|&v| silu(v)).collect()).collect()
    };
    let z = part(2 * e..2 * e + s);
    let (gamma, beta) = (p.matrix("unit.gamma", s), p.matrix("unit.beta", s));
    let heads = gamma
        .iter()
        .zip(&beta)
        .map(|(g, b)| z.iter().map(|row| (0..s).map(|c| row[c] * g[c] + b[c]).collect()).collect());
    (part(0..e), part(e..2 * e), heads.collect())
}

fn finish(p: &Parameters, attended: &Matrix, gate: &Matrix) -> Matrix {
    let gated: Matrix =
        attended.iter().zip(gate).map(|(a, u)| a.iter().zip(u).map(|(a, u)| a * u).collect()).collect();
    affine(&gated, &p.matrix("unit.output.weight", WIDTH), p.vector("unit.output.bias").as_deref())
}

pub(super) fn weighted(weights: &[(usize, f64)], values: &Matrix) -> Vec<f64> {
    count(weights.len() * values[0].len());
    (0..values[0].len()).map(|c| weights.iter().map(|&(j, w)| w * values[j][c]).sum()).collect()
}

/// The weights of one row, as the table of normalisers has them. `seen` holds (key, score, bias).
fn row_weights(
    normaliser: NormaliserConfig,
    s: usize,
    n: usize,
    seen: &[(usize, f64, f64)],
) -> Vec<(usize, f64)> {
    let (root, n, count) = ((s as f64).sqrt(), n as f64, seen.len() as f64);
    let each =
        |f: &dyn Fn(f64, f64) -> f64| seen.iter().map(|&(j, score, bias)| (j, f(score, bias))).collect();
    let divided_by_sum = |weights: Vec<(usize, f64)>| {
        let sum: f64 = weights.iter().map(|w| w.1).sum();
        weights.into_iter().map(|(j, w)| (j, if sum == 0.0 { 0.0 } else { w / sum })).collect()
    };
    match normaliser {
        NormaliserConfig::Relu2Nn => each(&|x, b| square_relu(x / n + b)),
        NormaliserConfig::Relu2Ns => each(&|x, b| square_relu(x / root + b) / n),
        NormaliserConfig::Relu2Len => each(&|x, b| square_relu(x / root + b) / count),
        NormaliserConfig::Relu2Const { constant } => each(&|x, b| square_relu(x / constant + b)),
        NormaliserConfig::Relu2Sqrt => each(&|x, b| square_relu((x + b) / root)),
        NormaliserConfig::Relu2Sum => divided_by_sum(each(&|x, b| square_relu(x / root + b))),
        NormaliserConfig::Softmax => divided_by_sum(each(&|x, _| (x / root).exp())),
        NormaliserConfig::SoftmaxPlus { floor, reference } => {
            let factor = count.max(floor as f64).ln() / reference.ln() / root;
            divided_by_sum(each(&|x, _| (x * factor).exp()))
        }
        NormaliserConfig::Laplace { scale, mean, deviation } => each(&|x, b| {
            let x = b + x / if scale == LaplaceScale::Length { n } else { root };
            0.5 * (1.0 + error_function((x - mean) / (deviation * 2f64.sqrt())))
        }),
    }
}

/// erf by `2/√π · exp(−x²) · Σ 2^k x^(2k+1)/(1·3·…·(2k+1))`, whose terms never cancel.
pub(super) fn error_function(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for k in 1..400 {
        term *= 2.0 * x * x / f64::from(2 * k + 1);
        sum += term;
    }
    if x.abs() > 6.0 { x.signum() } else { sum * (-x * x).exp() * std::f64::consts::FRAC_2_SQRT_PI }
}

fn naive_gau(config: &GauConfig, bias: impl Fn(&Parameters, usize, usize, bool) -> f64) {
    let (e, s) = (12, config.key_width);
    compare(&MixerConfig::Gau(config.clone()), |p, x, seen| {
        let (gate, value, heads) = gated_unit(p, x, e, s);
        let attended = (0..N)
            .map(|i| {
                let scored = seen
                    .keys(i)
                    .into_iter()
                    .map(|j| (j, dot(&heads[0][i], &heads[1][j]), bias(p, i, j, seen.causal)));
                let scored: Vec<_> = scored.collect();
                weighted(&row_weights(config.normaliser, s, seen.document(i).len(), &scored), &value)
            })
            .collect();
        finish(p, &attended, &gate)
    });
}

#[test]
fn gated_attention_unit_under_every_normaliser() {
    for normaliser in normalisers() {
        let rotary = RotaryConfig::none();
        naive_gau(&GauConfig { rotary, ..gau(normaliser) }, |_, _, _, _| 0.0);
    }
}

#[test]
fn gated_attention_unit_with_a_relative_bias() {
    for normaliser in
        normalisers().filter(|normaliser| !matches!(normaliser.name(), "softmax" | "softmax_plus"))
    {
        let with =
            |relative_bias| GauConfig { rotary: RotaryConfig::none(), relative_bias, ..gau(normaliser) };
        naive_gau(&with(RelativeBiasConfig::Toeplitz { deviation: 1.0 }), |p, i, j, _| {
            p.vector("relative_bias.weight").expect("a table")[N - 1 + j - i]
        });
        let t5 = RelativeBiasConfig::T5 { buckets: 8, max_distance: 16, scale: 1.5, deviation: 1.0 };
        naive_gau(&with(t5), |p, i, j, causal| {
            let bucket = t5_bucket(j as i64 - i as i64, causal, 8, 16);
            1.5 * p.vector("relative_bias.weight").expect("a table")[bucket]
        });
    }
}

/// Mixed chunk attention as two dense masked matrices.
#[test]
fn flash_in_every_form() {
    let (e, s, c) = (12, 6, CHUNK);
    for normaliser in [ChunkNormaliserConfig::Mean, ChunkNormaliserConfig::PerChunk] {
        for quadratic_scale in [QuadraticScale::PerChunk, QuadraticScale::PerChunkAndWidth] {
            let relative_bias = RelativeBiasConfig::Toeplitz { deviation: 1.0 };
            let rotary = RotaryConfig::none();
            let config = FlashConfig { normaliser, quadratic_scale, relative_bias, rotary, ..flash() };
            let scale = match quadratic_scale {
                QuadraticScale::PerChunk => 1.0 / c as f64,
                QuadraticScale::PerChunkAndWidth => 1.0 / ((c * s) as f64).sqrt(),
            };
            compare_values(&MixerConfig::Flash(config), |p, x, seen| {
                let (gate, value, heads) = gated_unit(p, x, e, s);
                let table = p.vector("relative_bias.weight").expect("a table");
                let attended = (0..N).map(|i| {
                    let near = seen.keys(i).into_iter().filter(|j| j / c == i / c);
                    let quadratic = near.map(|j| {
                        (j, square_relu(dot(&heads[0][i], &heads[1][j]) * scale + table[c - 1 + j - i]))
                    });
                    let far = seen.document(i).into_iter().filter(|j| !seen.causal || j / c < i / c);
                    let far: Vec<usize> = far.collect();
                    let divisor = match normaliser {
                        ChunkNormaliserConfig::PerChunk if seen.causal => c,
                        ChunkNormaliserConfig::PerChunk | ChunkNormaliserConfig::Mean => far.len().max(1),
                    };
                    let linear = far.iter().map(|&j| (j, dot(&heads[2][i], &heads[3][j]) / divisor as f64));
                    weighted(&quadratic.chain(linear).collect::<Vec<_>>(), &value)
                });
                finish(p, &attended.collect(), &gate)
            });
        }
    }
}

/// Channels `head·4 .. head·4 + 4` of every row.
fn head(x: &Matrix, head: usize) -> Matrix {
    x.iter().map(|row| row[4 * head..4 * head + 4].to_vec()).collect()
}

#[test]
fn softmax_attention_with_and_without_groups() {
    for kv_heads in [None, Some(1)] {
        let rotary = RotaryConfig::none();
        let config = SoftmaxAttentionConfig { heads: 2, kv_heads, rotary, ..Default::default() };
        compare(&MixerConfig::SoftmaxAttention(config), |p, x, seen| {
            let shared = if kv_heads.is_some() { 4 } else { 8 };
            let part = |name: &str, columns| affine(x, &p.matrix(&format!("{name}.weight"), columns), None);
            let (q, k, v) = (part("query", 8), part("key", shared), part("value", shared));
            let mut joined = vec![Vec::new(); N];
            for h in 0..2 {
                let group = if kv_heads.is_some() { 0 } else { h };
                let (q, k, v) = (head(&q, h), head(&k, group), head(&v, group));
                for i in 0..N {
                    let keys = seen.keys(i);
                    let weights: Vec<_> =
                        keys.iter().map(|&j| (j, (dot(&q[i], &k[j]) / 2.0).exp())).collect();
                    let sum: f64 = weights.iter().map(|w| w.1).sum();
                    let weights: Vec<_> = weights.into_iter().map(|(j, w)| (j, w / sum)).collect();
                    joined[i].extend(weighted(&weights, &v));
                }
            }
            affine(&joined, &p.matrix("output.weight", 8), None)
        });
    }
}

/// The first two of four channels turned by the position: width 2 has the one frequency 1.
fn turned(x: &Matrix) -> Matrix {
    let turn = |(position, row): (usize, &Vec<f64>)| {
        let (s, c) = (position as f64).sin_cos();
        vec![row[0] * c - row[1] * s, row[0] * s + row[1] * c, row[2], row[3]]
    };
    x.iter().enumerate().map(turn).collect()
}

/// With rotation the numerator turns and the denominator does not.
#[test]
fn linear_attention_with_and_without_rotation() {
    let epsilon = 0.25;
    for rotary in [RotaryConfig::none(), RotaryConfig { width: Some(2), ..RotaryConfig::default() }] {
        let rotated = !rotary.is_none();
        let config = LinearAttentionConfig { heads: 2, epsilon, rotary, ..Default::default() };
        compare_values(&MixerConfig::LinearAttention(config), |p, x, seen| {
            let part = |name: &str| affine(x, &p.matrix(&format!("{name}.weight"), 8), None);
            let map = |m: Matrix| -> Matrix {
                let phi = |v: f64| if v > 0.0 { v + 1.0 } else { v.exp() };
                m.into_iter().map(|row| row.into_iter().map(phi).collect()).collect()
            };
            let (q, k, v) = (map(part("query")), map(part("key")), part("value"));
            let mut joined = vec![Vec::new(); N];
            for h in 0..2 {
                let (q, k, v) = (head(&q, h), head(&k, h), head(&v, h));
                let (rq, rk) = if rotated { (turned(&q), turned(&k)) } else { (q.clone(), k.clone()) };
                for i in 0..N {
                    let keys = seen.keys(i);
                    let denominator = epsilon + keys.iter().map(|&j| dot(&q[i], &k[j])).sum::<f64>();
                    let products: Vec<_> =
                        keys.iter().map(|&j| (j, dot(&rq[i], &rk[j]) / denominator)).collect();
                    joined[i].extend(weighted(&products, &v));
                }
            }
            affine(&joined, &p.matrix("output.weight", 8), None)
        });
    }
}
