//! Every kernel, forward alone and forward with backward, beside the ceilings of the machine: the fastest matrix
//! product and the fastest copy.
//!
//! A throughput in `Gelem/s` is GFLOP/s (two operations for each multiply–add of a product, three times that with the
//! backward pass); one in `GiB/s` counts each operand and result once. The backward pass starts from the sum of the
//! result, which adds one pass over it. Run with nothing else on the machine:
//!
//! ```text
//! cargo bench --manifest-path benches/kernels/Cargo.toml
//! ```

use std::hint::black_box;

use burn::tensor::{Int, Tensor};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use mixlab_kernel_benches::{plain, random, tracked};
use mixlab_kernels::{
    Activation, ChannelMap, ChunkNormaliser, ConvolutionOptions, LinearOptions, Mask, MixedChunkOptions,
    NormKind, RotaryLayout, RotaryOptions, ScoreOptions, ScoreWeight, SoftmaxOptions, TokenOptions, add_norm,
    affine_rotary, cross_entropy, depthwise_convolution, dynamic_convolution, embedding, fourier_mix,
    fourier_mix_by_product, gated_product, linear, linear_attention, mixed_chunk_attention, rotary,
    score_attention, softmax, softmax_attention, token_linear,
};

/// Rows of a batch, tokens of a row, width of a model: the shapes of `configs/bench`.
const SHORT: [usize; 3] = [8, 256, 256];
const LONG: [usize; 3] = [1, 4096, 256];

/// The work of one forward pass.
enum Work {
    Flops(f64),
    Bytes(usize),
}

impl Work {
    fn times(&self, passes: f64) -> Throughput {
        match self {
            Work::Flops(flops) => Throughput::Elements((flops * passes) as u64),
            Work::Bytes(bytes) => Throughput::Bytes((*bytes as f64 * passes) as u64),
        }
    }
}

/// Times an operation on inputs of the shapes given, without and with its backward pass.
fn both<const N: usize, const D: usize, const E: usize>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    work: Work,
    shapes: [[usize; D]; N],
    operation: impl Fn([Tensor<D>; N]) -> Tensor<E>,
) {
    let inputs = shapes.map(|shape| random(shape, &plain()));
    group.throughput(work.times(1.0));
    group.bench_function(format!("{name}/forward"), |bencher| {
        bencher.iter(|| black_box(operation(inputs.clone())));
    });
    let inputs = shapes.map(|shape| random(shape, &tracked()));
    group.throughput(work.times(3.0));
    group.bench_function(format!("{name}/forward and backward"), |bencher| {
        bencher.iter(|| black_box(operation(inputs.clone()).sum().backward()));
    });
}

fn ceilings(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ceiling");
    let [a, b] = [0, 1].map(|_| random([1024, 1024], &plain()));
    group.throughput(Throughput::Elements(2 << 30));
    group.bench_function("product of 1024²", |bencher| {
        bencher.iter(|| black_box(a.clone().matmul(b.clone())));
    });
    let from = vec![1.0f32; 1 << 24];
    let mut to = vec![0.0f32; 1 << 24];
    group.throughput(Throughput::Bytes(2 * 4 << 24));
    group.bench_function("copy of 64 MiB, one thread", |bencher| {
        bencher.iter(|| black_box(&mut to).copy_from_slice(black_box(&from)));
    });
}

fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("linear");
    let rows = SHORT[0] * SHORT[1];
    for (width, out, activation) in
        [(256, 256, Activation::Identity), (256, 1024, Activation::Gelu), (1024, 256, Activation::Identity)]
    {
        let flops = 2.0 * (rows * width * out) as f64;
        let shapes = [[rows, width], [width, out]];
        both(
            &mut group,
            &format!("{rows} × {width} to {out}, {activation:?}"),
            Work::Flops(flops),
            shapes,
            |[x, w]| linear(x, w, None, activation),
        );
    }
    group.finish();

    let mut group = criterion.benchmark_group("cross_entropy");
    let (width, vocabulary) = (256, 8192);
    let flops = 2.0 * (rows * width * vocabulary) as f64;
    let targets: Vec<i64> = (0..rows as i64).map(|i| i * 37 % vocabulary as i64).collect();
    both(
        &mut group,
        "2048 tokens of 8192",
        Work::Flops(flops),
        [[rows, width], [vocabulary, width]],
        |[x, w]| {
            let device = x.device();
            let targets = Tensor::<1, Int>::from_data(targets.as_slice(), &device);
            let weights = random([rows], &plain()).abs();
            let weights = if device.is_autodiff() { Tensor::from_inner(weights) } else { weights };
            cross_entropy(x, w, None, targets, weights)
        },
    );
}

/// Pairs of query and key that a causal mask leaves.
fn pairs(n: usize) -> f64 {
    n as f64 * (n as f64 + 1.0) / 2.0
}

fn attentions(criterion: &mut Criterion) {
    for [b, n, d] in [SHORT, LONG] {
        let mut group = criterion.benchmark_group(format!("attention/{b} × {n}"));
        group.sample_size(if n > 1000 { 20 } else { 100 });
        let heads = [b, n, 4, d / 4];
        let flops = 4.0 * b as f64 * pairs(n) * d as f64;
        both(&mut group, "softmax, 4 heads", Work::Flops(flops), [heads; 3], |[q, k, v]| {
            let options = SoftmaxOptions { scale: 0.125, causal: true, mask: Mask::default(), dropout: None };
            softmax_attention(q, k, v, options)
        });
        let chunk = 128;
        let flops = 2.0 * (b * n * d) as f64 * (chunk as f64 + 2.0 * d as f64 / 4.0);
        both(&mut group, "linear, 4 heads", Work::Flops(flops), [heads; 3], |[q, k, v]| {
            let options = LinearOptions { causal: true, chunk, epsilon: None, mask: Mask::default() };
            linear_attention(q, k, v, options)
        });
        let (s, e) = (128, 2 * d);
        let flops = 2.0 * b as f64 * pairs(n) * (s + e) as f64;
        both(
            &mut group,
            "squared relu, s = 128, e = 512",
            Work::Flops(flops),
            [[b, n, e]; 3],
            |[q, k, v]| {
                let [q, k] = [q, k].map(|x| x.narrow(2, 0, s));
                let weight = ScoreWeight::SquaredRelu;
                let options =
                    ScoreOptions { weight, scale: 1.0, causal: true, mask: Mask::default(), dropout: None };
                score_attention(q, k, v, None, options)
            },
        );
        let chunk = 256;
        let inside = (n / chunk) as f64 * pairs(chunk) * (s + e) as f64;
        let flops = 2.0 * b as f64 * (inside + 2.0 * (n * s * e) as f64);
        both(
            &mut group,
            "mixed chunk, s = 128, e = 512, c = 256",
            Work::Flops(flops),
            [[b, n, e]; 2],
            |[z, v]| {
                let [q, k, q_linear, k_linear] = [0, 1, 2, 3].map(|part| z.clone().narrow(2, part * s, s));
                let options = MixedChunkOptions {
                    chunk,
                    scale: 1.0 / chunk as f64,
                    causal: true,
                    normaliser: ChunkNormaliser::Mean,
                    mask: Mask::default(),
                    dropout: None,
                };
                mixed_chunk_attention(q, k, q_linear, k_linear, v, None, options)
            },
        );
    }
}

fn tokens(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tokens");
    // The gates of gMLP and the first token map of MLP-Mixer.
    for (n, m, channels, activation, causal) in [
        (256, 256, 768, Activation::Identity, true),
        (256, 256, 768, Activation::Identity, false),
        (256, 512, 256, Activation::Gelu, false),
    ] {
        let b = SHORT[0];
        let products = if causal { pairs(n) } else { (m * n) as f64 };
        let flops = 2.0 * (b * channels) as f64 * products;
        let name = format!("{b} × {n} to {m}, {channels} channels, {activation:?}, causal {causal}");
        both(&mut group, &name, Work::Flops(flops), [[b * n, channels], [m, n]], |[x, w]| {
            let options = TokenOptions { activation, causal, segments: None };
            token_linear(x.reshape([b, n, channels]), w, None, options)
        });
    }
    // The shapes of `configs/bench`, and that of FNet's base model.
    for [b, n, d] in [SHORT, [SHORT[0], 512, 768], LONG] {
        let bytes = 2 * 4 * b * n * d;
        let name = format!("{b} × {n}, {d} channels");
        both(
            &mut group,
            &format!("fast Fourier transform of {name}"),
            Work::Bytes(bytes),
            [[b, n, d]],
            |[x]| fourier_mix(x, None),
        );
        if n <= 512 {
            let flops = 4.0 * (b * n * d) as f64 * (n + d) as f64;
            let name = format!("Fourier transform by product of {name}");
            both(&mut group, &name, Work::Flops(flops), [[b, n, d]], |[x]| fourier_mix_by_product(x, None));
        }
    }
}

fn convolutions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("convolution");
    let [b, n, d] = SHORT;
    let heads = 4;
    let options = ConvolutionOptions {
        causal: true,
        dilation: 1,
        channels: ChannelMap::Contiguous,
        renormalise: false,
        mask: Mask::default(),
    };
    for taps in [7, 31] {
        let flops = 2.0 * (b * n * d * taps) as f64;
        let shapes = [[b, n, d], [1, heads, taps]];
        both(&mut group, &format!("shared filters of {taps}"), Work::Flops(flops), shapes, |[x, filters]| {
            depthwise_convolution(x, filters.reshape([heads, taps]), options.clone())
        });
        let shapes = [[b, n, d], [b, n, heads * taps]];
        both(&mut group, &format!("own filters of {taps}"), Work::Flops(flops), shapes, |[x, filters]| {
            dynamic_convolution(x, filters.reshape([b, n, heads, taps]), options.clone())
        });
    }
}

fn rows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rows");
    let [b, n, d] = SHORT;
    let bytes = 4 * b * n * d;
    both(&mut group, "norm of a sum", Work::Bytes(3 * bytes), [[b, n, d]; 2], |[x, branch]| {
        add_norm(x, branch, 1.0, NormKind::Layer, None, None, 1e-5)
    });
    both(&mut group, "gated product", Work::Bytes(3 * bytes), [[b, n, d]; 2], |[value, gate]| {
        gated_product(value, gate, Activation::Silu)
    });
    for shape in [[b * n, d], [b * n * d / 8, 8]] {
        both(&mut group, &format!("softmax over {}", shape[1]), Work::Bytes(2 * bytes), [shape], |[x]| {
            softmax(x)
        });
    }
    let options = RotaryOptions { layout: RotaryLayout::SplitHalf, width: 64, base: 10_000.0 };
    both(&mut group, "rotation", Work::Bytes(2 * bytes), [[b, n, 4, d / 4]], |[x]| rotary(x, options, 0));
    both(&mut group, "affine map and rotation", Work::Bytes(2 * bytes), [[b, n, d]], |[x]| {
        let gamma = Tensor::ones([2, d], (&x.device(), x.dtype()));
        affine_rotary(x, gamma, None, 1, Some(options), 0)
    });
    let ids: Vec<i64> = (0..(b * n) as i64).map(|i| i * 37 % 8192).collect();
    both(&mut group, "embedding of 8192", Work::Bytes(bytes), [[8192, d]], |[weight]| {
        let ids = Tensor::<1, Int>::from_data(ids.as_slice(), &weight.device());
        embedding(weight, ids.reshape([b, n]))
    });
}

criterion_group!(benches, ceilings, products, attentions, tokens, convolutions, rows);
criterion_main!(benches);
