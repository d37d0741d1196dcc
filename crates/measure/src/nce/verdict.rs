//! The sentence at the end: what is lost, and which loss keeps it.

use mixlab_kernels::RowLoss;

use super::format::Format;
use super::report::{CaseReport, FormatReport, Losses};

/// The share of a gradient that may be lost for a loss to be said to keep it. In bf16 a difference of
/// scores near 16 is off by up to 1/16, and with it each negative's share by a few per cent: that is noise, not a loss.
const KEPT: f64 = 0.05;

/// Judges every loss by the case and the arithmetic it loses the most in.
pub(super) fn verdict(cases: &[CaseReport]) -> String {
    let naive = Format::ALL.map(|format| {
        let lost = most_lost(cases, format, RowLoss::NaiveInfoNce);
        format!("{} in {format}", percent(lost))
    });
    let kept = Format::ALL.map(|format| {
        let keeps = |loss: &RowLoss| most_lost(cases, format, *loss) <= KEPT;
        let names: Vec<String> = Losses::ALL.into_iter().filter(keeps).map(name).collect();
        let names = if names.is_empty() { "none".to_owned() } else { listed(&names) };
        format!("in {format} by {names}")
    });
    format!(
        "At worst, naive InfoNCE loses {} of its gradient; at most {} is lost everywhere {}.",
        listed(&naive),
        percent(KEPT),
        kept.join(", ")
    )
}

/// The largest share of any case in either arithmetic.
fn most_lost(cases: &[CaseReport], format: Format, loss: RowLoss) -> f64 {
    let formats = cases.iter().flat_map(|case| &case.formats).filter(|report| report.format == format);
    let both = |FormatReport { stepwise, kernel, .. }: &FormatReport| {
        [stepwise, kernel].map(|losses| losses.of(loss).lost)
    };
    formats.flat_map(both).fold(0.0, f64::max)
}

fn name(loss: RowLoss) -> String {
    match loss {
        RowLoss::NaiveInfoNce => "naive InfoNCE",
        RowLoss::InfoNce => "exact InfoNCE",
        RowLoss::FlatNce => "FlatNCE",
    }
    .to_owned()
}

/// Words with commas, and "and" before the last.
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A share in per cent with the digits that matter.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent >= 9.5 {
        format!("{percent:.0} %")
    } else if percent >= 0.095 {
        let text = format!("{percent:.1}");
        format!("{} %", text.trim_end_matches(".0"))
    } else {
        "less than 0.1 %".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_lists_in_words() {
        let found = [1.0, 0.3149, 0.0149, 0.01, 0.0012, 0.0].map(percent);
        assert_eq!(found, ["100 %", "31 %", "1.5 %", "1 %", "0.1 %", "less than 0.1 %"]);
        let words = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(
            [listed(&words), listed(&words[..2]), listed(&words[..1])],
            ["a, b and c", "a and b", "a"]
        );
    }
}
