//! Critics with a gradient in their loss: closed form, duals and finite differences say the same.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_nn::adversarial::{Critic, CriticActivation, NetworkConfig, PoolConfig, SampleShape};
use mixlab_nn::mixer::{GmlpConfig, MixerConfig, MlpMixerConfig};
use mixlab_nn::{
    Builder, InitialisationConfig, ModelConfig, add_gradients, parameter_values, with_parameters,
};
use mixlab_objectives::adversarial::{
    AdversarialLoss, ConstraintConfig, DivergencePoints, Evaluation, Form, Normalisation, Rules, Samples,
    SpectralNorm, between,
};

const POINT: SampleShape = SampleShape { channels: 2, height: 1, width: 1 };
const IMAGE: SampleShape = SampleShape { channels: 2, height: 8, width: 8 };

fn leaky() -> CriticActivation {
    CriticActivation::LeakyRelu { slope: 0.2 }
}

/// A critic with gradient tracking, in f64, whose numbers are of order 1.
fn critic(config: &NetworkConfig, model: &ModelConfig, shape: SampleShape, classes: usize) -> Critic {
    let builder = Builder::new(5, &Device::flex(), Precision::F64, InitialisationConfig::lecun(), 4);
    let critic = Critic::new(config, model, shape, classes, &builder).expect("a critic");
    // Biases that are not zero, and DCGAN's small weights made larger.
    let values = parameter_values(&critic).into_iter().map(|(path, value)| {
        let count = value.dims()[0];
        let stream = Key::root(9).purpose(Purpose::Synthetic).site(&path).sample(0);
        let noise: Vec<f64> = (0..count as u64).map(|i| 0.15 * stream.normal(i)).collect();
        let noise = Tensor::<1>::from_data(TensorData::new(noise, [count]), (&Device::flex(), DType::F64));
        (path, value + noise)
    });
    with_parameters(critic, values.collect()).train()
}

fn any_model() -> ModelConfig {
    let mut model = ModelConfig::new(MixerConfig::MlpMixer(MlpMixerConfig::default()));
    (model.width, model.depth, model.patch.size) = (8, 1, 4);
    model
}

fn mlp(activation: CriticActivation) -> NetworkConfig {
    NetworkConfig::mlp(7, 2, activation)
}

/// Critics that are linear between kinks, by name.
fn piecewise_linear() -> Vec<(&'static str, Critic)> {
    let convolution = NetworkConfig::convolution(3, 1, leaky());
    let residual = |pool| NetworkConfig::residual(3, 2, CriticActivation::Relu, pool);
    vec![
        ("mlp", critic(&mlp(leaky()), &any_model(), POINT, 0)),
        ("mlp with classes", critic(&mlp(CriticActivation::Relu), &any_model(), POINT, 3)),
        ("convolution", critic(&convolution, &any_model(), IMAGE, 0)),
        ("residual", critic(&residual(PoolConfig::Average), &any_model(), IMAGE, 1)),
        ("residual with maxima", critic(&residual(PoolConfig::Max), &any_model(), IMAGE, 0)),
    ]
}

fn smooth() -> Vec<(&'static str, Critic)> {
    let mut gmlp = any_model();
    gmlp.mixer = MixerConfig::Gmlp(GmlpConfig::default());
    vec![
        ("softplus", critic(&mlp(CriticActivation::Softplus), &any_model(), POINT, 0)),
        ("tanh", critic(&mlp(CriticActivation::Tanh), &any_model(), POINT, 0)),
        ("silu", critic(&mlp(CriticActivation::Silu), &any_model(), POINT, 2)),
        ("mlp_mixer", critic(&NetworkConfig::Patches, &any_model(), IMAGE, 0)),
        ("gmlp", critic(&NetworkConfig::Patches, &gmlp, IMAGE, 1)),
    ]
}

/// Samples with as many channels as the critic takes; the class channels are one hot.
fn samples(critic: &Critic, batch: usize, seed: u64) -> Tensor<4> {
    let shape = critic.sample();
    let all = first_width(critic);
    let pixels = shape.height * shape.width;
    let stream = Key::root(seed).purpose(Purpose::Synthetic).site("samples").sample(0);
    let mut values = Vec::new();
    for b in 0..batch {
        for pixel in 0..pixels {
            for channel in 0..all {
                let at = ((b * pixels + pixel) * all + channel) as u64;
                values.push(if channel < shape.channels {
                    stream.normal(at)
                } else {
                    f64::from(u8::from(b % (all - shape.channels) == channel - shape.channels))
                });
            }
        }
    }
    let data = TensorData::new(values, [batch, shape.height, shape.width, all]);
    Tensor::from_data(data, (&Device::flex(), DType::F64))
}

/// Channels that go in, those of the class included.
fn first_width(critic: &Critic) -> usize {
    critic.sample().channels + critic.classes()
}

fn vector(x: Tensor<1>) -> Vec<f64> {
    x.into_data().iter().collect()
}

fn assert_same(
    name: &str,
    found: &BTreeMap<String, Tensor<1>>,
    expected: &BTreeMap<String, Tensor<1>>,
    most: f64,
) {
    let largest = expected.values().map(|x| x.clone().abs().max().into_scalar::<f64>()).fold(0.0, f64::max);
    assert!(largest > 0.0, "{name}: everything is 0");
    for (path, expected) in expected {
        let gap = match found.get(path) {
            Some(found) => (found.clone() - expected.clone()).abs().max().into_scalar::<f64>(),
            None => expected.clone().abs().max().into_scalar::<f64>(),
        };
        assert!(gap <= most * largest, "{name}: {path} is {gap:e} off, of {largest:e}");
    }
}

fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let stream = Key::root(seed).purpose(Purpose::Synthetic).sample(0);
    (0..count as u64).map(|i| stream.normal(i)).collect()
}

#[test]
fn the_closed_form_is_the_dual_one() {
    for (name, critic) in piecewise_linear() {
        let x = samples(&critic, 6, 1);
        let (a, c) = (numbers(6, 2), numbers(6, 3));
        let run = |form| {
            let evaluation = Evaluation::new(&critic, x.clone(), form);
            let (values, norms) = (evaluation.values.clone(), evaluation.norms.clone());
            let directions = evaluation.directions();
            (values, norms, evaluation.parameter_gradients(&a, &c, directions))
        };
        let (values, norms, gradients) = run(Form::Fastest);
        let (expected_values, expected_norms, expected) = run(Form::Dual);
        for (found, expected) in values.iter().zip(&expected_values).chain(norms.iter().zip(&expected_norms))
        {
            assert!((found - expected).abs() < 1e-12, "{name}: {found} and {expected}");
        }
        assert_same(name, &gradients, &expected, 1e-12);
    }
}

/// Weights of values at the first samples and of slopes at the last, in one pass, are those of all samples in the primitive.
#[test]
fn one_pass_is_the_primitive_with_zeros() {
    for (name, critic) in piecewise_linear().into_iter().chain(smooth()) {
        let x = samples(&critic, 7, 1);
        let (a, c) = (numbers(4, 2), numbers(3, 3));
        let (mut found, last) =
            Evaluation::after_first_order(&critic, x.clone(), 3, Form::Fastest, |_| a.clone());
        let directions = last.directions();
        add_gradients(&mut found, last.slope_gradients(&c, directions));
        let evaluation = Evaluation::new(&critic, x, Form::Dual);
        let directions = evaluation.directions();
        let (a, c) = ([&a[..], &[0.0; 3]].concat(), [&[0.0; 4][..], &c].concat());
        assert_same(name, &found, &evaluation.parameter_gradients(&a, &c, directions), 1e-12);
    }
}

/// ‖∇ₓf‖ by differences of f, in the directions of the sample alone.
#[test]
fn norms_are_those_of_the_samples_without_their_class() {
    for (name, critic) in piecewise_linear().into_iter().chain(smooth()) {
        let x = samples(&critic, 2, 4);
        let evaluation = Evaluation::new(&critic, x.clone(), Form::Fastest);
        let [_, height, width, _] = x.dims();
        let mut squares = [0.0; 2];
        let step = 1e-5;
        for channel in 0..critic.sample().channels {
            for pixel in 0..height * width {
                let (row, column) = (pixel / width, pixel % width);
                let place = [0..2, row..row + 1, column..column + 1, channel..channel + 1];
                let moved = |by: f64| {
                    let there = x.clone().slice(place.clone()).add_scalar(by);
                    vector(critic.valid().forward(x.clone().slice_assign(place.clone(), there)))
                };
                for (square, (up, down)) in squares.iter_mut().zip(moved(step).iter().zip(moved(-step))) {
                    *square += ((up - down) / (2.0 * step)).powi(2);
                }
            }
        }
        for (square, norm) in squares.iter().zip(&evaluation.norms) {
            assert!((square.sqrt() - norm).abs() < 1e-6, "{name}: {} and {norm}", square.sqrt());
        }
    }
}

fn constraints() -> Vec<ConstraintConfig> {
    vec![
        ConstraintConfig::None,
        ConstraintConfig::Plain,
        ConstraintConfig::GradientNormalisation,
        ConstraintConfig::Gran { epsilon: 0.1, scale: 1.0 },
        ConstraintConfig::GradientPenalty { weight: 10.0, one_sided: false },
        ConstraintConfig::GradientPenalty { weight: 10.0, one_sided: true },
        ConstraintConfig::Divergence { weight: 2.0, power: 6.0, points: DivergencePoints::Between },
        ConstraintConfig::Divergence { weight: 2.0, power: 6.0, points: DivergencePoints::Samples },
        ConstraintConfig::R1 { weight: 10.0 },
        ConstraintConfig::R2 { weight: 10.0 },
    ]
}

/// The loss by its definition, from values and norms.
fn loss_by_definition(critic: &Critic, samples: &Samples, rules: &Rules<'_>, key: Key) -> f64 {
    let at = |x: &Tensor<4>| {
        let evaluation = Evaluation::new(critic, x.clone(), Form::Dual);
        (evaluation.values, evaluation.norms)
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let seen = |x: &Tensor<4>| -> Vec<f64> {
        let (values, norms) = at(x);
        let hat = |(&f, &n): (&f64, &f64)| match rules.constraint {
            ConstraintConfig::Plain => f / n,
            ConstraintConfig::GradientNormalisation => f / (n + f.abs()),
            ConstraintConfig::Gran { epsilon, scale } => scale * f * n / (n * n + epsilon),
            _ => f,
        };
        values.iter().zip(&norms).map(hat).collect()
    };
    let norms = |x: &Tensor<4>| at(x).1;
    let of = |x: &[f64], f: &dyn Fn(f64) -> f64| mean(&x.iter().map(|&x| f(x)).collect::<Vec<_>>());
    let (real, made) = (seen(&samples.real), seen(&samples.made));
    let points = || between(samples.real.clone(), samples.made.clone(), key);
    let penalty = match *rules.constraint {
        ConstraintConfig::GradientPenalty { weight, one_sided } => of(&norms(&points()), &|n| {
            let beyond = if one_sided { (n - 1.0).max(0.0) } else { n - 1.0 };
            weight * beyond.powi(2)
        }),
        ConstraintConfig::Divergence { weight, power, points: DivergencePoints::Between } => {
            of(&norms(&points()), &|n| weight * n.powf(power))
        }
        ConstraintConfig::Divergence { weight, power, .. } => {
            let both = [norms(&samples.real), norms(&samples.made)].concat();
            of(&both, &|n| weight * n.powf(power))
        }
        ConstraintConfig::R1 { weight } => of(&norms(&samples.real), &|n| 0.5 * weight * n * n),
        ConstraintConfig::R2 { weight } => of(&norms(&samples.made), &|n| 0.5 * weight * n * n),
        _ => 0.0,
    };
    let consistency = samples.changed.as_ref().map_or(0.0, |changed| {
        let apart: Vec<f64> = seen(changed).iter().zip(&real).map(|(a, b)| a - b).collect();
        rules.consistency * of(&apart, &|apart| apart * apart)
    });
    of(&real, &|v| rules.loss.real(v).value)
        + of(&made, &|v| rules.loss.made(v).value)
        + penalty
        + consistency
}

/// d/dt loss(θ + t·direction) at 0, by central differences in two sizes and extrapolation (Richardson), too small to cross a kink.
fn slope_along(mut loss: impl FnMut(f64) -> f64) -> f64 {
    let mut slope = |step: f64| (loss(step) - loss(-step)) / (2.0 * step);
    let (wide, narrow) = (slope(2e-6), slope(1e-6));
    (4.0 * narrow - wide) / 3.0
}

fn moved(critic: &Critic, direction: &BTreeMap<String, Tensor<1>>, by: f64) -> Critic {
    let values = parameter_values(critic).into_iter().map(|(path, value)| {
        let step = direction[&path].clone().mul_scalar(by);
        (path, value + step)
    });
    with_parameters(critic.clone(), values.collect())
}

fn direction(critic: &Critic) -> BTreeMap<String, Tensor<1>> {
    let along = |(path, value): (String, Tensor<1>)| {
        let count = value.dims()[0];
        let stream = Key::root(77).purpose(Purpose::Synthetic).site(&path).sample(0);
        let drawn: Vec<f64> = (0..count as u64).map(|i| stream.normal(i)).collect();
        let drawn = Tensor::from_data(TensorData::new(drawn, [count]), (&Device::flex(), DType::F64));
        (path, drawn)
    };
    parameter_values(critic).into_iter().map(along).collect()
}

fn along(gradients: &BTreeMap<String, Tensor<1>>, direction: &BTreeMap<String, Tensor<1>>) -> f64 {
    let part = |(path, gradient): (&String, &Tensor<1>)| {
        (gradient.clone() * direction[path].clone()).sum().into_scalar::<f64>()
    };
    gradients.iter().map(part).sum()
}

/// The derivative of the loss along a random direction of all weights, for every critic under every constraint.
#[test]
fn gradients_are_those_of_the_loss() {
    let key = Key::root(3);
    for (name, critic) in piecewise_linear().into_iter().chain(smooth()) {
        let (real, made, changed) = (samples(&critic, 3, 5), samples(&critic, 3, 6), samples(&critic, 3, 7));
        let samples = Samples { real, made, changed: Some(changed) };
        let direction = direction(&critic);
        for constraint in constraints() {
            let loss = AdversarialLoss::NonSaturating;
            let rules = Rules { loss, constraint: &constraint, consistency: 5.0, form: Form::Fastest };
            let step = rules.critic(&critic, samples.clone(), key);
            let expected = loss_by_definition(&critic, &samples, &rules, key);
            assert!((step.loss / expected - 1.0).abs() < 1e-12, "{name}, {}", constraint.name());
            let at = |by| loss_by_definition(&moved(&critic, &direction, by), &samples, &rules, key);
            let expected = slope_along(at);
            let found = along(&step.gradients, &direction);
            let gap = (found / expected - 1.0).abs();
            assert!(gap < 1e-7, "{name}, {}: {found} and {expected}, {gap:e}", constraint.name());
        }
    }
}

/// The gradient by made samples, for every critic under every normalisation; and what first order misses of a smooth one.
#[test]
fn generators_get_the_gradient_of_their_loss() {
    let kinds = [
        ConstraintConfig::None,
        ConstraintConfig::Plain,
        ConstraintConfig::GradientNormalisation,
        ConstraintConfig::Gran { epsilon: 0.1, scale: 1.0 },
    ];
    for (name, critic) in piecewise_linear().into_iter().chain(smooth()) {
        let made = samples(&critic, 3, 8);
        let channels = critic.sample().channels;
        let way = samples(&critic, 3, 9).narrow(3, 0, channels);
        for constraint in &kinds {
            let rules = Rules {
                loss: AdversarialLoss::NonSaturating,
                constraint,
                consistency: 0.0,
                form: Form::Fastest,
            };
            let step = rules.generator(&critic, made.clone());
            let found = (step.samples.narrow(3, 0, channels) * way.clone()).sum().into_scalar::<f64>();
            let at = |by: f64| {
                let there = made.clone().narrow(3, 0, channels) + way.clone().mul_scalar(by);
                let there = match critic.classes() {
                    0 => there,
                    classes => Tensor::cat(vec![there, made.clone().narrow(3, channels, classes)], 3),
                };
                rules.generator(&critic, there).loss
            };
            let expected = slope_along(at);
            let gap = (found / expected - 1.0).abs();
            assert!(gap < 1e-7, "{name}, {}: {found} and {expected}", constraint.name());
            let Some(normalisation) = constraint.normalisation() else { continue };
            let first = first_order_only(&critic, made.clone(), normalisation);
            let first = (first.narrow(3, 0, channels) * way.clone()).sum().into_scalar::<f64>();
            if critic.is_piecewise_linear() {
                assert!((first / found - 1.0).abs() < 1e-12, "{name}: first order is all there is");
            } else {
                assert!((first / found - 1.0).abs() > 1e-2, "{name}: first order misses the curvature");
            }
        }
    }
}

/// φ'·∂f̂/∂f·g, the gradient of a critic taken to be linear.
fn first_order_only(critic: &Critic, made: Tensor<4>, normalisation: Normalisation) -> Tensor<4> {
    let evaluation = Evaluation::new(critic, made.clone(), Form::Dual);
    let share = 1.0 / made.dims()[0] as f64;
    let weights: Vec<f64> = evaluation
        .values
        .iter()
        .zip(&evaluation.norms)
        .map(|(&f, &n)| {
            let seen = normalisation.at(f, n);
            share * AdversarialLoss::NonSaturating.generator(seen.value).slope * seen.by_value
        })
        .collect();
    let batch = weights.len();
    let weights = TensorData::new(weights, [batch, 1, 1, 1]);
    evaluation.gradients * Tensor::from_data(weights, (&Device::flex(), DType::F64))
}

/// A million points of a critic with gradient normalisation: no slope above 1. At a hundred of them the slope is measured.
#[test]
fn a_normalised_critic_is_nowhere_steeper_than_one() {
    let network = NetworkConfig::mlp(24, 3, leaky());
    let critic = critic(&network, &any_model(), POINT, 0);
    let kind = Normalisation::Gradient;
    let mut steepest: f64 = 0.0;
    for part in 0..20 {
        let x = samples(&critic, 50_000, 100 + part).mul_scalar(3.0);
        let evaluation = Evaluation::new(&critic, x, Form::Fastest);
        for (&f, &n) in evaluation.values.iter().zip(&evaluation.norms) {
            steepest = steepest.max(kind.slope(f, n));
        }
    }
    assert!(steepest <= 1.0 + 1e-9 && steepest > 0.9, "{steepest}");

    let x = samples(&critic, 100, 50);
    let evaluation = Evaluation::new(&critic, x.clone(), Form::Fastest);
    let step = 1e-7;
    let seen = |x: Tensor<4>| -> Vec<f64> {
        let there = Evaluation::new(&critic, x, Form::Fastest);
        there.values.iter().zip(&there.norms).map(|(&f, &n)| kind.at(f, n).value).collect()
    };
    let along = evaluation.directions().mul_scalar(step);
    let (up, down) = (seen(x.clone() + along.clone()), seen(x - along));
    for (index, (up, down)) in up.iter().zip(&down).enumerate() {
        let measured = (up - down) / (2.0 * step);
        let stated = kind.slope(evaluation.values[index], evaluation.norms[index]);
        assert!((measured - stated).abs() < 1e-6, "{measured} and {stated}");
    }
}

/// At a kink f̂ jumps by |f|·|1/(n₁ + |f|) − 1/(n₂ + |f|)|: the bound on the slope is no bound on differences.
#[test]
fn a_normalised_critic_jumps_at_kinks() {
    // f(x) = max(x₁, 0) + 3·max(x₁ − 1, 0) + 1 + (x₂ alone: 0).
    let network = NetworkConfig::mlp(2, 1, CriticActivation::Relu);
    let critic = critic(&network, &any_model(), POINT, 0);
    let put = |values: &[f64]| -> Tensor<1> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), (&Device::flex(), DType::F64))
    };
    let values = BTreeMap::from([
        ("network.layers.0.weight".to_owned(), put(&[1.0, 1.0, 0.0, 0.0])),
        ("network.layers.0.bias".to_owned(), put(&[0.0, -1.0])),
        ("network.layers.2.weight".to_owned(), put(&[1.0, 3.0])),
        ("network.layers.2.bias".to_owned(), put(&[1.0])),
    ]);
    let critic = with_parameters(critic, values);
    let at = |x: f64| {
        let x = Tensor::from_data(TensorData::new(vec![x, 0.0], [1, 1, 1, 2]), (&Device::flex(), DType::F64));
        let there = Evaluation::new(&critic, x, Form::Fastest);
        Normalisation::Gradient.at(there.values[0], there.norms[0]).value
    };
    let step = 1e-9;
    let jump = at(1.0 - step) - at(1.0 + step);
    let f: f64 = 2.0;
    let expected = f * (1.0 / (1.0 + f) - 1.0 / (4.0 + f));
    assert!((jump - expected).abs() < 1e-8, "{jump} and {expected}");
    assert!(jump / (2.0 * step) > 1e8, "the secant has no bound");
}

#[test]
fn a_divided_critic_is_the_critic_divided() {
    for (name, critic) in piecewise_linear() {
        let x = samples(&critic, 4, 11);
        let divided = critic.divided(parameter_values(&critic), 37.0).expect("homogeneous");
        let divided = with_parameters(critic.clone(), divided);
        let at = |critic: &Critic| {
            let there = Evaluation::new(critic, x.clone(), Form::Fastest);
            (there.values, there.norms)
        };
        let ((f, n), (g, m)) = (at(&critic), at(&divided));
        for i in 0..4 {
            assert!((f[i] / g[i] / 37.0 - 1.0).abs() < 1e-12, "{name}: {} and {}", f[i], g[i]);
            let kind = Normalisation::Gradient;
            assert!((kind.at(f[i], n[i]).value - kind.at(g[i], m[i]).value).abs() < 1e-14, "{name}");
        }
    }
    for (name, critic) in smooth() {
        assert!(critic.divided(parameter_values(&critic), 2.0).is_none(), "{name} is not homogeneous");
    }
}

/// The gradient of one sample does not know the others.
#[test]
fn samples_do_not_touch_each_other() {
    for (name, critic) in piecewise_linear().into_iter().chain(smooth()) {
        let (one, other) = (samples(&critic, 4, 12), samples(&critic, 4, 13));
        let mixed = Tensor::cat(vec![one.clone().narrow(0, 0, 1), other.narrow(0, 1, 3)], 0);
        let first = |x: Tensor<4>| {
            let there = Evaluation::new(&critic, x, Form::Fastest);
            there.gradients.narrow(0, 0, 1)
        };
        let gap = (first(one) - first(mixed)).abs().max().into_scalar::<f64>();
        assert!(gap < 1e-14, "{name}: {gap:e}");
    }
}

/// A critic that is flat everywhere has no gradient, and no step of it is not a number.
#[test]
fn a_dead_critic_gives_numbers() {
    for (name, critic) in piecewise_linear() {
        let zeros = parameter_values(&critic).into_iter().map(|(path, value)| (path, value.zeros_like()));
        let critic = with_parameters(critic, zeros.collect());
        let samples = Samples { real: samples(&critic, 3, 14), made: samples(&critic, 3, 15), changed: None };
        for constraint in constraints() {
            let rules = Rules {
                loss: AdversarialLoss::Hinge,
                constraint: &constraint,
                consistency: 0.0,
                form: Form::Fastest,
            };
            let step = rules.critic(&critic, samples.clone(), Key::root(1));
            assert!(step.loss.is_finite(), "{name}, {}", constraint.name());
            for (path, gradient) in &step.gradients {
                let finite = vector(gradient.clone()).iter().all(|x| x.is_finite());
                assert!(finite, "{name}, {}: {path}", constraint.name());
            }
            let made = rules.generator(&critic, samples.made.clone());
            let largest = made.samples.abs().max().into_scalar::<f64>();
            assert!(made.loss.is_finite() && largest == 0.0, "{name}, {}", constraint.name());
        }
    }
}

/// σ converges to the largest singular value, and gradients go back through the quotient with u and v fixed.
#[test]
fn spectral_norm_divides_and_goes_back() {
    for (name, critic) in piecewise_linear() {
        let mut norm = SpectralNorm::new(&critic, Key::root(4), &Device::flex(), Precision::F64);
        for _ in 0..400 {
            norm.normalised(&critic, parameter_values(&critic), true);
        }
        let (normal, divided) = norm.normalised(&critic, parameter_values(&critic), true);
        // ‖Ŵx‖ ≤ ‖x‖ for the matrix of every layer, with equality at the right singular vector.
        let mut again = SpectralNorm::new(&normal, Key::root(8), &Device::flex(), Precision::F64);
        for _ in 0..400 {
            again.normalised(&normal, parameter_values(&normal), true);
        }
        let (_, one) = again.normalised(&normal, parameter_values(&normal), true);
        for (path, sigma) in one.sigmas() {
            assert!((sigma - 1.0).abs() < 1e-6, "{name}: {path} has the norm {sigma}");
        }

        let x = samples(&critic, 3, 16);
        let rules = Rules {
            loss: AdversarialLoss::NonSaturating,
            constraint: &ConstraintConfig::SpectralNorm,
            consistency: 0.0,
            form: Form::Fastest,
        };
        let pairs = Samples { real: x.clone(), made: samples(&critic, 3, 17), changed: None };
        let step = rules.critic(&normal, pairs.clone(), Key::root(1));
        let gradients = divided.gradients(step.gradients);
        let direction = direction(&critic);
        // At convergence dσ = uᵀdW·v whether or not u and v follow, so that plain differences show the same.
        let at = |by: f64| {
            let there = moved(&critic, &direction, by);
            let mut follow = norm.clone();
            for _ in 0..60 {
                follow.normalised(&there, parameter_values(&there), true);
            }
            let (normal, _) = follow.normalised(&there, parameter_values(&there), true);
            loss_by_definition(&normal, &pairs, &rules, Key::root(1))
        };
        let step = 1e-6;
        let expected = (at(step) - at(-step)) / (2.0 * step);
        let found = along(&gradients, &direction);
        assert!((found / expected - 1.0).abs() < 1e-4, "{name}: {found} and {expected}");
    }
}

#[test]
fn points_between_have_an_alpha_of_their_own() {
    let (real, made) = (
        Tensor::<4>::ones([64, 1, 2, 2], (&Device::flex(), DType::F64)),
        Tensor::<4>::zeros([64, 1, 2, 2], (&Device::flex(), DType::F64)),
    );
    let points = between(real, made, Key::root(2)).into_data();
    let values: Vec<f64> = points.iter().collect();
    let alphas: Vec<f64> = values.chunks(4).map(|pixels| pixels[0]).collect();
    assert!(values.chunks(4).all(|pixels| pixels.iter().all(|&x| x == pixels[0])), "one for all pixels");
    let mean = alphas.iter().sum::<f64>() / 64.0;
    assert!((mean - 0.5).abs() < 0.15 && alphas.iter().all(|x| (0.0..1.0).contains(x)));
    let mut sorted = alphas.clone();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup();
    assert_eq!(sorted.len(), 64, "one for each sample");
}

/// Values and gradients that PyTorch gets by differentiating twice (`fixtures/critics/generate.py`).
#[derive(serde::Deserialize)]
struct Peer {
    weights: BTreeMap<String, Vec<f64>>,
    shape: [usize; 4],
    real: Vec<f64>,
    made: Vec<f64>,
    between: Vec<f64>,
    losses: BTreeMap<String, PeerLoss>,
}

#[derive(serde::Deserialize)]
struct PeerLoss {
    value: f64,
    gradients: BTreeMap<String, Vec<f64>>,
    samples: Option<Vec<f64>>,
}

fn peer_critic(name: &str, weights: &BTreeMap<String, Vec<f64>>) -> Critic {
    let leaky = || CriticActivation::LeakyRelu { slope: 0.2 };
    let residual = |pool| NetworkConfig::residual(3, 2, CriticActivation::Relu, pool);
    let (network, shape) = match name {
        "mlp" => (mlp(leaky()), POINT),
        "softplus" => (mlp(CriticActivation::Softplus), POINT),
        "tanh" => (mlp(CriticActivation::Tanh), POINT),
        "convolution" => (NetworkConfig::convolution(3, 1, leaky()), IMAGE),
        "residual" => (residual(PoolConfig::Average), IMAGE),
        "residual_max" => (residual(PoolConfig::Max), IMAGE),
        other => panic!("no critic {other}"),
    };
    let critic = critic(&network, &any_model(), shape, 0);
    assert_eq!(parameter_values(&critic).keys().collect::<Vec<_>>(), weights.keys().collect::<Vec<_>>());
    let tensor = |(path, values): (&String, &Vec<f64>)| (path.clone(), flat(values));
    with_parameters(critic, weights.iter().map(tensor).collect())
}

fn flat(values: &[f64]) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), (&Device::flex(), DType::F64))
}

#[test]
fn differentiating_twice_gives_the_same() {
    let peers: BTreeMap<String, Peer> =
        serde_json::from_str(include_str!("fixtures/critics/critics.json")).expect("the fixture");
    for (name, peer) in &peers {
        let critic = peer_critic(name, &peer.weights);
        let samples = |values: &[f64]| flat(values).reshape(peer.shape);
        for (key, expected) in &peer.losses {
            let what = format!("{name}, {key}");
            let (value, gradients, by_sample) = ours(&critic, key, peer, &samples);
            assert!((value / expected.value - 1.0).abs() < 1e-12, "{what}: {value}, {}", expected.value);
            let tensors = expected.gradients.iter().map(|(path, values)| (path.clone(), flat(values)));
            assert_same(&what, &gradients, &tensors.collect(), 1e-12);
            if let Some(expected) = &expected.samples {
                let found = BTreeMap::from([("made".to_owned(), by_sample.expect("a generator's step"))]);
                let expected = BTreeMap::from([("made".to_owned(), flat(expected))]);
                assert_same(&what, &found, &expected, 1e-12);
            }
        }
    }
}

/// The loss `key` of the fixture with its gradients, and of normalised critics that of a generator by its samples.
fn ours(
    critic: &Critic,
    key: &str,
    peer: &Peer,
    samples: &dyn Fn(&[f64]) -> Tensor<4>,
) -> (f64, BTreeMap<String, Tensor<1>>, Option<Tensor<1>>) {
    let normalised = match key {
        "plain" => Some(ConstraintConfig::Plain),
        "gradient_normalisation" => Some(ConstraintConfig::GradientNormalisation),
        "gran" => Some(ConstraintConfig::Gran { epsilon: 0.1, scale: 1.0 }),
        _ => None,
    };
    if let Some(constraint) = normalised {
        let loss = AdversarialLoss::NonSaturating;
        let rules = Rules { loss, constraint: &constraint, consistency: 0.0, form: Form::Fastest };
        let (real, made) = (samples(&peer.real), samples(&peer.made));
        let step = rules.critic(critic, Samples { real, made: made.clone(), changed: None }, Key::root(1));
        return (step.loss, step.gradients, Some(rules.generator(critic, made).samples.flatten(0, 3)));
    }
    let penalty = match key {
        "gradient_penalty" => ConstraintConfig::GradientPenalty { weight: 10.0, one_sided: false },
        "one_sided" => ConstraintConfig::GradientPenalty { weight: 10.0, one_sided: true },
        "divergence" => {
            ConstraintConfig::Divergence { weight: 2.0, power: 6.0, points: DivergencePoints::Between }
        }
        "r1" => ConstraintConfig::R1 { weight: 10.0 },
        other => panic!("no loss {other}"),
    };
    let penalty = penalty.penalty().expect("a penalty");
    let evaluation = Evaluation::new(critic, samples(&peer.between), Form::Fastest);
    let scored: Vec<_> = evaluation.norms.iter().map(|&norm| penalty.at(norm)).collect();
    let share = 1.0 / scored.len() as f64;
    let value = share * scored.iter().map(|scored| scored.value).sum::<f64>();
    let c: Vec<f64> = scored.iter().map(|scored| share * scored.slope).collect();
    let directions = evaluation.directions();
    (value, evaluation.parameter_gradients(&vec![0.0; c.len()], &c, directions), None)
}
