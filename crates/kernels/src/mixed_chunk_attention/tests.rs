use burn::tensor::Tensor;
use proptest::prelude::*;

use super::{ChunkNormaliser, MixedChunkOptions, mixed_chunk_attention, portable};
use crate::harness::{Inputs, SIZES, differentiate, fast_equals_portable, numbers};
use crate::mask::{Geometry, Mask};
use crate::tiled::cases::{assert_causal, assert_near, disturbed, double, dropout, masks, normal};
use crate::{ScoreOptions, ScoreWeight, score_attention};

fn options(chunk: usize, causal: bool, mask: Mask) -> MixedChunkOptions {
    let normaliser = ChunkNormaliser::Mean;
    MixedChunkOptions { chunk, causal, scale: 0.3, normaliser, mask, dropout: None }
}

/// Quadratic queries and keys, linear queries and keys, values.
type Five = [Tensor<3>; 5];

fn fast([qq, kq, ql, kl, v]: Five, bias: Option<Tensor<1>>, options: MixedChunkOptions) -> Tensor<3> {
    mixed_chunk_attention(qq, kq, ql, kl, v, bias, options)
}

fn definition([qq, kq, ql, kl, v]: Five, bias: Option<Tensor<1>>, options: MixedChunkOptions) -> Tensor<3> {
    portable::mixed_chunk_attention([qq, kq, ql, kl], v, bias, options)
}

/// Batch, length, width, value width.
type Shape = [usize; 4];

fn five(mut tensor: impl FnMut(&str, [usize; 3]) -> Tensor<3>, [b, n, s, e]: Shape) -> Five {
    let [qq, kq, ql, kl] = ["qq", "kq", "ql", "kl"].map(|name| tensor(name, [b, n, s]));
    [qq, kq, ql, kl, tensor("v", [b, n, e])]
}

fn check(name: &str, shape: Shape, biased: bool, options: &MixedChunkOptions) {
    let (chunk, causal) = (options.chunk, options.causal);
    let name = format!("{name} {shape:?} chunk {chunk} causal {causal} {:?}", options.normaliser);
    let run = |t: &mut Inputs, operation: fn(Five, Option<Tensor<1>>, MixedChunkOptions) -> Tensor<3>| {
        let operands = five(|name, shape| t.input(name, shape), shape);
        let bias = biased.then(|| t.input("bias", [2 * chunk - 1]));
        operation(operands, bias, options.clone())
    };
    fast_equals_portable(&name, |t| run(t, fast), |t| run(t, definition));
}

#[test]
fn kernel_equals_definition_at_odd_sizes_under_every_mask() {
    for (n, chunk) in SIZES.into_iter().zip([1, 1, 7, 16, 64, 200]) {
        for (i, (name, mask)) in masks(3, n).into_iter().enumerate() {
            for causal in [false, true] {
                check(name, [3, n, 5, 7], i % 2 == 0, &options(chunk, causal, mask.clone()));
            }
        }
    }
}

#[test]
fn kernel_equals_definition_with_dropout_and_either_normaliser() {
    for (name, mask) in masks(3, 77) {
        for causal in [false, true] {
            let options = MixedChunkOptions {
                normaliser: ChunkNormaliser::PerChunk,
                dropout: Some(dropout(3)),
                ..options(10, causal, mask.clone())
            };
            check(name, [3, 77, 6, 4], true, &options);
        }
    }
}

#[test]
fn kernel_equals_definition_across_tiles_and_blocks_of_columns() {
    for (name, mask) in masks(1, 700) {
        check(name, [1, 700, 8, 130], true, &options(100, true, mask.clone()));
        check(name, [1, 700, 8, 70], true, &options(300, false, mask));
    }
}

#[test]
fn definition_equals_loops() {
    for (name, mask) in masks(3, 11) {
        for causal in [false, true] {
            for normaliser in [ChunkNormaliser::Mean, ChunkNormaliser::PerChunk] {
                let options = MixedChunkOptions {
                    normaliser,
                    dropout: Some(dropout(3)),
                    ..options(4, causal, mask.clone())
                };
                let (operands, bias) = (five(normal, [3, 11, 5, 2]), normal("bias", [7]));
                let expected = double(loops(&operands, &bias, &options), [3, 11, 2]);
                assert_near(name, definition(operands, Some(bias), options), expected, 1e-13);
            }
        }
    }
}

fn loops(operands: &Five, bias: &Tensor<1>, options: &MixedChunkOptions) -> Vec<f64> {
    let ([batch, n, s], e) = (operands[0].dims(), operands[4].dims()[2]);
    let [qq, kq, ql, kl, v] = operands.each_ref().map(|x| numbers(x.clone()));
    let bias = numbers(bias.clone());
    let geometry = Geometry { batch, queries: n, keys: n, causal: false };
    let mut out = Vec::new();
    for (b, i) in (0..batch * n).map(|row| (row / n, row % n)) {
        let product = |q: &[f64], k: &[f64], j: usize| -> f64 {
            (0..s).map(|c| q[(b * n + i) * s + c] * k[(b * n + j) * s + c]).sum()
        };
        let same = |j: usize| options.mask.visible(&geometry, b, i, j);
        let (own, chunk) = (i / options.chunk, options.chunk);
        let reached: Vec<usize> =
            (0..n).filter(|&j| same(j) && (!options.causal || j / chunk < own)).collect();
        let normaliser = match (options.normaliser, options.causal) {
            (ChunkNormaliser::PerChunk, true) => chunk,
            _ => reached.len().max(1),
        };
        let mut weights = vec![0.0; n];
        for j in (0..n).filter(|&j| same(j) && j / chunk == own && (!options.causal || j <= i)) {
            let score = options.scale * product(&qq, &kq, j) + bias[j + chunk - 1 - i];
            let factor = options.dropout.as_ref().map_or(1.0, |x| x.score_factor(b, 0, i, j));
            weights[j] += score.max(0.0).powi(2) * factor;
        }
        for j in reached {
            weights[j] += product(&ql, &kl, j) / normaliser as f64;
        }
        out.extend((0..e).map(|c| (0..n).map(|j| weights[j] * v[(b * n + j) * e + c]).sum::<f64>()));
    }
    out
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let (_, mask) = masks(2, 9).swap_remove(4);
    for causal in [false, true] {
        let options = MixedChunkOptions { dropout: Some(dropout(2)), ..options(4, causal, mask.clone()) };
        differentiate("mixed chunk attention", |t| {
            let operands = five(|name, shape| t.input(name, shape), [2, 9, 3, 2]);
            let bias = t.input("bias", [7]);
            fast(operands, Some(bias), options.clone())
        });
    }
}

/// Spec 4.9 (c): with one chunk nothing is left to the linear part.
#[test]
fn one_chunk_is_score_attention() {
    for (n, chunk) in [(1, 1), (20, 20), (20, 33)] {
        let operands = five(normal, [2, n, 5, 3]);
        let [q, k, _, _, v] = operands.clone();
        let bias = normal("bias", [2 * chunk - 1]);
        let inner = bias.clone().narrow(0, chunk - n, 2 * n - 1);
        let score = ScoreOptions {
            weight: ScoreWeight::SquaredRelu,
            scale: 0.3,
            causal: true,
            mask: Mask::default(),
            dropout: None,
        };
        let expected = score_attention(q, k, v, Some(inner), score);
        let out = fast(operands, Some(bias), options(chunk, true, Mask::default()));
        assert_near("one chunk", out, expected, 1e-13);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_query_sees_a_later_key(n in 2usize..150, at in 0.0..1.0, chunk in 1usize..80) {
        let position = 1 + (at * (n - 1) as f64) as usize;
        assert_causal("mixed chunk", position, |change| {
            let mut operands = five(normal, [1, n, 4, 3]);
            if change {
                operands = operands.map(|x| disturbed(x, position));
            }
            fast(operands, None, options(chunk, true, Mask::default()))
        });
    }

    /// The first rows of a causal operation do not depend on what follows, not even on how much.
    #[test]
    fn a_prefix_is_as_if_alone(n in 1usize..100, extra in 0usize..60, chunk in 1usize..80, mean: bool) {
        let normaliser = if mean { ChunkNormaliser::Mean } else { ChunkNormaliser::PerChunk };
        let options = MixedChunkOptions { normaliser, ..options(chunk, true, Mask::default()) };
        let operands = five(normal, [1, n + extra, 4, 3]);
        let whole = fast(operands.clone(), None, options.clone());
        let prefix = fast(operands.map(|x| x.narrow(1, 0, n)), None, options);
        assert_near("prefix", whole.narrow(1, 0, n), prefix, 1e-12);
    }

    /// Chunks lie on a grid of absolute positions, so a document is as if the others were padding; one that
    /// starts with a chunk is as if alone.
    #[test]
    fn documents_are_as_if_alone(
        before in 0usize..4, shift in 0usize..9, length in 1usize..60, extra in 0usize..20, causal: bool,
    ) {
        let chunk = 9;
        let start = before * chunk + shift;
        let n = start + length + extra;
        let segments = (0..n).map(|j| u32::from(j >= start) + u32::from(j >= start + length)).collect();
        let own = |j: usize| (start..start + length).contains(&j);
        let operands = five(normal, [1, n, 4, 3]);
        let packed = Mask { padding: None, segments: Some(segments) };
        let packed = fast(operands.clone(), None, options(chunk, causal, packed)).narrow(1, start, length);

        let padding = Mask { padding: Some((0..n).map(own).collect()), segments: None };
        let wild = five(|name, shape| {
            let factors = (0..n).map(|j| if own(j) { 1.0 } else { 1e6 }).collect();
            normal(name, shape) * double(factors, [1, n, 1])
        }, [1, n, 4, 3]);
        let padded = fast(wild, None, options(chunk, causal, padding)).narrow(1, start, length);
        assert_near("others as padding", padded, packed.clone(), 1e-12);

        if shift == 0 {
            let alone = operands.map(|x| x.narrow(1, start, length));
            let alone = fast(alone, None, options(chunk, causal, Mask::default()));
            assert_near("alone", packed, alone, 1e-12);
        }
    }
}
