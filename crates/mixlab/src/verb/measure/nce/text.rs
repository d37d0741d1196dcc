//! A study of rounding as text.

use mixlab_measure::nce::{CaseReport, Errors, Format, FormatReport, Losses, NceReport};

use crate::output::{columns, fold};

/// Characters in a line.
const LINE: usize = 100;
/// Width of a column of numbers.
const CELL: usize = 6;

pub(super) fn text(report: &NceReport) -> String {
    let mut parts = vec![heading(report)];
    parts.extend((0..Format::ALL.len()).map(|format| table(report, format)));
    parts.push(fold(&report.verdict, "", LINE));
    parts.join("\n")
}

fn heading(report: &NceReport) -> String {
    let NceReport { draws, deviation, .. } = report;
    let text = format!(
        "Scores of one anchor among K candidates: cosine/τ. The positive's cosine is the gap, those of negatives are \
         N(0, {deviation}²). Mean of {draws} draws; relative errors against double precision on the same rounded scores.\n\n\
         s_t: derivative by the positive's score. s_i: those by the negatives'. lost: share of the gradient by all scores, \
         ‖g − g₆₄‖ / ‖g₆₄‖; step by step: the result of every operation is rounded; kernel: sums are in double precision."
    );
    fold(&text, "", LINE)
}

/// All cases in one format.
fn table(report: &NceReport, format: usize) -> String {
    let title = |words: [&str; 8]| words.map(str::to_owned).to_vec();
    let mut rows = vec![
        title([
            &Format::ALL[format].to_string(),
            "",
            "",
            "",
            "naive, step by step",
            " exact",
            "  lost, step by step",
            "        lost, kernel",
        ]),
        title([
            "K",
            "τ",
            "gap",
            "ξ",
            "   s_t    s_i   loss",
            "   s_t",
            " naive  exact   flat",
            " naive  exact   flat",
        ]),
    ];
    rows.extend(report.cases.iter().map(|case| row(case, &case.formats[format])));
    let moved = report.cases.iter().map(|case| case.formats[format].rounded_scores).fold(0.0, f64::max);
    let remark = format!(
        "Beside this, rounding the scores alone moves the gradient of InfoNCE by {} of its norm at most.",
        number(moved)
    );
    columns(&rows) + &fold(&remark, "", LINE)
}

fn row(case: &CaseReport, report: &FormatReport) -> Vec<String> {
    let FormatReport { stepwise, kernel, .. } = report;
    let Errors { positive, negatives, loss, .. } = stepwise.naive;
    let lost = |losses: &Losses| cells(&Losses::ALL.map(|loss| losses.of(loss).lost));
    vec![
        case.batch.to_string(),
        case.temperature.to_string(),
        case.gap.to_string(),
        number(case.xi),
        cells(&[positive, negatives, loss]),
        cells(&[stepwise.exact.positive]),
        lost(stepwise),
        lost(kernel),
    ]
}

fn cells(numbers: &[f64]) -> String {
    let cells: Vec<String> = numbers.iter().map(|&x| format!("{:>CELL$}", number(x))).collect();
    cells.join(" ")
}

/// Two digits.
fn number(x: f64) -> String {
    if x == 0.0 {
        "0".to_owned()
    } else if (0.0995..99.5).contains(&x) {
        format!("{x:.2}")
    } else {
        format!("{x:.1e}")
    }
}

#[cfg(test)]
mod tests {
    use mixlab_measure::nce::{NceOptions, measure_nce};
    use mixlab_train::Silent;

    use super::*;

    #[test]
    fn tables_fit_the_line_and_end_in_the_verdict() {
        let options = NceOptions { batches: vec![4096], draws: 1, ..NceOptions::default() };
        let report = measure_nce(&options, &mut Silent).expect("valid options");
        let text = text(&report);
        assert!(text.lines().all(|line| line.chars().count() <= LINE), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("4096")).count(), 18, "{text}");
        let last = text.split("\n\n").last().unwrap_or_default();
        assert!(last.starts_with("At worst, naive InfoNCE loses"), "{last}");
    }

    #[test]
    fn numbers_have_two_digits() {
        assert_eq!([0.0, 1.0, 0.387, 0.0123, 1.24e-8].map(number), ["0", "1.00", "0.39", "1.2e-2", "1.2e-8"]);
    }
}
