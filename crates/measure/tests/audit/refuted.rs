//! Every broken layer is refuted, in its block and at its position, and nothing else is.

use std::collections::BTreeSet;

use mixlab_measure::audit::{AuditReport, Audited, Check, LENGTHS, Outcome, Subject, Violation, audit};

use crate::broken::{self, RUNNING_MEAN};
use crate::spoiled::{Layer, Spoiled};

/// Audits a stack with one broken layer. `broken` must be exactly what does not hold there; the other blocks are sound.
#[track_caller]
fn refuted(at: usize, layer: Layer, causal: bool, broken: &[Check]) -> AuditReport {
    let subject = Spoiled::subject(at, layer, causal);
    let report = audit(&subject, &LENGTHS, &mut |_| {});
    for layer in &report.layers {
        let violated: BTreeSet<Check> =
            violations(&report).filter(|v| v.block == layer.block).map(|v| v.check).collect();
        let expected = if layer.block == at { broken.iter().copied().collect() } else { BTreeSet::new() };
        assert_eq!(violated, expected, "{}: {report:#?}", layer.layer);
    }
    assert_eq!(report.holds(), broken.is_empty());
    assert_eq!(subject.exact.layers(), 3);
    report
}

fn violations(report: &AuditReport) -> impl Iterator<Item = &Violation> {
    report.layers.iter().flat_map(|layer| &layer.checks).filter_map(|checked| match &checked.outcome {
        Outcome::Violated { violation } => Some(violation),
        _ => None,
    })
}

/// Asserts where the first violation is, and that the difference is a number above the tolerance.
#[track_caller]
fn first(report: &AuditReport, block: usize, length: usize, place: (usize, usize), words: &str) {
    let violation = report.first_violation.as_ref().expect("a violation");
    assert_eq!((violation.block, violation.length), (block, length), "{violation}");
    assert_eq!((violation.sample, violation.position), (Some(place.0), Some(place.1)), "{violation}");
    assert!(violation.difference.is_some_and(|difference| difference > 1e-10), "{violation}");
    let text = violation.to_string();
    assert!(text.starts_with(&format!("block {block} (broken) breaks `")) && text.contains(words), "{text}");
}

#[test]
fn scores_divided_by_the_present_length() {
    let broken = [Check::Streaming, Check::PrefixConsistent];
    let report = refuted(1, broken::DIVIDED_BY_LENGTH, true, &broken);
    first(&report, 1, 2, (0, 0), "single steps are not the full pass");
    let prefix = violations(&report).find(|v| v.check == Check::PrefixConsistent).expect("both");
    assert_eq!((prefix.length, prefix.position), (2, Some(0)));
    assert!(prefix.what.contains("ends after 1 of its 2 tokens"), "{prefix}");
}

#[test]
fn a_mask_after_the_softmax() {
    let report = refuted(2, broken::MASKED_AFTER_SOFTMAX, false, &[Check::PaddingSafe]);
    first(&report, 2, 2, (0, 0), "breaks `padding-safe`");
}

#[test]
fn a_fourier_transform_declared_causal() {
    let report = refuted(1, broken::CAUSAL_FNET, true, &[Check::Causal]);
    first(&report, 1, 2, (0, 0), "moves when token 1 is replaced");
}

#[test]
fn padding_in_a_denominator() {
    let report = refuted(1, broken::PADDING_IN_DENOMINATOR, false, &[Check::PaddingSafe]);
    first(&report, 1, 2, (0, 0), "breaks `padding-safe`");
}

#[test]
fn a_bias_counted_from_the_present_length() {
    let broken = [Check::Streaming, Check::PrefixConsistent];
    let report = refuted(2, broken::BIAS_COUNTED_FROM_LENGTH, true, &broken);
    first(&report, 2, 2, (0, 0), "`streaming`");
}

#[test]
fn padding_that_leaks_through_a_mean() {
    let report = refuted(2, broken::MEAN_OF_ALL, false, &[Check::PaddingSafe]);
    first(&report, 2, 2, (0, 0), "breaks `padding-safe`");
}

/// The seventeenth token is the first one that misses another.
#[test]
fn a_state_that_forgets() {
    let report = refuted(1, broken::FORGETFUL, true, &[Check::Streaming]);
    first(&report, 1, 33, (0, 17), "single steps are not the full pass");
}

/// The gradient is no number either, in whatever way it is computed.
#[test]
fn nothing_over_nothing() {
    let broken = [Check::PaddingSafe, Check::FastEqualsPlain];
    let report = refuted(1, broken::NOTHING_OVER_NOTHING, true, &broken);
    let violation = report.first_violation.expect("a violation");
    assert_eq!((violation.sample, violation.position, violation.difference), (Some(0), Some(0), None));
    assert!(violation.check == Check::PaddingSafe && violation.what.contains("no number"), "{violation}");
}

#[test]
fn a_layer_that_panics_is_passed_over() {
    let report = refuted(1, broken::PANICKING, true, &[Check::AnyLength, Check::FiniteOrRefused]);
    let violation = report.first_violation.as_ref().expect("a violation");
    assert_eq!((violation.block, violation.length), (1, 16));
    assert!(violation.what.contains("panics: 16 tokens are too many for me"), "{violation}");
    let held = |block: usize| match report.layers[block].outcome(Check::Causal) {
        Outcome::Held { experiments } => *experiments,
        other => panic!("{other:?}"),
    };
    assert!(held(2) > held(1), "the block behind it is audited at every length");
}

#[test]
fn a_kernel_with_a_wrong_gradient() {
    let report = refuted(2, broken::WRONG_GRADIENT, true, &[Check::FastEqualsPlain]);
    let violation = report.first_violation.expect("a violation");
    assert_eq!((violation.block, violation.length), (2, 1));
    assert!(violation.what.contains("gradients of the input"), "{violation}");
    assert!(violation.difference.is_some_and(|difference| (1e-7..2e-6).contains(&difference)), "{violation}");
}

/// In single precision a millionth is rounding; a thousandth is not.
#[test]
fn a_kernel_that_is_wrong_in_single_precision_only() {
    let audited = |gradient: f64| {
        let subject = Spoiled::subject(2, RUNNING_MEAN, true);
        let own = subject.exact.in_single_precision(Layer { gradient, ..RUNNING_MEAN });
        audit(&Subject { own: Some(own), ..subject }, &LENGTHS, &mut |_| {})
    };
    assert!(audited(1.0 + 1e-6).holds());
    let violation = audited(1.0 + 1e-3).first_violation.expect("a violation");
    assert_eq!((violation.block, violation.length, violation.check), (2, 1, Check::FastEqualsPlain));
    assert!(
        violation.what.contains("gradients of the input by kernel and by definition part"),
        "{violation}"
    );
    assert!(violation.what.contains("single precision"), "{violation}");
}

#[test]
fn a_length_that_is_not_refused() {
    let report = refuted(1, broken::SHORT, true, &[Check::FiniteOrRefused]);
    let violation = report.first_violation.as_ref().expect("a violation");
    assert_eq!((violation.block, violation.length), (1, 16));
    assert!(violation.what.contains("takes at most 10"), "{violation}");
    assert_eq!((report.lengths.as_slice(), report.refused.as_slice()), (&LENGTHS[..4], &LENGTHS[4..]));
    refuted(1, broken::SHORT_AND_BOASTING, true, &[Check::AnyLength, Check::FiniteOrRefused]);
}

#[test]
fn a_factor_by_position_declared_unordered() {
    let report = refuted(1, broken::ORDERED, false, &[Check::PermutationEquivariant]);
    first(&report, 1, 2, (0, 0), "permuted");
}

#[test]
fn a_mean_across_documents() {
    let report = refuted(1, broken::ACROSS_DOCUMENTS, false, &[Check::Documents]);
    first(&report, 1, 2, (0, 0), "when document 1 of its row is replaced");
}

/// The frame of the broken layers is not what breaks.
#[test]
fn a_sound_layer_in_the_same_place_holds() {
    refuted(1, RUNNING_MEAN, true, &[]);
}
