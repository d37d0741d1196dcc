//! The table of the specification, the promise of the exact form, and the report as a whole.

use mixlab_core::{Diagnose, ExitKind};
use mixlab_train::Silent;

use super::*;

fn report(options: &NceOptions) -> NceReport {
    measure_nce(options, &mut Silent).expect("valid options")
}

fn small() -> NceOptions {
    NceOptions { batches: vec![8, 16], gaps: vec![0.5], draws: 3, ..NceOptions::default() }
}

/// A row of the table: batch, temperature and gap; ξ; in f32 the errors of naive InfoNCE by the positive, by the negatives
/// and of its loss; that by the positive in bf16; those by the positive and by the negatives in f16; those of FlatNCE's
/// gradient in f32, bf16 and f16.
type Row = ([f64; 3], [f64; 10]);

/// Measured in another program, with the softmax and the sums of its library.
const TABLE: [Row; 8] = [
    ([64.0, 0.1, 0.6], [1.8e-1, 7e-7, 2e-7, 9e-7, 1e-2, 1.5e-3, 1e-3, 1e-8, 5e-4, 6e-5]),
    ([64.0, 0.1, 0.8], [2.1e-2, 6e-6, 2e-7, 1e-5, 7e-2, 1e-2, 1e-3, 1e-8, 4e-4, 6e-5]),
    ([64.0, 0.1, 1.0], [2.8e-3, 5e-5, 4e-7, 9e-5, 1.0, 9e-2, 2e-3, 1e-8, 4e-4, 7e-5]),
    ([64.0, 0.05, 0.6], [7.8e-4, 3e-4, 4e-7, 4e-4, 1.0, 0.55, 2e-3, 1e-8, 6e-4, 8e-5]),
    ([64.0, 0.05, 0.8], [1.2e-5, 2e-2, 4e-7, 5e-2, 1.0, 1.0, 6e-2, 1e-8, 6e-4, 8e-5]),
    ([64.0, 0.05, 1.0], [2.0e-7, 0.39, 5e-7, 1.0, 1.0, 1.0, 0.96, 1e-8, 6e-4, 8e-5]),
    ([512.0, 0.05, 0.8], [8.8e-5, 2e-3, 4e-7, 6e-3, 1.0, 1.0, 6e-2, 6e-9, 3e-4, 3e-5]),
    ([4096.0, 0.05, 0.8], [7.6e-4, 1e-4, 3e-7, 6e-4, 1.0, 0.30, 6e-2, 2e-9, 1e-4, 1e-5]),
];

#[test]
fn step_by_step_the_published_table_comes_out() {
    let report = report(&NceOptions::default());
    for ([batch, temperature, gap], expected) in TABLE {
        let same = |case: &&CaseReport| {
            case.batch as f64 == batch && case.temperature == temperature && case.gap == gap
        };
        let case = report.cases.iter().find(same).expect("a case of the defaults");
        let [single, bfloat16, half] = [0, 1, 2].map(|format| case.formats[format].stepwise);
        let found = [
            case.xi,
            single.naive.positive,
            single.naive.negatives,
            single.naive.loss,
            bfloat16.naive.positive,
            half.naive.positive,
            half.naive.negatives,
            single.flat_nce.lost,
            bfloat16.flat_nce.lost,
            half.flat_nce.lost,
        ];
        for (column, (found, expected)) in found.into_iter().zip(expected).enumerate() {
            assert!(
                (expected / 3.0..=3.0 * expected).contains(&found),
                "K = {batch}, τ = {temperature}, gap {gap}, column {column}: {found:.1e}, expected {expected:.1e}"
            );
        }
    }
}

/// |found − expected| in units of the last place of single precision.
fn ulps(found: f64, expected: f64) -> f64 {
    let last_place = 2f64.powi(expected.abs().log2().floor() as i32 - 23);
    (found - expected).abs() / last_place
}

/// Where the naive form is off by thousands of units, the exact one keeps both of the quantities that cancel.
#[test]
fn the_exact_form_is_within_four_units_of_the_last_place() {
    let worst = |loss: RowLoss| {
        let (mut positive, mut value) = (0.0f64, 0.0f64);
        for ([batch, temperature, gap], _) in TABLE {
            for draw in 0..20 {
                let scores = scores(0, draw, batch as usize, temperature, gap);
                let scores: Vec<f64> = scores.into_iter().map(|s| Format::Single.round(s)).collect();
                let [found, exact] = [by_kernel(&scores, loss, Format::Single), in_double(&scores, loss)];
                positive = positive.max(ulps(found.by_scores[0], exact.by_scores[0]));
                value = value.max(ulps(found.loss, exact.loss));
            }
        }
        [positive, value]
    };
    let exact = worst(RowLoss::InfoNce);
    assert!(exact.iter().all(|&ulps| ulps <= 4.0), "{exact:?}");
    let naive = worst(RowLoss::NaiveInfoNce);
    assert!(naive.iter().all(|&ulps| ulps > 1000.0), "{naive:?}");
}

#[test]
fn the_seed_decides_every_number() {
    let first = report(&small());
    assert_eq!(report(&small()), first);
    assert_ne!(report(&NceOptions { seed: 1, ..small() }).cases, first.cases);
    assert_eq!(first.cases.len(), 4);
}

/// The verdict is judged from the numbers: an easy task loses nothing, a positive far ahead leaves FlatNCE alone in f16.
#[test]
fn the_verdict_follows_the_numbers() {
    let of = |temperature: f64, gap: f64| {
        let options =
            NceOptions { batches: vec![64], temperatures: vec![temperature], gaps: vec![gap], ..small() };
        report(&options).verdict
    };
    let easy = of(1.0, 0.0);
    assert!(easy.contains("in f16 by naive InfoNCE, exact InfoNCE and FlatNCE."), "{easy}");
    let hard = of(0.05, 1.0);
    assert!(hard.contains("in bf16 by exact InfoNCE and FlatNCE, in f16 by FlatNCE."), "{hard}");
}

/// A positive far behind, and one so far ahead that f16 has no number for any share.
#[test]
fn extreme_cases_give_numbers() {
    let options = NceOptions {
        batches: vec![2, 300],
        temperatures: vec![0.01, 100.0],
        gaps: vec![-1.0, 1.0],
        draws: 2,
        seed: 5,
    };
    for case in report(&options).cases {
        assert!(case.xi > 0.0 && case.xi.is_finite(), "{case:?}");
        for format in &case.formats {
            for losses in [format.stepwise, format.kernel] {
                for Errors { positive, negatives, loss, lost } in Losses::ALL.map(|loss| *losses.of(loss)) {
                    assert!([positive, negatives, loss, lost].iter().all(|x| x.is_finite()), "{case:?}");
                }
            }
        }
    }
}

#[test]
fn the_picture_has_a_panel_for_every_format() {
    let picture = chart(&report(&small())).expect("a picture");
    for part in ["f32", "bf16", "f16", "1/ξ", "naive, step by step", "FlatNCE"] {
        assert!(picture.contains(part), "{part}");
    }
}

#[test]
fn options_out_of_range_are_refused() {
    let refused = |options: NceOptions, words: &[&str]| {
        let error = measure_nce(&options, &mut Silent).expect_err("options to refuse");
        assert!(error.hint().is_some(), "{error}");
        assert_eq!(error.exit(), ExitKind::Usage);
        for word in words {
            assert!(error.to_string().contains(word), "expected {word:?} in: {error}");
        }
    };
    refused(NceOptions { batches: vec![8, 1], ..small() }, &["`--batch` is 1", "2 to 65536"]);
    refused(NceOptions { batches: vec![], ..small() }, &["`--batch` is empty"]);
    refused(NceOptions { draws: 0, ..small() }, &["`--draws` is 0"]);
    for temperature in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        let words = [format!("`--temperature` is {temperature}"), "0.01 to 100".to_owned()];
        let words = words.each_ref().map(String::as_str);
        refused(NceOptions { temperatures: vec![0.1, temperature], ..small() }, &words);
    }
    for gap in [1.1, f64::NAN, f64::NEG_INFINITY] {
        refused(NceOptions { gaps: vec![gap], ..small() }, &[&format!("`--gap` is {gap}"), "-1 to 1"]);
    }
}
