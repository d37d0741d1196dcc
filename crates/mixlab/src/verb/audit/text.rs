//! Reports of an audit for people, and the table of the README.

use mixlab_measure::audit::{AuditReport, Check, MixerAudit, Outcome};
use mixlab_nn::Promises;

use super::lengths::show;
use crate::output::{columns, fold};

/// Columns of a terminal.
const WIDTH: usize = 80;

/// One line a check, then what does not hold.
pub fn report(report: &AuditReport) -> String {
    let blocks = report.layers.len();
    let plural = if blocks == 1 { "" } else { "s" };
    let lengths = show(&report.lengths);
    let mut head = format!("{blocks} block{plural}, {}, at lengths {lengths}", direction(report));
    if !report.refused.is_empty() {
        head.push_str(&format!("; refused, as they should be: {}", show(&report.refused)));
    }
    let rows: Vec<Vec<String>> =
        Check::ALL.iter().map(|&check| vec![check.name().to_owned(), by_status(report, check)]).collect();
    format!("{}\n{}\n{}", fold(&head, "", WIDTH), columns(&rows), verdict(report))
}

fn direction(report: &AuditReport) -> &'static str {
    if report.direction == "causal" { "causal" } else { "seeing both sides" }
}

fn verdict(report: &AuditReport) -> String {
    match &report.first_violation {
        Some(violation) => fold(&format!("first violation: {violation}"), "", WIDTH),
        None => format!("everything promised holds, in {} experiments\n", experiments(report)),
    }
}

fn experiments(report: &AuditReport) -> usize {
    let outcomes = report.layers.iter().flat_map(|layer| &layer.checks);
    let count = |outcome: &Outcome| match outcome {
        Outcome::Held { experiments } => *experiments,
        Outcome::NotPromised | Outcome::NotRun | Outcome::Violated { .. } => 0,
    };
    outcomes.map(|checked| count(&checked.outcome)).sum()
}

/// `held`, or which blocks did what.
fn by_status(report: &AuditReport, check: Check) -> String {
    let blocks_of = |status: &str| -> Vec<usize> {
        report
            .layers
            .iter()
            .filter(|layer| word(layer.outcome(check)) == status)
            .map(|layer| layer.block)
            .collect()
    };
    let statuses = ["VIOLATED", "held", "not run", "not promised"];
    let groups: Vec<(&str, Vec<usize>)> = statuses
        .iter()
        .map(|&status| (status, blocks_of(status)))
        .filter(|(_, blocks)| !blocks.is_empty())
        .collect();
    match groups.as_slice() {
        [(status, _)] => (*status).to_owned(),
        groups => {
            let group = |(status, blocks): &(&str, Vec<usize>)| {
                let plural = if blocks.len() == 1 { "" } else { "s" };
                format!("{status} (block{plural} {})", show(blocks))
            };
            groups.iter().map(group).collect::<Vec<_>>().join(", ")
        }
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::NotPromised => "not promised",
        Outcome::NotRun => "not run",
        Outcome::Held { .. } => "held",
        Outcome::Violated { .. } => "VIOLATED",
    }
}

/// What became of one promise in all blocks, in a word.
fn cell(report: &AuditReport, check: Check) -> &'static str {
    let any = |wanted: fn(&Outcome) -> bool| report.layers.iter().any(|layer| wanted(layer.outcome(check)));
    if any(|outcome| matches!(outcome, Outcome::Violated { .. })) {
        "BROKEN"
    } else if any(|outcome| matches!(outcome, Outcome::NotRun)) {
        "?"
    } else if any(|outcome| matches!(outcome, Outcome::NotPromised)) {
        "–"
    } else {
        "yes"
    }
}

/// The promises among the checks, in the order in which they are declared.
fn promises() -> impl Iterator<Item = Check> {
    let names = Promises::default().entries().map(|(name, _)| name);
    names.into_iter().filter_map(|name| Check::ALL.into_iter().find(|check| check.name() == name))
}

/// One row for each mixer and direction; a promise is headed by its first word so that a row fits a line.
pub fn mixers(audits: &[MixerAudit]) -> String {
    let first_word = |check: Check| check.name().split([' ', '-']).next().unwrap_or_default().to_owned();
    let mut rows =
        vec![[String::new(), String::new()].into_iter().chain(promises().map(first_word)).collect()];
    for MixerAudit { mixer, report } in audits {
        let cells = promises().map(|check| cell(report, check).to_owned());
        rows.push([(*mixer).to_owned(), report.direction.to_owned()].into_iter().chain(cells).collect());
    }
    let names: Vec<&str> = promises().map(Check::name).collect();
    let mut text =
        format!("{}{}", columns(&rows), fold(&format!("in full: {}", names.join(", ")), "", WIDTH));
    text.push('\n');
    let broken: Vec<_> = audits.iter().filter_map(|audit| audit.report.first_violation.as_ref()).collect();
    for violation in &broken {
        text.push_str(&fold(&format!("violation: {violation}"), "", WIDTH));
    }
    if broken.is_empty() {
        let count: usize = audits.iter().map(|audit| experiments(&audit.report)).sum();
        text.push_str(&format!("everything promised holds, in {count} experiments\n"));
    }
    text
}

/// The same in Markdown.
pub fn markdown(audits: &[MixerAudit]) -> String {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let head =
        ["mixer", "direction"].into_iter().chain(promises().map(Check::name)).map(str::to_owned).collect();
    let rule: String = ["---|", "---|"].into_iter().chain(promises().map(|_| ":-:|")).collect();
    let mut text = format!("{}|{rule}\n", row(head));
    for MixerAudit { mixer, report } in audits {
        let cells = promises().map(|check| cell(report, check).to_owned());
        text.push_str(&row([format!("`{mixer}`"), report.direction.to_owned()]
            .into_iter()
            .chain(cells)
            .collect()));
    }
    text
}
