//! Encoder and decoder: what the decoder may see, what it may not, and what both start from.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_core::{Diagnose, Key, Precision, Purpose};
use mixlab_kernels::Mask;
use mixlab_nn::mixer::{FnetConfig, MixerConfig, SoftmaxAttentionConfig};
use mixlab_nn::residual::{Constants, DeepNormConstants, ResidualConfig, Stack};
use mixlab_nn::seq2seq::{
    CrossAttentionConfig, EncoderConfig, GatedCrossConfig, Memory, SequenceToSequence, SoftmaxCrossConfig,
};
use mixlab_nn::{Context, ModelConfig, named_parameters, parameter_gradients, parameter_values};

const VOCABULARY: usize = 23;
const WIDTH: usize = 16;

fn softmax() -> MixerConfig {
    MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig { heads: 2, ..SoftmaxAttentionConfig::default() })
}

fn model(mixer: MixerConfig) -> ModelConfig {
    ModelConfig { width: WIDTH, depth: 2, max_length: 12, ..ModelConfig::new(mixer) }
}

fn cross(heads: usize) -> CrossAttentionConfig {
    CrossAttentionConfig::SoftmaxAttention(SoftmaxCrossConfig { heads, ..SoftmaxCrossConfig::default() })
}

fn encoder() -> EncoderConfig {
    let cross = cross(2);
    EncoderConfig { depth: Some(3), cross, ..EncoderConfig::default() }
}

/// The same with a gated unit that reads the source.
fn gated() -> EncoderConfig {
    let cross = GatedCrossConfig { expansion: 1.5, key_width: 4, ..GatedCrossConfig::default() };
    EncoderConfig { cross: CrossAttentionConfig::Gau(cross), ..encoder() }
}

fn build(encoder: &EncoderConfig, model: &ModelConfig) -> SequenceToSequence {
    let model = ModelConfig { encoder: Some(encoder.clone()), ..model.clone() };
    model.build_sequence_to_sequence(VOCABULARY, 5, &Device::flex(), Precision::F64).expect("a valid config")
}

fn tokens(seed: u64, batch: usize, length: usize) -> Tensor<2, Int> {
    let stream = Key::root(seed).purpose(Purpose::Synthetic).sample(0);
    let ids: Vec<i64> =
        (0..(batch * length) as u64).map(|i| stream.below(i, VOCABULARY as u64) as i64).collect();
    Tensor::from_data(TensorData::new(ids, [batch, length]), (&Device::flex(), DType::I64))
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

#[track_caller]
fn assert_near<const D: usize>(name: &str, a: Tensor<D>, b: Tensor<D>) {
    assert_eq!(a.dims(), b.dims(), "{name}");
    let difference = numbers((a - b).abs()).into_iter().fold(0.0, f64::max);
    assert!(difference < 1e-11, "{name}: {difference}");
}

fn hidden(model: &SequenceToSequence, source: Tensor<2, Int>, target: Tensor<2, Int>) -> Tensor<3> {
    let context = Context::evaluation(source.dims()[0], true);
    let memory = model.encode(source, &context);
    model.decode(target, memory, &context)
}

/// Mixers that a decoder may have.
fn causal_mixers() -> impl Iterator<Item = MixerConfig> {
    MixerConfig::catalogue().into_iter().filter(|mixer| mixer.check_direction(true).is_ok())
}

#[test]
fn cross_attention_is_its_formula() {
    let model = build(&encoder(), &model(softmax()));
    let values = parameter_values(&model);
    let matrix =
        |name: &str| numbers(values[&format!("decoder.blocks.0.cross.attention.{name}.weight")].clone());
    let (n, m, heads, width) = (4, 7, 2, WIDTH / 2);
    let draw = |seed, rows: usize| -> Vec<f64> {
        let stream = Key::root(seed).purpose(Purpose::Synthetic).sample(1);
        (0..(rows * WIDTH) as u64).map(|i| stream.normal(i)).collect()
    };
    let (x, states) = (draw(1, n), draw(2, m));
    let product = |x: &[f64], w: &[f64]| -> Vec<f64> {
        let row = |row: &[f64]| -> Vec<f64> {
            (0..WIDTH).map(|j| (0..WIDTH).map(|i| row[i] * w[i * WIDTH + j]).sum()).collect()
        };
        x.chunks_exact(WIDTH).flat_map(row).collect()
    };
    let (q, k, v) =
        (product(&x, &matrix("query")), product(&states, &matrix("key")), product(&states, &matrix("value")));
    // The fourth position of the source is padding.
    let real = |j: usize| j != 3;
    let mut read = vec![0.0; n * WIDTH];
    for i in 0..n {
        for head in 0..heads {
            let at = |row: usize, c: usize| row * WIDTH + head * width + c;
            let weight = |j: usize| -> f64 {
                let score: f64 = (0..width).map(|c| q[at(i, c)] * k[at(j, c)]).sum();
                if real(j) { (score / (width as f64).sqrt()).exp() } else { 0.0 }
            };
            let sum: f64 = (0..m).map(weight).sum();
            for c in 0..width {
                read[at(i, c)] = (0..m).map(|j| weight(j) / sum * v[at(j, c)]).sum();
            }
        }
    }
    let expected = product(&read, &matrix("output"));
    let tensor = |values: Vec<f64>, rows| -> Tensor<3> {
        let data = TensorData::new(values, [1, rows, WIDTH]);
        Tensor::from_data(data, (&Device::flex(), Precision::F64.dtype()))
    };
    let padding: Arc<[bool]> = (0..m).map(real).collect();
    let memory = Memory::new(tensor(states, m), Some(padding));
    let attention = model.decoder().blocks()[0].cross_attention().expect("a decoder's block");
    let found = attention.forward(tensor(x, n), &memory, &Context::evaluation(1, true));
    assert_near("cross-attention", found, tensor(expected, n));
}

#[test]
fn gated_cross_attention_is_its_formula() {
    let model = build(&gated(), &model(softmax()));
    let (n, m, e, s) = (4, 7, WIDTH * 3 / 2, 4);
    let stream = |seed| Key::root(seed).purpose(Purpose::Synthetic).sample(1);
    let draw =
        |seed, count: usize| -> Vec<f64> { (0..count as u64).map(|i| stream(seed).normal(i)).collect() };
    // Factors and offsets start as ones and zeros, under which they could be forgotten.
    let mut values = parameter_values(&model);
    for (name, seed) in [("gamma", 7), ("beta", 8)] {
        let value = TensorData::new(draw(seed, 2 * s), [2 * s]);
        let value = Tensor::from_data(value, (&Device::flex(), Precision::F64.dtype()));
        values.insert(format!("decoder.blocks.0.cross.attention.{name}"), value);
    }
    let model = mixlab_nn::with_parameters(model, values.clone());
    let values = |name: &str| numbers(values[&format!("decoder.blocks.0.cross.attention.{name}")].clone());
    let product = |x: &[f64], w: &[f64], inner: usize| -> Vec<f64> {
        let columns = w.len() / inner;
        let row = |row: &[f64]| -> Vec<f64> {
            (0..columns).map(|j| (0..inner).map(|i| row[i] * w[i * columns + j]).sum()).collect()
        };
        x.chunks_exact(inner).flat_map(row).collect()
    };
    let silu = |x: f64| x / (1.0 + (-x).exp());
    let (x, states) = (draw(1, n * WIDTH), draw(2, m * WIDTH));
    let from_query: Vec<f64> = product(&x, &values("input.weight"), WIDTH).into_iter().map(silu).collect();
    let from_source: Vec<f64> =
        product(&states, &values("source.weight"), WIDTH).into_iter().map(silu).collect();
    let (gamma, beta) = (values("gamma"), values("beta"));
    let shared = |part: &[f64], row: usize, c: usize, head: usize| {
        part[row * (e + s) + e + c] * gamma[head * s + c] + beta[head * s + c]
    };
    let mut gated = vec![0.0; n * e];
    for i in 0..n {
        let weight = |j: usize| -> f64 {
            let score: f64 =
                (0..s).map(|c| shared(&from_query, i, c, 0) * shared(&from_source, j, c, 1)).sum();
            (score / (s as f64).sqrt()).exp()
        };
        let sum: f64 = (0..m).map(weight).sum();
        for c in 0..e {
            let read: f64 = (0..m).map(|j| weight(j) / sum * from_source[j * (e + s) + c]).sum();
            gated[i * e + c] = from_query[i * (e + s) + c] * read;
        }
    }
    let expected = product(&gated, &values("output.weight"), e);
    let tensor = |values: Vec<f64>, rows| -> Tensor<3> {
        let data = TensorData::new(values, [1, rows, WIDTH]);
        Tensor::from_data(data, (&Device::flex(), Precision::F64.dtype()))
    };
    let attention = model.decoder().blocks()[0].cross_attention().expect("a decoder's block");
    let memory = Memory::new(tensor(states, m), None);
    let found = attention.forward(tensor(x, n), &memory, &Context::evaluation(1, true));
    assert_near("gated cross-attention", found, tensor(expected, n));
}

#[test]
fn a_target_sees_what_is_before_it_and_the_whole_source() {
    for mixer in causal_mixers() {
        let name = mixer.name();
        let model = build(&encoder(), &model(mixer));
        let (source, target) = (tokens(1, 2, 12), tokens(2, 2, 12));
        let before = hidden(&model, source.clone(), target.clone());
        let later = Tensor::cat(vec![target.clone().narrow(1, 0, 8), tokens(3, 2, 4)], 1);
        let after = hidden(&model, source.clone(), later);
        assert_near(name, before.clone().narrow(1, 0, 8), after.narrow(1, 0, 8));
        let other = Tensor::cat(vec![source.narrow(1, 0, 11), tokens(4, 2, 1).zeros_like() + 1], 1);
        let changed = hidden(&model, other, target);
        let moved = numbers((before - changed).abs().max_dim(2));
        assert!(moved.iter().all(|&moved| moved > 1e-9), "{name}: {moved:?}");
    }
}

/// Source and target may have any lengths, either the longer one.
#[test]
fn padding_of_the_source_does_not_matter() {
    for (m, n) in [(5, 9), (9, 3), (1, 4)] {
        for encoder in [encoder(), gated()] {
            let model = build(&encoder, &model(softmax()));
            let (source, target) = (tokens(1, 2, m), tokens(2, 2, n));
            let expected = hidden(&model, source.clone(), target.clone());
            let padded = Tensor::cat(vec![source, tokens(9, 2, 3)], 1);
            let padding: Arc<[bool]> = (0..2 * (m + 3)).map(|i| i % (m + 3) < m).collect();
            let context = Context {
                mask: Mask { padding: Some(padding), segments: None },
                ..Context::evaluation(2, true)
            };
            let memory = model.encode(padded, &context);
            let found = model.decode(target, memory, &Context::evaluation(2, true));
            assert_near("padded", found, expected);
        }
    }
}

#[test]
fn streaming_equals_the_full_pass() {
    for mixer in causal_mixers().filter(|mixer| mixer.promises(true).streaming) {
        let name = mixer.name();
        for encoder in [encoder(), gated()] {
            let model = build(&encoder, &model(mixer.clone()));
            let (source, target) = (tokens(1, 2, 12), tokens(2, 2, 12));
            let expected = hidden(&model, source.clone(), target.clone());
            let mut state =
                model.state(model.encode(source, &Context::evaluation(2, false))).expect("a state");
            let mut from = 0;
            for count in [1, 4, 2, 5] {
                let found = model.step(target.clone().narrow(1, from, count), &mut state);
                assert_near(name, found, expected.clone().narrow(1, from, count));
                from += count;
            }
        }
    }
}

/// Three blocks of two sublayers beside two blocks of three.
#[test]
fn both_stacks_start_from_their_own_deep_norm_constants() {
    let residual = ResidualConfig::DeepNorm { constants: DeepNormConstants::EncoderDecoder };
    let config = ModelConfig { width: 160, residual, ..model(softmax()) };
    let model = build(&encoder(), &config);
    let stacks = encoder().stacks(&config);
    assert_eq!(stacks, [Stack::Encoder { sublayers: 6, decoder: 6 }, Stack::Decoder { sublayers: 6 }]);
    let values = parameter_values(&model);
    let deviation = |path: &str| {
        let all = numbers(values[&format!("{path}.weight")].clone());
        (all.iter().map(|x| x * x).sum::<f64>() / all.len() as f64).sqrt()
    };
    let xavier = (1.0f64 / 160.0).sqrt();
    let [encoder, decoder] = stacks.map(|stack| Constants::deep_norm(stack).beta);
    for (path, gain) in [
        ("encoder.blocks.0.mixer.value", encoder),
        ("encoder.blocks.2.mixer.output", encoder),
        ("encoder.blocks.1.mixer.key", 1.0),
        ("decoder.blocks.0.mixer.value", decoder),
        ("decoder.blocks.1.cross.attention.value", decoder),
        ("decoder.blocks.1.cross.attention.output", decoder),
        ("decoder.blocks.0.cross.attention.query", 1.0),
    ] {
        let ratio = deviation(path) / (gain * xavier);
        assert!((ratio - 1.0).abs() < 0.02, "{path}: {ratio}");
    }
}

#[test]
fn gradients_reach_the_encoder_and_paths_are_unique() {
    for encoder in [encoder(), gated()] {
        let model = build(&encoder, &model(softmax())).train();
        let device = Device::flex().autodiff();
        let on = |ids: Tensor<2, Int>| Tensor::<2, Int>::from_data(ids.into_data(), (&device, DType::I64));
        let out = hidden(&model, on(tokens(1, 2, 6)), on(tokens(2, 2, 5)));
        let mut gradients = out.powi_scalar(3).sum().backward();
        let found = parameter_gradients(&model, &mut gradients);
        let named = named_parameters(&model);
        for parameter in &named {
            // The head is not part of the hidden vectors; a key's bias would be the only other one without.
            if parameter.path.starts_with("head.") {
                continue;
            }
            let gradient =
                found.get(&parameter.path).unwrap_or_else(|| panic!("no gradient of {}", parameter.path));
            assert!(numbers(gradient.clone()).iter().any(|&x| x != 0.0), "{}", parameter.path);
        }
        let mut paths: Vec<_> = named.iter().map(|parameter| &parameter.path).collect();
        paths.dedup();
        assert_eq!(paths.len(), named.len());
    }
}

#[test]
fn odd_combinations_are_refused_with_the_reason() {
    let refused = |encoder: EncoderConfig, model: ModelConfig| {
        let model = ModelConfig { encoder: Some(encoder), ..model };
        let error = model.validate().expect_err("an odd combination");
        format!("{error}\n{}", error.hint().unwrap_or_default())
    };
    let fnet = MixerConfig::Fnet(FnetConfig::default());
    let message = refused(encoder(), model(fnet.clone()));
    assert!(message.contains("fnet"), "{message}");
    // As an encoder it may stand beside another decoder.
    let mixed = EncoderConfig { mixer: Some(fnet), ..encoder() };
    let mixed = ModelConfig { encoder: Some(mixed), ..model(softmax()) };
    mixed.validate().expect("an encoder sees both sides");
    let error = mixed.build(VOCABULARY, 0, &Device::flex(), Precision::F32).expect_err("two stacks");
    assert!(error.to_string().contains("`model.encoder` cannot be used for a language model"), "{error}");
    let error = model(softmax()).build_sequence_to_sequence(VOCABULARY, 0, &Device::flex(), Precision::F32);
    assert!(error.expect_err("one stack").hint().expect("a remedy").contains("[model.encoder]"));

    let residual = ResidualConfig::DeepNorm { constants: DeepNormConstants::DecoderOnly };
    let message = refused(encoder(), ModelConfig { residual, ..model(softmax()) });
    assert!(message.contains("this model has two"), "{message}");
    let cross = cross(3);
    let message = refused(EncoderConfig { cross, ..encoder() }, model(softmax()));
    assert!(message.contains("`model.encoder.cross.heads` = 3 does not divide"), "{message}");
    let message = refused(EncoderConfig { depth: Some(0), ..encoder() }, model(softmax()));
    assert!(message.contains("`model.depth` is 0"), "{message}");
}

/// Rows of a state may be exchanged, left out and doubled at any time.
#[test]
fn a_state_of_selected_rows_goes_on_as_they_would() {
    for mixer in causal_mixers().filter(|mixer| mixer.promises(true).streaming) {
        let name = mixer.name();
        let model = build(&encoder(), &model(mixer));
        let (source, target) = (tokens(1, 3, 12), tokens(2, 3, 12));
        let expected = hidden(&model, source.clone(), target.clone());
        let mut state = model.state(model.encode(source, &Context::evaluation(3, false))).expect("a state");
        model.step(target.clone().narrow(1, 0, 5), &mut state);
        let mut state = state.select(&[2, 0, 2, 1]);
        let rows =
            |x: Tensor<3>| Tensor::cat([2, 0, 2, 1].map(|row| x.clone().narrow(0, row, 1)).to_vec(), 0);
        let picked =
            Tensor::cat([2, 0, 2, 1].map(|row| target.clone().narrow(0, row, 1)).to_vec(), 0).narrow(1, 5, 7);
        let found = model.step(picked, &mut state);
        assert_near(name, found, rows(expected).narrow(1, 5, 7));
    }
}

mod searching {
    use super::*;
    use mixlab_nn::search::{Hypothesis, SearchOptions};

    const LETTERS: usize = 4;
    const MOST: usize = 4;
    const END: u32 = 3;

    /// A small vocabulary, and weights large enough for opinions.
    fn model() -> SequenceToSequence {
        let config = ModelConfig { width: 8, depth: 1, encoder: Some(encoder()), ..super::model(softmax()) };
        let model = config
            .build_sequence_to_sequence(LETTERS, 11, &Device::flex(), Precision::F64)
            .expect("a valid config");
        let mut values = parameter_values(&model);
        for value in values.values_mut() {
            *value = value.clone() * 8.0;
        }
        mixlab_nn::with_parameters(model, values)
    }

    fn memory(model: &SequenceToSequence, seed: u64) -> Memory {
        let source = tokens(seed, 1, 6).remainder_scalar(LETTERS as i64);
        model.encode(source, &Context::evaluation(1, false))
    }

    /// Σ log p of some tokens from the full pass.
    fn log_probability(model: &SequenceToSequence, memory: &Memory, tokens: &[u32]) -> f64 {
        let inputs: Vec<i64> =
            [END].iter().chain(&tokens[..tokens.len() - 1]).map(|&id| i64::from(id)).collect();
        let inputs = TensorData::new(inputs, [1, tokens.len()]);
        let inputs: Tensor<2, Int> = Tensor::from_data(inputs, (&Device::flex(), DType::I64));
        let hidden = model.decode(inputs, memory.clone(), &Context::evaluation(1, true));
        let logits = numbers(model.logits(hidden));
        let row = |(row, &token): (&[f64], &u32)| {
            row[token as usize] - row.iter().map(|x| x.exp()).sum::<f64>().ln()
        };
        logits.chunks(LETTERS).zip(tokens).map(row).sum()
    }

    /// Every target of at most `MOST` tokens that ends.
    fn all_targets() -> Vec<Vec<u32>> {
        let mut all = Vec::new();
        let mut open = vec![Vec::new()];
        for _ in 0..MOST {
            let mut next = Vec::new();
            for tokens in open {
                for id in 0..LETTERS as u32 {
                    let grown = [&tokens[..], &[id]].concat();
                    if id == END { all.push(grown) } else { next.push(grown) }
                }
            }
            open = next;
        }
        all
    }

    fn options(beams: usize, length_penalty: f64) -> SearchOptions {
        SearchOptions { beams, tokens: MOST, length_penalty, begin: END, end: END, never: Vec::new() }
    }

    fn search(model: &SequenceToSequence, seed: u64, options: SearchOptions) -> Vec<Hypothesis> {
        model.search(memory(model, seed), options).expect("a search")
    }

    #[test]
    fn with_beams_enough_the_search_is_exhaustive() {
        let model = model();
        for seed in 0..4 {
            let memory = memory(&model, seed);
            for penalty in [0.0, 0.6, 1.0] {
                let score = |tokens: &Vec<u32>| {
                    log_probability(&model, &memory, tokens)
                        / ((5.0 + tokens.len() as f64) / 6.0).powf(penalty)
                };
                let mut all: Vec<(f64, Vec<u32>)> =
                    all_targets().into_iter().map(|tokens| (score(&tokens), tokens)).collect();
                all.sort_by(|a, b| b.0.total_cmp(&a.0));
                let found = search(&model, seed, options(LETTERS.pow(MOST as u32), penalty));
                for (hypothesis, (score, tokens)) in found.iter().zip(&all).take(5) {
                    let ended = [&hypothesis.tokens[..], &[END]].concat();
                    assert_eq!((&ended, hypothesis.ended), (tokens, true), "seed {seed}, penalty {penalty}");
                    assert!((hypothesis.score - score).abs() < 1e-9);
                }
            }
        }
    }

    #[test]
    fn one_beam_is_greedy_and_more_find_nothing_worse() {
        let model = model();
        for seed in 0..8 {
            let memory = memory(&model, seed);
            let mut greedy: Vec<u32> = Vec::new();
            while greedy.len() < MOST && greedy.last() != Some(&END) {
                let best = (0..LETTERS as u32).max_by(|&a, &b| {
                    let with = |id| log_probability(&model, &memory, &[&greedy[..], &[id]].concat());
                    with(a).total_cmp(&with(b))
                });
                greedy.extend(best);
            }
            let found = search(&model, seed, options(1, 0.0));
            let written: Vec<u32> = greedy.iter().copied().filter(|&id| id != END).collect();
            assert_eq!(found[0].tokens, written, "seed {seed}");
            assert_eq!(found[0].ended, greedy.last() == Some(&END));
            let expected = log_probability(&model, &memory, &greedy);
            assert!((found[0].log_probability - expected).abs() < 1e-9);
            let whole = search(&model, seed, options(LETTERS.pow(MOST as u32), 0.0));
            assert!(whole[0].log_probability >= found[0].log_probability - 1e-9 || !found[0].ended);
        }
        let refused = model.search(memory(&model, 0), options(0, 0.0)).expect_err("no beams").to_string();
        assert!(refused.contains("beams"), "{refused}");
    }

    #[test]
    fn what_is_never_to_be_written_is_not() {
        let model = model();
        for seed in 0..4 {
            let options = SearchOptions { never: vec![0, 2], ..options(9, 0.0) };
            for hypothesis in search(&model, seed, options) {
                assert!(hypothesis.tokens.iter().all(|&id| id == 1), "{hypothesis:?}");
                let tokens = [&hypothesis.tokens[..], &[END][..usize::from(hypothesis.ended)]].concat();
                let expected = log_probability(&model, &memory(&model, seed), &tokens);
                assert!((hypothesis.log_probability - expected).abs() < 1e-9);
            }
        }
    }

    /// A decoder that reads the source itself finds the best of what it would write after it.
    #[test]
    fn a_language_model_searches_its_continuations() {
        let config = ModelConfig { width: 8, depth: 1, ..super::model(softmax()) };
        let model = config.build(LETTERS, 11, &Device::flex(), Precision::F64).expect("a valid config");
        let values = parameter_values(&model).into_iter().map(|(path, value)| (path, value * 8.0)).collect();
        let model = mixlab_nn::with_parameters(model, values);
        for seed in 0..4 {
            let read = tokens(seed, 1, 5).remainder_scalar(LETTERS as i64);
            let score = |tokens: &Vec<u32>| -> f64 {
                let written = [END].iter().chain(&tokens[..tokens.len() - 1]).map(|&id| i64::from(id));
                let written = TensorData::new(written.collect::<Vec<_>>(), [1, tokens.len()]);
                let written: Tensor<2, Int> = Tensor::from_data(written, (&Device::flex(), DType::I64));
                let row = Tensor::cat(vec![read.clone(), written], 1);
                let logits = model.logits(model.hidden(row, &Context::evaluation(1, true)));
                let logits = numbers(logits.narrow(1, 5, tokens.len()));
                let log_p = |(row, &token): (&[f64], &u32)| {
                    row[token as usize] - row.iter().map(|x| x.exp()).sum::<f64>().ln()
                };
                logits.chunks(LETTERS).zip(tokens).map(log_p).sum()
            };
            let mut all: Vec<(f64, Vec<u32>)> =
                all_targets().into_iter().map(|tokens| (score(&tokens), tokens)).collect();
            all.sort_by(|a, b| b.0.total_cmp(&a.0));
            let options = options(LETTERS.pow(MOST as u32), 0.0);
            let found = model.search(Some(read.clone()), options, &Device::flex()).expect("a search");
            assert_eq!([&found[0].tokens[..], &[END]].concat(), all[0].1, "seed {seed}");
            assert!((found[0].log_probability - all[0].0).abs() < 1e-9);
        }
    }
}
