//! The statistics of a study, before they take a form.

use serde::Serialize;

use super::metric::{Better, Metric};
use super::render;
use super::results::{Group, RunStatus, Study};
use super::statistics::Summary;

/// One metric of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// Over the runs that have a finite value; `None` if there is none.
    pub summary: Option<Summary>,
    /// Whether no other group has a better mean. Not set where there is only one group to look at.
    pub best: bool,
}

/// One run of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRow {
    /// Its name.
    pub run: String,
    /// Its seed, where known.
    pub seed: Option<u64>,
    /// "finished", "failed" or "pending".
    pub status: &'static str,
    /// One value per metric, where it has one.
    pub values: Vec<Option<f64>>,
    /// The error it failed with, or why a metric has no value.
    pub problems: Vec<String>,
}

/// One group of runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What sets the group apart, in the order of [`Table::axes`].
    pub coordinates: Vec<String>,
    /// Runs that ended well.
    pub finished: usize,
    /// Runs that ended with an error.
    pub failed: usize,
    /// Runs that have not ended.
    pub pending: usize,
    /// One column per metric.
    pub columns: Vec<Column>,
    /// The single runs.
    pub runs: Vec<RunRow>,
}

/// A study in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// Its title.
    pub title: String,
    /// What the groups differ in.
    pub axes: Vec<String>,
    /// What is measured.
    pub metrics: Vec<Metric>,
    /// The groups.
    pub rows: Vec<Row>,
    /// Remarks.
    pub notes: Vec<String>,
}

impl Table {
    pub(super) fn new(study: &Study) -> Table {
        let mut rows: Vec<Row> = study.groups.iter().map(|group| row(group, &study.metrics)).collect();
        mark_best(&mut rows, &study.metrics);
        Table {
            title: study.title.clone(),
            axes: study.axes.clone(),
            metrics: study.metrics.clone(),
            rows,
            notes: study.notes.clone(),
        }
    }

    /// For a terminal: aligned columns, failures and remarks below.
    pub fn text(&self) -> String {
        render::text(self)
    }

    /// As a Markdown table.
    pub fn markdown(&self) -> String {
        render::markdown(self)
    }

    /// One line per group, numbers in full.
    pub fn csv(&self) -> String {
        render::csv(self)
    }

    /// One line per run, numbers in full.
    pub fn runs_csv(&self) -> String {
        render::runs_csv(self)
    }

    /// Everything, as one JSON object.
    pub fn json(&self) -> String {
        render::json(self)
    }
}

fn row(group: &Group, metrics: &[Metric]) -> Row {
    let runs: Vec<RunRow> = group
        .runs
        .iter()
        .map(|record| {
            let mut problems = Vec::new();
            let (status, values) = match &record.status {
                RunStatus::Finished(run) => {
                    let value = |metric: &Metric| {
                        metric.value(run).map_err(|why| problems.push(format!("{}: {why}", metric.name))).ok()
                    };
                    ("finished", metrics.iter().map(value).collect())
                }
                RunStatus::Failed(error) => {
                    problems.push(error.clone());
                    ("failed", vec![None; metrics.len()])
                }
                RunStatus::Pending => ("pending", vec![None; metrics.len()]),
            };
            RunRow { run: record.name.clone(), seed: record.seed, status, values, problems }
        })
        .collect();
    let count = |status| runs.iter().filter(|run| run.status == status).count();
    let column = |index: usize| {
        let values: Vec<f64> = runs.iter().filter_map(|run| run.values[index]).collect();
        Column { summary: Summary::of(&values), best: false }
    };
    Row {
        coordinates: group.coordinates.clone(),
        finished: count("finished"),
        failed: count("failed"),
        pending: count("pending"),
        columns: (0..metrics.len()).map(column).collect(),
        runs,
    }
}

/// Marks the best mean of every metric that at least two groups have; equal means are both best.
fn mark_best(rows: &mut [Row], metrics: &[Metric]) {
    for (index, metric) in metrics.iter().enumerate() {
        let means: Vec<f64> =
            rows.iter().filter_map(|row| row.columns[index].summary.map(|s| s.mean)).collect();
        let best = means.iter().copied().reduce(|a, b| match metric.better {
            Better::Lower => a.min(b),
            Better::Higher => a.max(b),
        });
        for row in rows.iter_mut().filter(|_| means.len() > 1) {
            let column = &mut row.columns[index];
            column.best = column.summary.map(|s| s.mean) == best;
        }
    }
}
