//! The increment explosion, measured: which rows of the analysis are flat under which optimiser.

use mixlab_core::Diagnose;
use mixlab_measure::depth::{DepthOptions, DepthReport, Scheme, chart, measure_depth};
use mixlab_nn::InitialisationConfig;
use mixlab_nn::ModelConfig;
use mixlab_nn::channel::{ActivationConfig, ChannelConfig};
use mixlab_nn::mixer::{GauConfig, MixerConfig, NormaliserConfig, SoftmaxAttentionConfig};
use mixlab_nn::position::RotaryConfig;
use mixlab_nn::residual::UpdateKind;
use mixlab_train::Silent;

/// Width 32, 4 heads, ReLU, no biases, no positions.
fn model() -> ModelConfig {
    let attention =
        SoftmaxAttentionConfig { rotary: RotaryConfig::none(), ..SoftmaxAttentionConfig::default() };
    let channel = ChannelConfig::Mlp { expansion: 4.0, activation: ActivationConfig::Relu, bias: false };
    ModelConfig {
        width: 32,
        channel: Some(channel),
        initialisation: Some(InitialisationConfig::Xavier { embedding_deviation: 1.0 }),
        ..ModelConfig::new(MixerConfig::SoftmaxAttention(attention))
    }
}

fn schemes(names: &[&str]) -> Vec<Scheme> {
    names.iter().map(|name| name.parse().expect("a scheme")).collect()
}

fn measure(model: &ModelConfig, names: &[&str], depths: &[usize]) -> DepthReport {
    let options = DepthOptions {
        depths: depths.to_vec(),
        schemes: schemes(names),
        steps: 1,
        ..DepthOptions::default()
    };
    measure_depth(model, false, &options, &mut Silent).expect("a report")
}

/// Movements of the first update by depth.
fn movements(report: &DepthReport, scheme: &str, optimizer: UpdateKind, norms_trained: bool) -> Vec<f64> {
    let scheme = report.schemes.iter().find(|s| s.scheme == scheme).expect("the scheme");
    let update = scheme.updates.iter().find(|u| u.optimizer == optimizer && u.norms_trained == norms_trained);
    update.expect("the optimiser").points.iter().map(|point| point.first.expect("a number")).collect()
}

#[test]
fn every_row_is_flat_under_its_own_optimiser_and_no_other_is() {
    let names =
        ["post_norm", "deep_norm", "scaled_post_norm:sgd", "scaled_post_norm:adam", "scaled_post_norm:lamb"];
    let report = measure(&model(), &names, &[6, 12, 96]);
    let moved = |scheme, optimizer| movements(&report, scheme, optimizer, false);
    let growth = |scheme, optimizer| {
        let moved = moved(scheme, optimizer);
        moved[2] / moved[0]
    };
    for (scheme, optimizer) in [
        ("scaled_post_norm:sgd", UpdateKind::Sgd),
        ("deep_norm", UpdateKind::Sgd),
        ("scaled_post_norm:adam", UpdateKind::Adam),
        ("scaled_post_norm:lamb", UpdateKind::Lamb),
    ] {
        let growth = growth(scheme, optimizer);
        assert!((0.5..2.0).contains(&growth), "{scheme} under {optimizer:?}: {growth}");
    }
    assert!(growth("deep_norm", UpdateKind::Adam) > 3.0);
    assert!(growth("scaled_post_norm:sgd", UpdateKind::Adam) > 3.0);
    assert!(growth("scaled_post_norm:adam", UpdateKind::Sgd) < 0.2);
    let (post, deep) = (moved("post_norm", UpdateKind::Sgd), moved("deep_norm", UpdateKind::Sgd));
    assert!(post[1] > 50.0 * deep[1], "{post:?} against {deep:?}");
    // Norms have gradients of one size whatever α and β are: with them the movement grows in every row.
    let trained = movements(&report, "deep_norm", UpdateKind::Sgd, true);
    assert!(trained[2] / trained[0] > 6.0, "{trained:?}");
}

/// The rule for three matrices in a branch: gated attention units are flat too.
#[test]
fn rows_are_flat_for_gated_units() {
    let gau = GauConfig { key_width: 16, ..GauConfig::new(NormaliserConfig::Softmax) };
    let gau = ModelConfig { channel: None, mixer: MixerConfig::Gau(gau), ..model() };
    let report =
        measure(&gau, &["scaled_post_norm:sgd", "scaled_post_norm:adam", "scaled_post_norm:lamb"], &[6, 96]);
    for (scheme, optimizer) in [
        ("scaled_post_norm:sgd", UpdateKind::Sgd),
        ("scaled_post_norm:adam", UpdateKind::Adam),
        ("scaled_post_norm:lamb", UpdateKind::Lamb),
    ] {
        let moved = movements(&report, scheme, optimizer, false);
        let growth = moved[1] / moved[0];
        assert!((0.4..2.5).contains(&growth), "{scheme} under {optimizer:?}: {growth}");
    }
}

#[test]
fn a_report_tells_signal_gradient_and_scale_by_block() {
    let report = measure(&model(), &["pre_norm", "re_zero"], &[2, 6]);
    let profile = &report.schemes[0].profiles[1];
    assert_eq!((profile.depth, profile.signal.len(), profile.gradient.len()), (6, 6, 6));
    // Pre-norm adds up: the stream grows from block to block.
    assert!(profile.signal.windows(2).all(|pair| pair[1] > pair[0]), "{:?}", profile.signal);
    assert!(profile.gradient.iter().all(|&gradient| gradient > 0.0));
    for path in ["mixer.value.weight", "channel.mixer.down.weight"] {
        assert!(profile.scale_gradient[path] > 0.0, "{path}");
    }
    // With a = 0 nothing but a has a gradient, and the stream stays.
    let profile = &report.schemes[1].profiles[1];
    assert!(profile.signal.windows(2).all(|pair| pair[1] == pair[0]), "{:?}", profile.signal);
    assert_eq!(profile.scale_gradient["mixer.value.weight"], 0.0);
    let picture = chart(&report).expect("a picture");
    assert!(picture.contains("<svg") && picture.contains("re_zero"));
}

#[test]
fn scaled_post_norm_learns_at_rates_that_break_post_norm() {
    let options = DepthOptions {
        depths: vec![24],
        schemes: schemes(&["post_norm", "scaled_post_norm:adam"]),
        optimizers: vec![UpdateKind::Adam],
        steps: 1,
        seeds: 1,
        rates: Some(30),
        ..DepthOptions::default()
    };
    let report = measure_depth(&model(), false, &options, &mut Silent).expect("a report");
    let rate = |index: usize| {
        let trained = report.schemes[index].updates.iter().find(|update| update.norms_trained);
        trained.and_then(|update| update.points[0].survives).unwrap_or(0.0)
    };
    assert!(rate(1) >= 8.0 * rate(0) && rate(1) >= 4e-3, "{} against {}", rate(1), rate(0));
}

#[test]
fn options_outside_their_range_are_refused() {
    let refused = |options: DepthOptions| {
        let error = measure_depth(&model(), false, &options, &mut Silent).expect_err("an odd option");
        format!("{error}\n{}", error.hint().unwrap_or_default())
    };
    for (options, part) in [
        (DepthOptions { depths: vec![0], ..DepthOptions::default() }, "`--depths` is 0"),
        (DepthOptions { depths: vec![], ..DepthOptions::default() }, "`--depths` is empty"),
        (DepthOptions { steps: 0, ..DepthOptions::default() }, "`--steps` is 0"),
        (DepthOptions { schemes: vec![], ..DepthOptions::default() }, "`--schemes` is empty"),
    ] {
        let message = refused(options);
        assert!(message.contains(part), "{message}");
    }
}
