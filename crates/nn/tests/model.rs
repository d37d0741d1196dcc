//! Properties of whole models, for every mixer of the catalogue.

use std::collections::BTreeSet;

use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose, hash64};
use mixlab_nn::mixer::MixerConfig;
use mixlab_nn::residual::ResidualConfig;
use mixlab_nn::{
    Context, InitialisationConfig, LanguageModel, Mode, ModelConfig, NormConfig, named_parameters,
    parameter_values, with_parameters,
};

const VOCABULARY: usize = 19;

fn config(mixer: MixerConfig) -> ModelConfig {
    ModelConfig { width: 16, depth: 2, max_length: 32, ..ModelConfig::new(mixer) }
}

fn build(config: &ModelConfig) -> LanguageModel {
    config.build(VOCABULARY, 7, &Device::flex(), Precision::F64).unwrap()
}

fn tokens(batch: usize, length: usize) -> Tensor<2, Int> {
    let stream = Key::root(1).purpose(Purpose::Synthetic).sample(0);
    let ids: Vec<i64> =
        (0..(batch * length) as u64).map(|i| stream.below(i, VOCABULARY as u64) as i64).collect();
    Tensor::from_data(TensorData::new(ids, [batch, length]), (&Device::flex(), DType::I64))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().try_into_vec().unwrap()
}

fn largest_difference<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f64 {
    assert_eq!(a.dims(), b.dims());
    values((a - b).abs()).into_iter().fold(0.0, f64::max)
}

#[test]
fn identities_are_the_hashes_of_the_paths() {
    for mixer in MixerConfig::catalogue() {
        let model = build(&config(mixer.clone()));
        let parameters = named_parameters(&model);
        let mut seen = BTreeSet::new();
        for parameter in &parameters {
            assert_eq!(parameter.identity, hash64(parameter.path.as_bytes()), "{}", parameter.path);
            assert!(seen.insert(parameter.path.clone()), "{} twice", parameter.path);
        }
        assert_eq!(
            parameters.iter().map(|p| p.size()).sum::<usize>(),
            model.num_params(),
            "{}",
            mixer.name()
        );
    }
}

#[test]
fn changing_the_mixer_keeps_every_other_path_and_its_values() {
    let attention = parameter_values(&build(&config(MixerConfig::catalogue().remove(0))));
    let linear = parameter_values(&build(&config(MixerConfig::catalogue().remove(1))));
    let key = "backbone.blocks.1.channel.mixer.up.weight";
    assert_eq!(values(attention[key].clone()), values(linear[key].clone()));
}

/// Deviation of the first matrix of the first block that reads the stream.
fn first_deviation(config: &ModelConfig) -> Option<f64> {
    let parameters = parameter_values(&build(config));
    let matrix = parameters
        .iter()
        .filter(|(path, _)| path.starts_with("backbone.blocks.0.mixer.") && path.ends_with(".weight"))
        .find(|(path, _)| !path.contains(".tokens.") && !path.contains(".output."));
    let numbers = values(matrix?.1.clone());
    Some((numbers.iter().map(|x| x * x).sum::<f64>() / numbers.len() as f64).sqrt())
}

/// Units with a gate start open at any width; an initialisation that is given is taken.
#[test]
fn the_mixer_chooses_the_initialisation_unless_one_is_given() {
    for mixer in MixerConfig::catalogue() {
        let config = config(mixer);
        let fan_in = (config.width as f64).powf(-0.5);
        let expected = if config.mixer.wants_lecun() { fan_in } else { 0.02 };
        let Some(found) = first_deviation(&config) else {
            // Weights over tokens have an axis of their own, and some mixers have no others.
            let own = ["mlp_mixer", "ff_only", "res_mlp", "fnet"];
            assert!(own.contains(&config.mixer.name()), "{}", config.mixer.name());
            continue;
        };
        let ratio = found / expected;
        assert!((0.9..1.1).contains(&ratio), "{}: {ratio} of {expected}", config.mixer.name());
        let given = InitialisationConfig::Normal { deviation: 0.5, scale_outputs: false };
        let given = ModelConfig { initialisation: Some(given), ..config };
        assert!((0.45..0.55).contains(&first_deviation(&given).unwrap_or(0.0)), "{}", given.mixer.name());
    }
}

#[test]
fn a_parameter_depends_on_seed_and_path_only() {
    let shallow = config(MixerConfig::catalogue().remove(0));
    let deep = ModelConfig {
        depth: 3,
        initialisation: Some(InitialisationConfig::Normal { deviation: 0.02, scale_outputs: false }),
        ..shallow.clone()
    };
    let shallow = ModelConfig { initialisation: deep.initialisation.clone(), ..shallow };
    let (shallow, deep) = (parameter_values(&build(&shallow)), parameter_values(&build(&deep)));
    for (path, value) in &shallow {
        assert_eq!(values(value.clone()), values(deep[path].clone()), "{path}");
    }
}

#[test]
fn streaming_equals_the_full_pass() {
    for mixer in MixerConfig::catalogue().into_iter().filter(|mixer| mixer.promises(true).streaming) {
        for residual in [ResidualConfig::PreNorm, ResidualConfig::PostNorm] {
            let config = ModelConfig { residual, ..config(mixer.clone()) };
            let model = build(&config);
            let tokens = tokens(2, 23);
            let full = model.hidden(tokens.clone(), &Context::evaluation(2, true));
            let mut state = model.state(2).unwrap();
            let mut parts = Vec::new();
            let mut start = 0;
            for count in [1, 5, 1, 9, 7] {
                parts.push(model.step(tokens.clone().narrow(1, start, count), &mut state));
                start += count;
            }
            assert_eq!(state.position(), 23);
            let difference = largest_difference(full, Tensor::cat(parts, 1));
            assert!(difference < 1e-12, "{} {residual:?}: {difference:e}", mixer.name());
        }
    }
}

#[test]
fn every_norm_trains_every_mixer() {
    let norms = [
        NormConfig::default(),
        NormConfig::RmsNorm { epsilon: 1e-6, gain: true },
        NormConfig::RmsNorm { epsilon: 1e-12, gain: false },
        NormConfig::ScaleNormA { epsilon: 1e-5 },
        NormConfig::ScaleNormB { epsilon: 1e-5 },
        NormConfig::Affine,
        NormConfig::None,
    ];
    let device = Device::flex().autodiff();
    for mixer in MixerConfig::catalogue() {
        for norm in &norms {
            let config = ModelConfig { norm: norm.clone(), max_length: 9, ..config(mixer.clone()) };
            let causal = config.check_direction(true).is_ok();
            let model = config.build(VOCABULARY, 7, &Device::flex(), Precision::F64).unwrap().train();
            let tokens = Tensor::from_data(tokens(2, 9).into_data(), (&device, DType::I64));
            let hidden = model.hidden(tokens, &Context::evaluation(2, causal));
            let loss = (model.logits(hidden).sin()).sum();
            let mut gradients = loss.backward();
            let found = mixlab_nn::parameter_gradients(&model, &mut gradients);
            let all: BTreeSet<String> = named_parameters(&model).into_iter().map(|p| p.path).collect();
            assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), all, "{} {norm:?}", mixer.name());
            for (path, gradient) in found {
                assert!(values(gradient).iter().all(|g| g.is_finite()), "{path}");
            }
        }
    }
}

#[test]
fn dropout_is_a_function_of_the_sample_not_of_its_place() {
    let mut config = config(MixerConfig::catalogue().remove(0));
    config.dropout.branch = 0.3;
    config.dropout.embedding = 0.2;
    let model = build(&config);
    let tokens = tokens(2, 9);
    let context = |samples: Vec<u64>| Context {
        mode: Mode::Train,
        key: Key::root(3).purpose(Purpose::Dropout).step(5),
        samples: samples.into(),
        ..Context::evaluation(2, true)
    };
    let both = model.hidden(tokens.clone(), &context(vec![40, 41]));
    let swapped = Tensor::cat(vec![tokens.clone().narrow(0, 1, 1), tokens.narrow(0, 0, 1)], 0);
    let other = model.hidden(swapped, &context(vec![41, 40]));
    assert_eq!(values(both.clone().narrow(0, 0, 1)), values(other.clone().narrow(0, 1, 1)));
    assert!(largest_difference(both, other) > 1e-3, "rows differ, so the swap was one");
}

#[test]
fn replaced_parameters_are_the_ones_used() {
    let model = build(&config(MixerConfig::catalogue().remove(0)));
    let zeroed =
        parameter_values(&model).into_iter().map(|(path, value)| (path, value.zeros_like())).collect();
    let hidden = with_parameters(model, zeroed).hidden(tokens(1, 4), &Context::evaluation(1, true));
    assert!(values(hidden).iter().all(|&h| h == 0.0));
}
