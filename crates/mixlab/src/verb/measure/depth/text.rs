//! An examination of depth as text.

use mixlab_measure::depth::{DepthReport, SchemeReport, UpdateReport};

use crate::output::{columns, fold};

/// Characters in a line.
const LINE: usize = 100;

pub(super) fn text(report: &DepthReport) -> String {
    let mut parts = vec![format!(
        "{} of width {}, {} rows of {} tokens, mean of {} seeds\n",
        report.mixer, report.width, report.batch[0], report.batch[1], report.seeds
    )];
    let cases = report.schemes.first().map_or(0, |scheme| scheme.updates.len());
    for case in 0..cases {
        parts.push(movements(report, case));
    }
    if report.schemes.iter().flat_map(|s| &s.updates).flat_map(|u| &u.points).any(|p| p.survives.is_some()) {
        parts.push(rates(report));
    }
    parts.push(profiles(report));
    parts.push(fold(&report.advice, "", LINE));
    parts.join("\n")
}

/// Optimiser, learning rate and norms of one table.
fn heading(update: &UpdateReport) -> String {
    let optimizer = update.optimizer;
    let norms = if update.norms_trained { "trained" } else { "frozen" };
    format!("{optimizer}, learning rate {}, norms {norms}", update.learning_rate)
}

fn number(value: Option<f64>) -> String {
    match value {
        Some(value) if value >= 0.0095 => format!("{value:.3}"),
        Some(value) => format!("{value:.1e}"),
        None => "-".to_owned(),
    }
}

/// How far updates move the output, by scheme and depth.
fn movements(report: &DepthReport, case: usize) -> String {
    let updates = report.schemes.iter().filter_map(|scheme| Some((scheme, scheme.updates.get(case)?)));
    let after = format!("after {}", report.steps);
    let several = report.steps > 1;
    let more: &[&str] = if several { &["growth", &after] } else { &["growth"] };
    let mut rows = vec![header("movement of the output", report, more)];
    for (scheme, update) in updates {
        let mut row = vec![format!("  {}", scheme.scheme)];
        row.extend(update.points.iter().map(|point| format!("{:>7}", number(point.first))));
        row.push(format!(
            "{:>8}",
            update.growth.map_or_else(|| "-".to_owned(), |growth| format!("{growth:.2}"))
        ));
        if several {
            row.push(format!("{:>8}", number(update.points.last().and_then(|point| point.last))));
        }
        rows.push(row);
    }
    let heading = report.schemes.first().and_then(|scheme| scheme.updates.get(case)).map(heading);
    format!("{}\n{}", heading.unwrap_or_default(), columns(&rows))
}

/// The largest learning rates.
fn rates(report: &DepthReport) -> String {
    let mut rows = vec![header("largest learning rate", report, &[])];
    for scheme in &report.schemes {
        for update in scheme.updates.iter().filter(|update| update.norms_trained) {
            let optimizer = update.optimizer.name();
            let mut row = vec![format!("  {} under {optimizer}", scheme.scheme)];
            row.extend(update.points.iter().map(|point| {
                format!(
                    "{:>7}",
                    point.survives.map_or_else(|| "none".to_owned(), |rate| format!("{rate:.1e}"))
                )
            }));
            rows.push(row);
        }
    }
    columns(&rows)
}

/// Signal and gradient of the first and the last block at the largest depth.
fn profiles(report: &DepthReport) -> String {
    let mut rows = vec![
        ["at the largest depth, first values", "signal, first", "last", "gradient, first", "last"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let ends = |all: &[f64]| [all.first().copied(), all.last().copied()].map(number);
    for SchemeReport { scheme, profiles, .. } in &report.schemes {
        let Some(profile) = profiles.last() else { continue };
        let mut row = vec![format!("  {scheme}")];
        row.extend(ends(&profile.signal).map(|cell| format!("{cell:>9}")));
        row.extend(ends(&profile.gradient).map(|cell| format!("{cell:>9}")));
        rows.push(row);
    }
    columns(&rows)
}

fn header(title: &str, report: &DepthReport, more: &[&str]) -> Vec<String> {
    let mut row = vec![title.to_owned()];
    row.extend(report.depths.iter().map(|depth| format!("{depth:>9}")));
    row.extend(more.iter().map(|name| format!("{name:>8}")));
    row
}
