//! What is sound holds, and everything that is owed is executed.

use burn::tensor::Device;
use mixlab_core::Precision;
use mixlab_measure::audit::{AuditReport, Check, LENGTHS, Outcome, Reads, Subject, audit, audit_mixers};
use mixlab_nn::embed::{ImageShape, PatchConfig};
use mixlab_nn::head::{Pooling, ReadoutConfig};
use mixlab_nn::mixer::MixerConfig;
use mixlab_nn::position::PositionConfig;
use mixlab_nn::residual::ResidualConfig;
use mixlab_nn::{ClassifierInput, HybridConfig, HybridLayout, ModelConfig};

use crate::spoiled::attention;

#[track_caller]
fn holds(report: &AuditReport) {
    assert!(
        report.holds(),
        "{}",
        report.first_violation.as_ref().map(ToString::to_string).unwrap_or_default()
    );
    for layer in &report.layers {
        for checked in &layer.checks {
            let executed = match checked.outcome {
                Outcome::Held { experiments } => experiments > 0,
                Outcome::NotPromised => true,
                Outcome::NotRun | Outcome::Violated { .. } => false,
            };
            assert!(executed, "{}: {checked:?}", layer.layer);
        }
    }
}

fn subject(config: &ModelConfig, reads: Reads, causal: bool) -> Subject<mixlab_measure::audit::Stack> {
    Subject::of_model(config, reads, causal, 5, &Device::flex(), Precision::F32).expect("a sound config")
}

#[test]
fn every_mixer_of_the_catalogue_keeps_what_it_promises() {
    let audits = audit_mixers(&[1, 2, 7, 33, 64], &mut |_| {}).expect("models");
    for audit in &audits {
        holds(&audit.report);
        let mixer =
            MixerConfig::catalogue().into_iter().find(|mixer| mixer.name() == audit.mixer).expect("a mixer");
        let promises = mixer.promises(audit.report.direction == "causal");
        for layer in &audit.report.layers {
            for check in Check::ALL {
                let promised = *layer.outcome(check) != Outcome::NotPromised;
                assert_eq!(promised, check.is_owed(&promises), "{} {check:?}", audit.mixer);
            }
        }
    }
    let directions = MixerConfig::catalogue()
        .into_iter()
        .map(|mixer| 1 + usize::from(mixer.check_direction(true).is_ok()));
    assert_eq!(audits.len(), directions.sum::<usize>());
}

#[test]
fn every_residual_scheme_keeps_the_promises_of_its_mixer() {
    let text = Reads::Text { vocabulary: 30 };
    for residual in [ResidualConfig::PostNorm, ResidualConfig::LayerScale { initial: None }] {
        let config =
            ModelConfig { residual, position: PositionConfig::Learned { deviation: 0.1 }, ..attention() };
        for causal in [true, false] {
            let report = audit(&subject(&config, text, causal), &[1, 2, 33, 64, 65], &mut |_| {});
            holds(&report);
            assert_eq!((report.refused.as_slice(), report.direction == "causal"), (&[65][..], causal));
        }
    }
}

#[test]
fn layers_of_a_hybrid_are_audited_by_their_own_promises() {
    let [flash, fnet] = [3, 8].map(|index| Box::new(MixerConfig::catalogue().remove(index)));
    let hybrid = HybridConfig { mixer: flash, layers: 1, layout: HybridLayout::Top };
    let config = ModelConfig { mixer: *fnet, hybrid: Some(hybrid), ..attention() };
    let report = audit(&subject(&config, Reads::Text { vocabulary: 30 }, false), &[1, 2, 7], &mut |_| {});
    holds(&report);
    let names: Vec<&str> = report.layers.iter().map(|layer| layer.layer.as_str()).collect();
    assert_eq!(names, ["block 0 (fnet)", "block 1 (fnet)", "block 2 (flash)"]);
}

#[test]
fn classifiers_are_fed_images_or_tokens() {
    let image = ImageShape { height: 12, width: 8, channels: 3 };
    let mlp_mixer = MixerConfig::catalogue().remove(4);
    for (mixer, pooling, lengths) in [
        (attention().mixer, Pooling::ClassToken, &[1, 2, 25, 40][..]),
        (mlp_mixer, Pooling::Mean, &[24, 7][..]),
    ] {
        let readout = ReadoutConfig { pooling, ..ReadoutConfig::default() };
        let config = ModelConfig { mixer, readout, patch: PatchConfig { size: 2 }, ..attention() };
        let reads = Reads::Classified { input: ClassifierInput::Images(image), classes: 3 };
        let report = audit(&subject(&config, reads, false), lengths, &mut |_| {});
        holds(&report);
        assert_eq!(report.refused, if pooling == Pooling::Mean { vec![7] } else { vec![] });
    }
    let input = ClassifierInput::Tokens { vocabulary: 9 };
    let subject = subject(&attention(), Reads::Classified { input, classes: 2 }, false);
    holds(&audit(&subject, &[1, 2, 7], &mut |_| {}));
}

/// A check that no length admits is said not to have run; an audit comes out the same every time.
#[test]
fn an_audit_says_what_it_did() {
    let subject = subject(&attention(), Reads::Text { vocabulary: 30 }, true);
    let report = audit(&subject, &[1], &mut |_| {});
    assert!(report.holds());
    assert_eq!(*report.layers[0].outcome(Check::Causal), Outcome::NotRun);
    assert_eq!(*report.layers[0].outcome(Check::PermutationEquivariant), Outcome::NotPromised);
    assert!(matches!(report.layers[0].outcome(Check::Streaming), Outcome::Held { experiments: 1 }));
    let mut seen = Vec::new();
    let twice = [0, 1]
        .map(|_| audit(&subject, &LENGTHS[..4], &mut |progress| seen.push((progress.done, progress.of))));
    assert_eq!(twice[0], twice[1]);
    assert_eq!(seen[..12], (1..=12).map(|done| (done, 12)).collect::<Vec<_>>());
}
