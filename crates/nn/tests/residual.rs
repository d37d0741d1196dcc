//! Residual schemes: what they compute, what they draw, and the errors of public code that they must not have.

use burn::tensor::{Device, Tensor, TensorData};
use mixlab_core::{Diagnose, Key, Precision, Purpose};
use mixlab_nn::channel::{ActivationConfig, ChannelConfig};
use mixlab_nn::mixer::{GauConfig, MixerConfig, NormaliserConfig, SoftmaxAttentionConfig};
use mixlab_nn::residual::{
    BranchNoise, Constants, DeepNormConstants, Profile, Residual, ResidualConfig, Stack, Sublayer,
    UpdateKind, gain_of,
};
use mixlab_nn::{
    Builder, InitialisationConfig, LanguageModel, ModelConfig, NormConfig, parameter_values, with_parameters,
};

/// Wide enough for matrices of more than 20,000 entries.
const WIDTH: usize = 160;
const EPSILON: f64 = 1e-5;

fn schemes() -> Vec<ResidualConfig> {
    let deep = DeepNormConstants::Auto;
    vec![
        ResidualConfig::PreNorm,
        ResidualConfig::PostNorm,
        ResidualConfig::DeepNorm { constants: deep },
        ResidualConfig::ScaledPostNorm { update: Some(UpdateKind::Adam), alpha: None, beta: None },
        ResidualConfig::ScaledPostNorm { update: None, alpha: Some(3.0), beta: Some(0.5) },
        ResidualConfig::ScaledPreNorm { update: Some(UpdateKind::Lamb), beta: None },
        ResidualConfig::LayerScale { initial: Some(0.3) },
        ResidualConfig::ReZero,
        ResidualConfig::TFixup,
        ResidualConfig::Admin,
        ResidualConfig::SandwichNorm,
    ]
}

fn softmax() -> MixerConfig {
    MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig {
        kv_heads: Some(2),
        ..SoftmaxAttentionConfig::default()
    })
}

fn gau() -> MixerConfig {
    MixerConfig::Gau(GauConfig::new(NormaliserConfig::Softmax))
}

fn config(mixer: MixerConfig, residual: ResidualConfig) -> ModelConfig {
    ModelConfig { width: WIDTH, depth: 2, max_length: 16, residual, ..ModelConfig::new(mixer) }
}

fn build(config: &ModelConfig) -> LanguageModel {
    config.build(200, 3, &Device::flex(), Precision::F64).expect("a valid config")
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn noise(shape: [usize; 3], seed: u64) -> Tensor<3> {
    let stream = Key::root(seed).purpose(Purpose::Synthetic).sample(0);
    let values: Vec<f64> = (0..shape.iter().product::<usize>() as u64).map(|i| stream.normal(i)).collect();
    Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), Precision::F64.dtype()))
}

fn deviation(values: &[f64]) -> f64 {
    (values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64).sqrt()
}

/// Columns `from..to` of a matrix of `width` columns.
fn columns(matrix: &[f64], width: usize, from: usize, to: usize) -> Vec<f64> {
    matrix.chunks_exact(width).flat_map(|row| row[from..to].to_vec()).collect()
}

#[track_caller]
fn assert_deviation(name: &str, values: &[f64], expected: f64) {
    let tolerance = if values.len() >= 20_000 { 0.02 } else { 4.0 / (2.0 * values.len() as f64).sqrt() };
    let ratio = deviation(values) / expected;
    assert!((ratio - 1.0).abs() < tolerance, "{name}: {ratio} of {expected}");
}

fn xavier(fan_in: usize, fan_out: usize) -> f64 {
    (2.0 / (fan_in + fan_out) as f64).sqrt()
}

/// A layer norm with its first values.
fn layer_norm(x: &[f64]) -> Vec<f64> {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    x.iter().map(|v| (v - mean) / (variance + EPSILON).sqrt()).collect()
}

/// The branch of the tests below.
fn square(x: f64) -> f64 {
    0.5 * x * x - 0.1 * x
}

/// The scheme around one sublayer of 8 channels of a model of 6, with its learned factors set to 0.7.
fn scheme(config: ResidualConfig) -> Residual {
    let stack = Stack::Only { sublayers: 6 };
    let drawing = config
        .initialisation(stack)
        .map_or_else(|| InitialisationConfig::normal().into(), mixlab_nn::Initialisation::Residual);
    let builder = Builder::new(1, &Device::flex(), Precision::F64, drawing, 6);
    let place = Sublayer { width: 8, blocks: 3, stack };
    let norm = NormConfig::LayerNorm { epsilon: EPSILON };
    let residual = config.init(&norm, place, &mut Profile::new(4, 8), &builder, |x| x);
    let mut values = parameter_values(&residual);
    values.retain(|path, _| path.ends_with("scale"));
    for value in values.values_mut() {
        *value = value.zeros_like() + 0.7;
    }
    with_parameters(residual, values)
}

#[test]
fn every_scheme_is_its_formula() {
    let x = noise([2, 3, 8], 5);
    let rows: Vec<Vec<f64>> = numbers(x.clone()).chunks_exact(8).map(<[f64]>::to_vec).collect();
    let branch = |row: &[f64]| row.iter().map(|&v| square(v)).collect::<Vec<f64>>();
    let sum = |x: &[f64], a: f64, y: &[f64], b: f64| -> Vec<f64> {
        x.iter().zip(y).map(|(x, y)| a * x + b * y).collect()
    };
    let alpha = 6f64.powf(0.25);
    for config in schemes() {
        let expected: Vec<f64> = rows
            .iter()
            .flat_map(|x| match config {
                ResidualConfig::PreNorm | ResidualConfig::ScaledPreNorm { .. } => {
                    sum(x, 1.0, &branch(&layer_norm(x)), 1.0)
                }
                ResidualConfig::PostNorm => layer_norm(&sum(x, 1.0, &branch(x), 1.0)),
                ResidualConfig::DeepNorm { .. } => layer_norm(&sum(x, alpha, &branch(x), 1.0)),
                ResidualConfig::ScaledPostNorm { update: Some(_), .. } => {
                    layer_norm(&sum(x, 6f64.sqrt(), &branch(x), 1.0))
                }
                ResidualConfig::ScaledPostNorm { update: None, .. } => {
                    layer_norm(&sum(x, 3.0, &branch(x), 1.0))
                }
                ResidualConfig::LayerScale { .. } => sum(x, 1.0, &branch(&layer_norm(x)), 0.7),
                ResidualConfig::ReZero => sum(x, 1.0, &branch(x), 0.7),
                ResidualConfig::TFixup => sum(x, 1.0, &branch(x), 1.0),
                ResidualConfig::Admin => layer_norm(&sum(x, 0.7, &branch(x), 1.0)),
                ResidualConfig::SandwichNorm => sum(x, 1.0, &layer_norm(&branch(&layer_norm(x))), 1.0),
            })
            .collect();
        let branch = |x: Tensor<3>| x.clone().powi_scalar(2).mul_scalar(0.5) - x.mul_scalar(0.1);
        let found = numbers(scheme(config).forward(x.clone(), &BranchNoise::default(), branch));
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-12, "{}: {found} instead of {expected}", config.name());
        }
    }
}

/// One public version computes norm(x + α·F(x)): another function, which this test must tell apart.
#[test]
fn deep_norm_scales_the_shortcut_and_not_the_branch() {
    let x = noise([1, 1, 8], 5);
    let row = numbers(x.clone());
    let alpha = 6f64.powf(0.25);
    let wrong: Vec<f64> = layer_norm(&row.iter().map(|&v| v + alpha * square(v)).collect::<Vec<f64>>());
    let branch = |x: Tensor<3>| x.clone().powi_scalar(2).mul_scalar(0.5) - x.mul_scalar(0.1);
    let deep = scheme(ResidualConfig::DeepNorm { constants: DeepNormConstants::Auto });
    let found = numbers(deep.forward(x, &BranchNoise::default(), branch));
    let apart = found.iter().zip(&wrong).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart > 0.1, "{apart}");
}

#[test]
fn deep_norm_draws_values_outputs_and_mlps_with_gain_beta_and_nothing_else() {
    let config = config(softmax(), ResidualConfig::DeepNorm { constants: DeepNormConstants::Auto });
    let beta = Constants::deep_norm(Stack::Only { sublayers: 4 }).beta;
    let values = parameter_values(&build(&config));
    let of = |name: &str| numbers(values[&format!("backbone.blocks.1.{name}.weight")].clone());
    let (d, shared, hidden) = (WIDTH, WIDTH / 2, 4 * WIDTH);
    for (name, gain, fans) in [
        ("mixer.query", 1.0, (d, d)),
        ("mixer.key", 1.0, (d, shared)),
        ("mixer.value", beta, (d, shared)),
        ("mixer.output", beta, (d, d)),
        ("channel.mixer.up", beta, (d, hidden)),
        ("channel.mixer.down", beta, (hidden, d)),
    ] {
        assert_deviation(name, &of(name), gain * xavier(fans.0, fans.1));
    }
    let embedding = numbers(values["embedding.token"].clone());
    assert_deviation("embedding", &embedding, (d as f64).powf(-0.5));
    let gains = numbers(values["backbone.blocks.0.residual.norm.gain"].clone());
    assert!(gains.iter().all(|&gain| gain == 1.0));
    assert!(!values.keys().any(|path| path.contains("final_norm")), "the last sublayer has its own norm");
}

/// The parts of a fused matrix have the deviation they would have alone, not that of the whole.
#[test]
fn fused_projections_are_drawn_part_by_part() {
    let glu = ChannelConfig::Glu { expansion: 2.0, activation: ActivationConfig::Silu, bias: false };
    let base = config(softmax(), ResidualConfig::DeepNorm { constants: DeepNormConstants::Auto });
    let base = ModelConfig { channel: Some(glu), ..base };
    let beta = Constants::deep_norm(Stack::Only { sublayers: 4 }).beta;
    let up = numbers(parameter_values(&build(&base))["backbone.blocks.0.channel.mixer.up.weight"].clone());
    let (d, hidden) = (WIDTH, 2 * WIDTH);
    // Three matrices: each has the square root of β.
    let gain = beta.sqrt();
    for (name, from) in [("value", 0), ("gate", hidden)] {
        let part = columns(&up, 2 * hidden, from, from + hidden);
        assert_deviation(name, &part, gain * xavier(d, hidden));
        let fused = gain * xavier(d, 2 * hidden);
        let ratio = deviation(&part) / fused;
        assert!(ratio > 1.2, "{name} is drawn as the fused matrix: {ratio}");
    }
}

#[test]
fn a_gated_attention_unit_counts_as_one_sublayer_of_three_matrices() {
    let update = UpdateKind::Lamb;
    for (residual, rule) in [
        (ResidualConfig::DeepNorm { constants: DeepNormConstants::Auto }, UpdateKind::Sgd),
        (ResidualConfig::ScaledPostNorm { update: Some(update), alpha: None, beta: None }, update),
    ] {
        let config = config(gau(), residual);
        assert_eq!(config.sublayers(), 2);
        let constants = residual.constants(config.stack()).expect("constants");
        let gain = gain_of(constants.beta, 3, rule);
        let values = parameter_values(&build(&config));
        let input = numbers(values["backbone.blocks.0.mixer.unit.input.weight"].clone());
        let (d, e, s) = (WIDTH, 2 * WIDTH, 128);
        for (name, from, width, gain) in [("U", 0, e, gain), ("V", e, e, gain), ("Z", 2 * e, s, 1.0)] {
            let part = columns(&input, 2 * e + s, from, from + width);
            assert_deviation(name, &part, gain * xavier(d, width));
        }
        let output = numbers(values["backbone.blocks.0.mixer.unit.output.weight"].clone());
        assert_deviation("output", &output, gain * xavier(e, d));
    }
}

/// The first ω is 1, and each later one adds the variance of the branch before it.
#[test]
fn admin_starts_from_what_earlier_branches_vary() {
    let values = parameter_values(&build(&config(softmax(), ResidualConfig::Admin)));
    let omega = |path: &str| {
        let all = numbers(values[&format!("backbone.blocks.{path}.scale")].clone());
        assert!(all.iter().all(|&value| value == all[0]), "one value for all channels");
        all[0]
    };
    let order = ["0.residual", "0.channel.residual", "1.residual", "1.channel.residual"].map(omega);
    assert_eq!(order[0], 1.0);
    assert!(order.windows(2).all(|pair| pair[1] > pair[0]), "{order:?}");
}

#[test]
fn every_scheme_runs_with_every_mixer_and_listing_agrees() {
    for residual in schemes() {
        for mixer in MixerConfig::catalogue() {
            let config = ModelConfig { width: 16, ..config(mixer, residual) };
            let model = build(&config);
            let hidden = numbers(
                model.backbone().forward(noise([1, 16, 16], 2), &mixlab_nn::Context::evaluation(1, false)),
            );
            let name = (residual.name(), config.mixer.name());
            assert!(hidden.iter().all(|v| v.is_finite()), "{name:?}");
            assert_eq!(
                config.parameters(200).expect("a list"),
                mixlab_nn::named_parameters(&model),
                "{name:?}"
            );
        }
    }
}

#[test]
fn odd_combinations_are_refused_with_the_reason() {
    let refused = |residual, initialisation| {
        let error = ModelConfig { initialisation, ..config(softmax(), residual) }
            .validate()
            .expect_err("an odd combination");
        format!("{error}\n{}", error.hint().unwrap_or_default())
    };
    let adam = Some(UpdateKind::Adam);
    for (residual, initialisation, parts) in [
        (
            ResidualConfig::ScaledPostNorm { update: adam, alpha: Some(2.0), beta: None },
            None,
            ["sets `model.residual.alpha`", "leave out"],
        ),
        (
            ResidualConfig::ScaledPreNorm { update: adam, beta: Some(0.1) },
            None,
            ["sets `model.residual.beta`", "leave out"],
        ),
        (
            ResidualConfig::ScaledPostNorm { update: None, alpha: Some(2.0), beta: None },
            None,
            ["`model.residual.beta` is not given", "by hand"],
        ),
        (
            ResidualConfig::ScaledPostNorm { update: None, alpha: Some(-2.0), beta: Some(1.0) },
            None,
            ["a positive number", "model.residual.alpha"],
        ),
        (
            ResidualConfig::DeepNorm { constants: DeepNormConstants::EncoderDecoder },
            None,
            ["this model has one", "\"auto\""],
        ),
        (
            ResidualConfig::DeepNorm { constants: DeepNormConstants::Auto },
            Some(InitialisationConfig::normal()),
            ["draws itself", "leave out `model.initialisation`"],
        ),
    ] {
        let message = refused(residual, initialisation);
        for part in parts {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }
}
