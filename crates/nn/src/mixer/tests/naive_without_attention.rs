//! The models without attention against their formulas written as loops, and against the multiply–adds of these loops.

use super::naive::*;
use super::*;

fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + error_function(x / 2f64.sqrt()))
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn each(x: &Matrix, f: impl Fn(f64) -> f64) -> Matrix {
    x.iter().map(|row| row.iter().map(|&v| f(v)).collect()).collect()
}

fn columns(x: &Matrix, range: std::ops::Range<usize>) -> Matrix {
    x.iter().map(|row| row[range.clone()].to_vec()).collect()
}

/// `W·X + b` over the tokens that `of` lists for each row.
fn over_tokens(
    weight: &Matrix,
    x: &Matrix,
    bias: Option<&[f64]>,
    of: impl Fn(usize) -> Vec<usize>,
) -> Matrix {
    let row = |(i, weights): (usize, &Vec<f64>)| {
        let chosen: Vec<_> = of(i).into_iter().map(|j| (j, weights[j])).collect();
        let mut row = weighted(&chosen, x);
        row.iter_mut().for_each(|v| *v += bias.map_or(0.0, |bias| bias[i]));
        row
    };
    weight.iter().enumerate().map(row).collect()
}

/// `mix` of the document of each row by itself, hidden tokens out of sight.
fn each_document(seen: &Seen<'_>, mix: impl Fn(&[usize]) -> Matrix) -> Matrix {
    let mut out: Matrix = vec![Vec::new(); N];
    let mut done = [false; N];
    for i in 0..N {
        if !done[i] {
            let document = seen.document(i);
            let mixed = mix(&document);
            for k in (0..N).filter(|&k| seen.same_document(i, k)) {
                out[k].clone_from(&mixed[k]);
                done[k] = true;
            }
        }
    }
    out
}

#[test]
fn mlp_mixer() {
    let config = MlpMixerConfig { token_hidden: Some(5), ..Default::default() };
    compare(&MixerConfig::MlpMixer(config), |p, x, seen| {
        let (up, down) = (p.matrix("tokens.up", N), p.matrix("tokens.down", 5));
        let (up_bias, down_bias) = (p.vector("tokens.up_bias"), p.vector("tokens.down_bias"));
        each_document(seen, |tokens| {
            let hidden = over_tokens(&up, x, up_bias.as_deref(), |_| tokens.to_vec());
            over_tokens(&down, &each(&hidden, gelu), down_bias.as_deref(), |_| (0..5).collect())
        })
    });
}

/// γ ⊙ (x − mean) / sqrt(variance + ε) + β along some of the tokens, channel by channel.
fn norm_along(x: &Matrix, tokens: &[usize], gain: &[f64], bias: &[f64], epsilon: f64) -> Matrix {
    let mut out = vec![vec![0.0; WIDTH]; N];
    for c in 0..WIDTH {
        let count = tokens.len().max(1) as f64;
        let mean = tokens.iter().map(|&i| x[i][c]).sum::<f64>() / count;
        let variance = tokens.iter().map(|&i| (x[i][c] - mean).powi(2)).sum::<f64>() / count;
        for &i in tokens {
            out[i][c] = gain[i] * (x[i][c] - mean) / (variance + epsilon).sqrt() + bias[i];
        }
    }
    out
}

#[test]
fn feed_forward_over_tokens() {
    let config = FfOnlyConfig { expansion: 1.0, epsilon: 0.1, ..Default::default() };
    compare(&MixerConfig::FfOnly(config), |p, x, seen| {
        let vector = |path: &str| p.vector(path).expect("a vector");
        let (gain, bias) = (vector("gain"), vector("bias"));
        let (up, down) = (p.matrix("tokens.up", N), p.matrix("tokens.down", N));
        each_document(seen, |tokens| {
            let normed = norm_along(x, tokens, &gain, &bias, 0.1);
            let hidden = over_tokens(&up, &normed, Some(&vector("tokens.up_bias")), |_| tokens.to_vec());
            over_tokens(&down, &each(&hidden, gelu), Some(&vector("tokens.down_bias")), |_| (0..N).collect())
        })
    });
}

#[test]
fn res_mlp() {
    compare(&MixerConfig::ResMlp(ResMlpConfig::default()), |p, x, seen| {
        over_tokens(&p.matrix("tokens.weight", N), x, p.vector("tokens.bias").as_deref(), |i| seen.keys(i))
    });
}

fn layer_norm(x: &Matrix, gain: &[f64], bias: &[f64], epsilon: f64) -> Matrix {
    let row = |row: &Vec<f64>| {
        let n = row.len() as f64;
        let mean = row.iter().sum::<f64>() / n;
        let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        let scaled = row.iter().map(|v| (v - mean) / (variance + epsilon).sqrt());
        scaled.zip(gain.iter().zip(bias)).map(|(v, (g, b))| v * g + b).collect()
    };
    x.iter().map(row).collect()
}

/// The spatial weights of either kind as a matrix.
fn spatial(p: &Parameters) -> Matrix {
    match p.vector("spatial.offsets") {
        Some(offsets) => (0..N).map(|i| (0..N).map(|j| offsets[N - 1 + j - i]).collect()).collect(),
        None => p.matrix("spatial.weight", N),
    }
}

fn tiny_attention(p: &Parameters, x: &Matrix, width: usize, half: usize, seen: &Seen<'_>) -> Matrix {
    let part = |name: &str| affine(x, &p.matrix(&format!("attention.{name}.weight"), width), None);
    let (q, k, v) = (part("query"), part("key"), part("value"));
    let attended: Matrix = (0..N)
        .map(|i| {
            let scale = (width as f64).sqrt();
            let weights: Vec<_> =
                seen.keys(i).into_iter().map(|j| (j, (dot(&q[i], &k[j]) / scale).exp())).collect();
            let sum: f64 = weights.iter().map(|w| w.1).sum();
            weighted(&weights.into_iter().map(|(j, w)| (j, w / sum)).collect::<Vec<_>>(), &v)
        })
        .collect();
    let bias = p.vector("attention.output.bias");
    affine(&attended, &p.matrix("attention.output.weight", half), bias.as_deref())
}

#[test]
fn gated_mlp_with_and_without_attention() {
    let half = 6;
    for weights in [TokenWeights::Dense, TokenWeights::Toeplitz] {
        for attention_width in [None, Some(3)] {
            let config = GmlpConfig { expansion: 1.5, weights, attention_width, ..Default::default() };
            compare(&MixerConfig::Gmlp(config), |p, x, seen| {
                let vector = |path: &str| p.vector(path).expect("a vector");
                let inner = affine(x, &p.matrix("input.weight", 2 * half), p.vector("input.bias").as_deref());
                let inner = each(&inner, gelu);
                let (value, rows) = (columns(&inner, 0..half), columns(&inner, half..2 * half));
                let rows = layer_norm(&rows, &vector("norm.gain"), &vector("norm.bias"), 1e-5);
                let mut gate =
                    over_tokens(&spatial(p), &rows, Some(&vector("spatial.bias")), |i| seen.keys(i));
                if let Some(width) = attention_width {
                    let attended = tiny_attention(p, x, width, half, seen);
                    for (gate, attended) in gate.iter_mut().zip(&attended) {
                        gate.iter_mut().zip(attended).for_each(|(g, a)| *g += a);
                    }
                }
                let gated: Matrix = value
                    .iter()
                    .zip(&gate)
                    .map(|(v, g)| v.iter().zip(g).map(|(v, g)| v * g).collect())
                    .collect();
                affine(&gated, &p.matrix("output.weight", WIDTH), p.vector("output.bias").as_deref())
            });
        }
    }
}

/// A new block with W = 0 and b = 1 is a plain feed-forward layer, exactly.
#[test]
fn gated_mlp_starts_as_a_feed_forward_layer() {
    let config = MixerConfig::Gmlp(GmlpConfig { expansion: 1.5, ..Default::default() });
    let mixer = build_for(&config, N);
    let mut values = parameter_values(&mixer);
    for (path, number) in [("spatial.weight", 0.0), ("spatial.bias", 1.0)] {
        let value = values[path].full_like(number);
        values.insert(path.to_owned(), value);
    }
    let mixer = with_parameters(mixer, values);
    let (p, x) = (Parameters::of(&mixer), input(1, N));
    let inner = affine(&sample(&x, 0), &p.matrix("input.weight", 12), p.vector("input.bias").as_deref());
    let value = columns(&each(&inner, gelu), 0..6);
    let expected = affine(&value, &p.matrix("output.weight", WIDTH), p.vector("output.bias").as_deref());
    let found = sample(&forward(&mixer, &x, false, Mask::default()), 0);
    for (a, e) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert!((a - e).abs() < 1e-13, "{a} instead of {e}");
    }
    // As it is made, it is nearly that.
    let builder = Builder::new(1, &Device::flex(), Precision::F64, InitialisationConfig::lecun(), 1);
    let place = Place { width: WIDTH, max_length: N, layer: 0 };
    let made = parameter_values(&config.init(place, &builder).expect("a valid config"));
    assert!(numbers(&made["spatial.weight"]).iter().all(|w| w.abs() <= 1e-3 / N as f64));
    assert!(numbers(&made["spatial.bias"]).iter().all(|&b| b == 1.0));
}

/// cos and sin of 2π·j·k/size.
fn fourier_matrix(size: usize) -> [Matrix; 2] {
    let angle = |j: usize, k: usize| std::f64::consts::TAU * ((j * k) % size) as f64 / size as f64;
    [f64::cos, f64::sin].map(|f| (0..size).map(|j| (0..size).map(|k| f(angle(j, k))).collect()).collect())
}

/// `C_n·X·C_d − S_n·X·S_d` of n rows.
fn fourier(x: &Matrix) -> Matrix {
    let [cosine, sine] = fourier_matrix(x.len()).map(|m| affine(&m, x, None));
    let [of_cosine, of_sine] = fourier_matrix(x[0].len());
    let (a, b) = (affine(&cosine, &of_cosine, None), affine(&sine, &of_sine, None));
    a.iter().zip(&b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect()).collect()
}

#[test]
fn fnet_in_every_form() {
    for mixing in fourier_mixings() {
        let config = MixerConfig::Fnet(FnetConfig { mixing: mixing.clone() });
        let expected = |p: &Parameters, x: &Matrix, seen: &Seen<'_>| match mixing {
            FnetMixing::Fourier { span: FourierSpan::TrueLength, .. } => each_document(seen, |tokens| {
                let chosen: Matrix = tokens.iter().map(|&i| x[i].clone()).collect();
                let mut out = vec![vec![0.0; WIDTH]; N];
                for (&i, row) in tokens.iter().zip(fourier(&chosen)) {
                    out[i] = row;
                }
                out
            }),
            FnetMixing::Fourier { span: FourierSpan::Padded, .. } => each_document(seen, |tokens| {
                let mut padded = vec![vec![0.0; WIDTH]; N];
                tokens.iter().for_each(|&i| padded[i].clone_from(&x[i]));
                fourier(&padded)
            }),
            FnetMixing::Linear { .. } | FnetMixing::Random { .. } => {
                let mixed = over_tokens(&p.matrix("tokens", N), x, None, |i| seen.document(i));
                affine(&mixed, &p.matrix("channels", WIDTH), None)
            }
            FnetMixing::Identity => x.clone(),
        };
        match mixing {
            FnetMixing::Fourier { transform: FourierTransform::Fast, .. } => {
                compare_values(&config, expected)
            }
            _ => compare(&config, expected),
        }
    }
}

#[test]
fn external_attention_in_every_form() {
    let slots = 5;
    for normalisation in [ExternalNormalisation::Double, ExternalNormalisation::Slots] {
        for (heads, tied) in [(None, false), (None, true), (Some(2), false)] {
            let config = ExternalAttentionConfig { slots, normalisation, heads, tied };
            let (inner, head) = if heads.is_some() { (4 * WIDTH, 4) } else { (WIDTH, WIDTH) };
            compare(&MixerConfig::ExternalAttention(config), |p, x, seen| {
                let f = affine(x, &p.matrix("input.weight", inner), p.vector("input.bias").as_deref());
                let keys = p.matrix("keys", slots);
                let values = match tied {
                    true => (0..slots).map(|s| keys.iter().map(|row| row[s]).collect()).collect(),
                    false => p.matrix("values", head),
                };
                let mut joined = vec![Vec::new(); N];
                for h in 0..inner / head {
                    let part = columns(&f, h * head..(h + 1) * head);
                    let affinities = affine(&part, &keys, p.vector("keys_bias").as_deref());
                    let weights = match normalisation {
                        ExternalNormalisation::Slots => {
                            affinities.iter().map(|row| normed(each_exp(row))).collect()
                        }
                        ExternalNormalisation::Double => each_document(seen, |tokens| {
                            let mut out = vec![vec![0.0; slots]; N];
                            for s in 0..slots {
                                let sum: f64 = tokens.iter().map(|&i| affinities[i][s].exp()).sum();
                                tokens.iter().for_each(|&i| out[i][s] = affinities[i][s].exp() / sum);
                            }
                            for row in &mut out {
                                let sum = 1e-9 + row.iter().sum::<f64>();
                                row.iter_mut().for_each(|v| *v /= sum);
                            }
                            out
                        }),
                    };
                    let found = affine(&weights, &values, p.vector("values_bias").as_deref());
                    joined.iter_mut().zip(found).for_each(|(row, more)| row.extend(more));
                }
                affine(&joined, &p.matrix("output.weight", WIDTH), p.vector("output.bias").as_deref())
            });
        }
    }
}

fn each_exp(row: &[f64]) -> Vec<f64> {
    row.iter().map(|v| v.exp()).collect()
}

fn normed(row: Vec<f64>) -> Vec<f64> {
    let sum: f64 = row.iter().sum();
    row.into_iter().map(|v| v / sum).collect()
}

/// A single token has weight 1 in the softmax of every slot, so 1/S of each.
#[test]
fn a_single_token_meets_all_slots_alike() {
    let config = ExternalAttentionConfig { slots: 4, ..Default::default() };
    let mixer = build_for(&MixerConfig::ExternalAttention(config), 1);
    let p = Parameters::of(&mixer);
    let values = p.matrix("values", WIDTH);
    let mean: Vec<f64> = (0..WIDTH).map(|c| values.iter().map(|row| row[c]).sum::<f64>() / 4.0).collect();
    let expected = affine(&vec![mean], &p.matrix("output.weight", WIDTH), None);
    let found = sample(&forward(&mixer, &input(1, 1), false, Mask::default()), 0);
    for (a, e) in found[0].iter().zip(&expected[0]) {
        assert!((a - e).abs() < 1e-8, "{a} instead of {e}");
    }
}

#[test]
fn convolutions_in_every_form() {
    for config in convolutions() {
        let (taps, dilation, heads) = (config.kernels[0], config.dilations[0], config.heads);
        compare(&MixerConfig::Convolution(config.clone()), |p, x, seen| {
            let inner = if config.glu { 2 * WIDTH } else { WIDTH };
            let both = affine(x, &p.matrix("input.weight", inner), p.vector("input.bias").as_deref());
            let y: Matrix = match config.glu {
                true => both
                    .iter()
                    .map(|row| (0..WIDTH).map(|c| row[c] * sigmoid(row[WIDTH + c])).collect())
                    .collect(),
                false => both,
            };
            let filters = |i: usize| -> Matrix {
                match config.filters {
                    Filters::Depthwise => p.matrix("table", taps),
                    Filters::Lightweight => {
                        p.matrix("table", taps).iter().map(|row| normed(each_exp(row))).collect()
                    }
                    Filters::Dynamic => {
                        let map = p.matrix("map.weight", heads * taps);
                        affine(&vec![y[i].clone()], &map, None)[0]
                            .chunks(taps)
                            .map(|row| normed(each_exp(row)))
                            .collect()
                    }
                }
            };
            let left = if seen.causal { taps - 1 } else { (taps - 1) / 2 };
            let mixed: Matrix = (0..N)
                .map(|i| {
                    let filters = filters(i);
                    // Taps outside the document read zero; a tap that hangs over the end is a product too.
                    count(taps * WIDTH);
                    let read: Vec<(usize, usize)> = (0..taps)
                        .filter_map(|t| {
                            let j = (i + t * dilation).checked_sub(left * dilation)?;
                            (j < N && seen.real(j) && seen.same_document(i, j)).then_some((t, j))
                        })
                        .collect();
                    (0..WIDTH)
                        .map(|c| {
                            let filter = &filters[match config.groups {
                                ChannelGroups::Contiguous => c * heads / WIDTH,
                                ChannelGroups::Modular => c % heads,
                            }];
                            let sum: f64 = read.iter().map(|&(t, j)| filter[t] * y[j][c]).sum();
                            let kept: f64 = read.iter().map(|&(t, _)| filter[t]).sum();
                            if config.renormalise && !read.is_empty() { sum / kept } else { sum }
                        })
                        .collect()
                })
                .collect();
            affine(&mixed, &p.matrix("output.weight", WIDTH), p.vector("output.bias").as_deref())
        });
    }
}

/// A layer takes the entry of its number, or the last one.
#[test]
fn kernels_and_dilations_go_by_layer() {
    let config =
        ConvolutionConfig { kernels: vec![3, 5], dilations: vec![1, 2, 4], heads: 2, ..Default::default() };
    let taps = |layer| {
        let builder = Builder::new(1, &Device::flex(), Precision::F64, InitialisationConfig::lecun(), 1);
        let place = Place { width: WIDTH, max_length: N, layer };
        let mixer = MixerConfig::Convolution(config.clone()).init(place, &builder).expect("a valid config");
        parameter_values(&mixer)["table"].dims()[0] / 2
    };
    assert_eq!([0, 1, 7].map(taps), [3, 5, 5]);
}

#[test]
fn synthesizer_in_every_form() {
    let (h, width) = (2, 4);
    for scores in synthesized_scores() {
        for mixture in [None, Some(SynthesizerMixture::Sum), Some(SynthesizerMixture::Gate)] {
            let config = SynthesizerConfig { scores, mixture, heads: h, ..Default::default() };
            compare(&MixerConfig::Synthesizer(config), |p, x, seen| {
                let part = |name: &str| affine(x, &p.matrix(&format!("{name}.weight"), WIDTH), None);
                let value = part("value");
                let dense = matches!(scores, SynthesizerScores::Dense)
                    .then(|| each(&part("scores.hidden"), |v| v.max(0.0)));
                let pairs = mixture.map(|_| (part("query"), part("key")));
                let share = p.vector("gate").map(|gate| sigmoid(gate[0]));
                let mut joined = vec![Vec::new(); N];
                for head in 0..h {
                    let range = head * width..(head + 1) * width;
                    let synthesized = |i: usize, j: usize| match scores {
                        SynthesizerScores::Random { .. } => p.matrix("scores.table", N)[head * N + i][j],
                        SynthesizerScores::Factorised { rank } => {
                            let row = &p.matrix("scores.rows", rank)[head * N + i];
                            let columns = p.matrix("scores.columns", N);
                            let column: Vec<f64> = (0..rank).map(|k| columns[head * rank + k][j]).collect();
                            dot(row, &column)
                        }
                        SynthesizerScores::Dense => {
                            let columns = p.matrix("scores.columns", N);
                            let column: Vec<f64> = (0..width).map(|k| columns[head * width + k][j]).collect();
                            dot(&dense.as_ref().expect("hidden units")[i][range.clone()], &column)
                        }
                    };
                    let score = |i: usize, j: usize| {
                        let own = synthesized(i, j);
                        let Some((query, key)) = &pairs else { return own };
                        let pair = dot(&query[i][range.clone()], &key[j][range.clone()]) / 2.0;
                        share.map_or(pair + own, |share| (1.0 - share) * pair + share * own)
                    };
                    for (i, joined) in joined.iter_mut().enumerate() {
                        let keys = seen.keys(i);
                        let weights = normed(keys.iter().map(|&j| score(i, j).exp()).collect());
                        let chosen: Vec<_> = keys.into_iter().zip(weights).collect();
                        joined.extend(weighted(&chosen, &columns(&value, range.clone())));
                    }
                }
                affine(&joined, &p.matrix("output.weight", WIDTH), None)
            });
        }
    }
}

/// In random mode weights do not look at the tokens: moving one value moves every output by its weight times that.
#[test]
fn random_synthesizers_do_not_look_at_their_input() {
    let mixer = build_for(&MixerConfig::Synthesizer(SynthesizerConfig { heads: 2, ..Default::default() }), N);
    let x = input(1, N);
    let of = |x: &Tensor<3>| forward(&mixer, x, false, Mask::default());
    let step = disturbed(&x, 3) - x.clone();
    let moved = of(&(x.clone() + step.clone())) - of(&x);
    let twice = of(&(x.clone() + step.mul_scalar(2.0))) - of(&x);
    assert!(difference(&twice, &moved.mul_scalar(2.0)) < 1e-12);
}
