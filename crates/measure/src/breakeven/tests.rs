//! Options, and the report as a whole.

use mixlab_train::Silent;

use super::*;

fn small() -> BreakevenOptions {
    BreakevenOptions { width: 16, heads: 2, lengths: vec![16, 8, 16], ..BreakevenOptions::default() }
}

fn without_measuring() -> BreakevenOptions {
    BreakevenOptions { measure: None, ..BreakevenOptions::default() }
}

fn report(options: &BreakevenOptions) -> BreakevenReport {
    measure_breakeven(options, &mut Silent).expect("valid options")
}

#[track_caller]
fn refused(options: BreakevenOptions, words: &[&str]) {
    use mixlab_core::{Diagnose, ExitKind};
    let error = measure_breakeven(&options, &mut Silent).expect_err("options to refuse");
    assert!(error.hint().is_some(), "{error}");
    assert_eq!(error.exit(), ExitKind::Usage);
    for word in words {
        assert!(error.to_string().contains(word), "expected {word:?} in: {error}");
    }
}

#[test]
fn the_base_size_without_measuring() {
    let report = report(&without_measuring());
    let names: Vec<&str> = MixerConfig::catalogue().iter().map(MixerConfig::name).collect();
    let reported: Vec<&str> = report.mixers.iter().map(|mixer| mixer.mixer).collect();
    assert_eq!(reported, names);
    let of = |name: &str| report.mixers.iter().find(|mixer| mixer.mixer == name).expect("a mixer");
    let linear = of("linear_attention");
    assert_eq!(linear.formula, Some(Crossing::Above { length: 64 }));
    assert_eq!(linear.counted, linear.formula);
    assert_eq!((linear.layers, linear.channel_mixer), (1, true));
    assert_eq!((of("gau").layers, of("gau").channel_mixer), (2, false));
    assert_eq!(of("gau").counted, Some(Crossing::Never));
    assert_eq!(of("softmax_attention").counted, None, "it is what the others are compared with");
    assert!(report.mixers.iter().all(|mixer| mixer.time.is_none() && mixer.memory.is_none()));
    assert_eq!(of("softmax_attention").points[0].multiply_adds, 12.0 * 768.0 * 768.0 + 2.0 * 768.0 * 128.0);
}

#[test]
fn a_measured_report_is_complete() {
    let measure = MeasureOptions { rounds: 1, ..MeasureOptions::default() };
    for causal in [false, true] {
        let report = report(&BreakevenOptions { causal, measure: Some(measure), ..small() });
        assert_eq!(report.lengths, [8, 16]);
        assert!(report.mixers[0].points.iter().all(|point| point.measured.is_some()));
        for mixer in &report.mixers[1..] {
            assert!(mixer.unavailable.is_some() || mixer.time.is_some(), "{mixer:?}");
            for point in &mixer.points {
                let Some(measured) = point.measured else {
                    assert!(point.unavailable.is_some(), "{}: neither measured nor a reason", mixer.mixer);
                    continue;
                };
                assert_eq!(measured.tokens, 16);
                assert!(measured.microseconds > 0.0 && measured.lowest_ratio <= measured.highest_ratio);
            }
        }
    }
}

#[test]
fn batches_have_as_many_tokens_as_rows_allow() {
    let measure = MeasureOptions { rounds: 1, batch_tokens: Some(40), ..MeasureOptions::default() };
    let options =
        BreakevenOptions { mixers: vec!["linear_attention".to_owned()], measure: Some(measure), ..small() };
    let report = report(&options);
    assert_eq!(report.mixers.len(), 2, "softmax attention is always there");
    let tokens: Vec<usize> =
        report.mixers[1].points.iter().filter_map(|point| Some(point.measured?.tokens)).collect();
    assert_eq!(tokens, [40, 32]);
}

#[test]
fn mixers_that_cannot_be_compared_are_listed_with_the_reason() {
    let softmax = MixerConfig::catalogue().remove(0);
    let candidates = [
        Candidate { name: "softmax_attention", config: softmax.clone(), unavailable: None },
        Candidate { name: "odd", config: softmax, unavailable: Some("a reason".to_owned()) },
    ];
    let reports = counted(&candidates, LayerShape { heads: 2, head_width: 8 }, true, &[8]);
    assert_eq!(reports[1].unavailable.as_deref(), Some("a reason"));
    assert_eq!((reports[1].formula, reports[1].counted), (None, None));
    assert!(reports[1].points.is_empty());
}

#[test]
fn heads_reach_the_mixers_that_have_them() {
    for mixer in MixerConfig::catalogue() {
        let changed = with_heads(&mixer, 7).expect("a mixer");
        let heads = serde_json::to_value(&changed).unwrap().get("heads").cloned();
        assert!(heads.is_none_or(|heads| heads == 7));
        assert_eq!(changed.name(), mixer.name());
    }
    assert!(
        matches!(with_heads(&MixerConfig::catalogue()[0], 7), Ok(MixerConfig::SoftmaxAttention(c)) if c.heads == 7)
    );
}

#[test]
fn options_out_of_range_are_refused() {
    let measured = MeasureOptions::default();
    refused(BreakevenOptions { heads: 5, ..small() }, &["`--heads` = 5", "`--width` = 16"]);
    refused(BreakevenOptions { heads: 0, ..small() }, &["`--heads` = 0"]);
    refused(BreakevenOptions { heads: 16, ..small() }, &["softmax attention cannot be built"]);
    refused(BreakevenOptions { width: 0, ..small() }, &["`--width` is 0"]);
    refused(BreakevenOptions { width: 8192, heads: 64, ..small() }, &["`--width` is 8192", "--no-time"]);
    refused(BreakevenOptions { width: 1 << 17, ..without_measuring() }, &["1 to 65536"]);
    refused(BreakevenOptions { lengths: vec![], ..small() }, &["`--lengths` is empty"]);
    refused(BreakevenOptions { lengths: vec![8, 0], ..small() }, &["`--lengths` is 0"]);
    refused(BreakevenOptions { lengths: vec![8, LONGEST + 1], ..small() }, &["1048577", "1 to 1048576"]);
    refused(
        BreakevenOptions { lengths: vec![LONGEST], width: 768, heads: 12, ..small() },
        &["at most 87381"],
    );
    for (batch_tokens, rounds, word) in [(Some(15), 1, "--batch-tokens"), (None, 0, "--rounds")] {
        let measure = Some(MeasureOptions { rounds, batch_tokens, ..measured });
        refused(BreakevenOptions { measure, ..small() }, &[word]);
    }
    let mixers = vec!["gau".to_owned(), "gua".to_owned()];
    refused(BreakevenOptions { mixers, ..small() }, &["no mixer `gua`", "did you mean `gau`?"]);
}

#[test]
fn sizes_beyond_this_machine_can_be_counted() {
    let options =
        BreakevenOptions { width: 12_288, heads: 96, lengths: vec![LONGEST], ..without_measuring() };
    assert_eq!(report(&options).crossovers[1].both, Crossing::Above { length: 73_728 });
}
