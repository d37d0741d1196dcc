//! Gradients against central differences, along one random direction of each parameter and of the input.

use super::*;
use crate::parameter_gradients;

const STEP: f64 = 1e-5;
const N: usize = 6;

/// Σ output ⊙ cotangent.
fn score(mixer: &Mixer, x: &Tensor<3>, causal: bool, mask: &Mask) -> Tensor<1> {
    let y = forward(mixer, x, causal, mask.clone());
    let cotangent =
        Tensor::from_data(draw(Key::root(7), y.dims(), Precision::F64).into_data(), (&y.device(), y.dtype()));
    (y * cotangent).sum()
}

fn value(mixer: &Mixer, x: &Tensor<3>, causal: bool, mask: &Mask) -> f64 {
    numbers(&score(mixer, x, causal, mask))[0]
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Compares every directional derivative of a mixer whose parameters are `values`.
fn check(config: &MixerConfig, values: &BTreeMap<String, Tensor<1>>, causal: bool, mask: &Mask) {
    let device = Device::flex().autodiff();
    let tracked = |values: &BTreeMap<String, Tensor<1>>| {
        let mixer = build_on(config, N, &device, Precision::F64);
        with_parameters(mixer, values.clone())
    };
    let x = input(2, N);
    let leaf = Tensor::<3>::from_inner(x.clone()).require_grad();
    let mixer = tracked(values);
    let mut gradients = score(&mixer, &leaf, causal, mask).backward();
    let of_input = numbers(&leaf.grad(&gradients).expect("the input takes part"));
    let of_parameters = parameter_gradients(&mixer, &mut gradients);
    let plain = |values: &BTreeMap<String, Tensor<1>>| with_parameters(build_for(config, N), values.clone());

    let agree = |what: &str, found: f64, ahead: f64, behind: f64| {
        let expected = (ahead - behind) / (2.0 * STEP);
        let close = (found - expected).abs() < 1e-7 * (1.0 + expected.abs() + ahead.abs());
        assert!(close, "{what}, causal {causal}: {found} instead of {expected}; {config:?}");
    };
    for (path, value_of) in values.iter().filter(|(path, _)| !is_fixed(config, path)) {
        let direction = draw(Key::root(31).site(path), value_of.dims(), Precision::F64);
        let moved = |by: f64| {
            let mut values = values.clone();
            values.insert(path.clone(), value_of.clone() + direction.clone().mul_scalar(by));
            value(&plain(&values), &x, causal, mask)
        };
        // What takes no part, such as the linear maps of a sequence of one chunk, has no gradient.
        let gradient = of_parameters.get(path).map_or_else(|| vec![0.0; value_of.dims()[0]], numbers);
        agree(path, product(&gradient, &numbers(&direction)), moved(STEP), moved(-STEP));
    }
    let direction = draw(Key::root(32), x.dims(), Precision::F64);
    let moved =
        |by: f64| value(&plain(values), &(x.clone() + direction.clone().mul_scalar(by)), causal, mask);
    agree("input", product(&of_input, &numbers(&direction)), moved(STEP), moved(-STEP));
}

#[test]
fn gradients_equal_central_differences() {
    let mask =
        padding(&[[true, true, false, true, true, true], [true, true, true, true, false, false]].concat());
    for config in registered() {
        let values = parameter_values(&build_for(&config, N));
        if config.check_direction(true).is_ok() {
            check(&config, &values, true, &Mask::default());
        }
        check(&config, &values, false, &mask);
    }
}

/// What is drawn once and never trained must have no gradient at all.
fn is_fixed(config: &MixerConfig, path: &str) -> bool {
    match config {
        MixerConfig::Fnet(FnetConfig { mixing: FnetMixing::Random { .. } }) => true,
        MixerConfig::Synthesizer(SynthesizerConfig {
            scores: SynthesizerScores::Random { learned: false },
            ..
        }) => path == "scores.table",
        _ => false,
    }
}

#[test]
fn fixed_random_weights_have_no_gradient() {
    let device = Device::flex().autodiff();
    let fixed = registered()
        .into_iter()
        .filter(|config| parameter_values(&build_for(config, N)).keys().any(|path| is_fixed(config, path)));
    let mut seen = 0;
    for config in fixed {
        let mixer = build_on(&config, N, &device, Precision::F64);
        let leaf = Tensor::<3>::from_inner(input(2, N)).require_grad();
        let mut gradients = score(&mixer, &leaf, false, &Mask::default()).backward();
        let gradients = parameter_gradients(&mixer, &mut gradients);
        assert!(gradients.keys().all(|path| !is_fixed(&config, path)), "{config:?}");
        seen += 1;
    }
    assert_eq!(seen, 4);
}

/// Every score exactly 0, where relu² has a kink in its slope: the derivative is 0 from both sides. The
/// normalised sum is left out: it has no limit there, and only stays finite.
#[test]
fn gradients_where_every_score_is_zero() {
    for normaliser in normalisers().filter(|normaliser| normaliser.name() != "relu2_sum") {
        let config = MixerConfig::Gau(gau(normaliser));
        check(&config, &without_scores(&config), true, &Mask::default());
    }
    let config = MixerConfig::Flash(flash());
    check(&config, &without_scores(&config), true, &Mask::default());

    let config = MixerConfig::Gau(gau(NormaliserConfig::Relu2Sum));
    let device = Device::flex().autodiff();
    let mixer = with_parameters(build_on(&config, N, &device, Precision::F64), without_scores(&config));
    let leaf = Tensor::<3>::from_inner(input(2, N)).require_grad();
    let loss = score(&mixer, &leaf, true, &Mask::default());
    let mut gradients = loss.backward();
    for (path, gradient) in parameter_gradients(&mixer, &mut gradients) {
        assert!(numbers(&gradient).iter().all(|v| v.is_finite()), "{path}");
    }
}

fn without_scores(config: &MixerConfig) -> BTreeMap<String, Tensor<1>> {
    let mut values = parameter_values(&build_for(config, N));
    for path in ["unit.gamma", "unit.beta"] {
        let zeros = values[path].zeros_like();
        values.insert(path.to_owned(), zeros);
    }
    values
}
