//! Runs in groups: what tables and pictures are made of.

use std::path::{Path, PathBuf};

use super::chart;
use super::error::StudyError;
use super::metric::Metric;
use super::render;
use super::run::Run;
use super::table::Table;
use crate::atomic;

/// How a run stands.
#[derive(Clone, Debug, PartialEq)]
pub enum RunStatus {
    /// It ended well.
    Finished(Run),
    /// It ended with this error.
    Failed(String),
    /// It has not ended yet.
    Pending,
}

/// One run of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// The cell's name, or the folder as it was given.
    pub name: String,
    /// The seed, where known.
    pub seed: Option<u64>,
    /// How it stands.
    pub status: RunStatus,
}

/// Runs that differ in their seed alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What sets this group apart, in the order of [`Study::axes`].
    pub coordinates: Vec<String>,
    /// Its runs.
    pub runs: Vec<RunRecord>,
}

impl Group {
    /// One line for legends.
    pub fn label(&self) -> String {
        if self.coordinates.is_empty() { "all runs".to_owned() } else { self.coordinates.join(" · ") }
    }

    /// The runs that ended well.
    pub fn finished(&self) -> impl Iterator<Item = (&RunRecord, &Run)> {
        self.runs.iter().filter_map(|record| match &record.status {
            RunStatus::Finished(run) => Some((record, run)),
            RunStatus::Failed(_) | RunStatus::Pending => None,
        })
    }
}

/// A set of runs, in groups, with the metrics to compare them by.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    /// Title of the tables and pictures.
    pub title: String,
    /// What the groups differ in.
    pub axes: Vec<String>,
    /// What is tabulated.
    pub metrics: Vec<Metric>,
    /// The groups in table order.
    pub groups: Vec<Group>,
    /// Remarks that belong under the table.
    pub notes: Vec<String>,
}

impl Study {
    /// The statistics of every group and metric.
    pub fn table(&self) -> Table {
        Table::new(self)
    }

    /// Learning curves of the first metric that is logged over time, as SVG: the mean of each group
    /// and a band from its smallest to its largest value. `None` if there is nothing to draw.
    ///
    /// # Errors
    /// [`StudyError::Draw`] if the drawing library refuses.
    pub fn curves_svg(&self) -> Result<Option<String>, StudyError> {
        chart::curves(self)
    }

    /// Every metric as a row of points, as SVG: single runs, mean, and standard deviation of each
    /// group. `None` if there is nothing to draw.
    ///
    /// # Errors
    /// [`StudyError::Draw`] if the drawing library refuses.
    pub fn points_svg(&self) -> Result<Option<String>, StudyError> {
        chart::points(self)
    }

    /// Writes `table.txt`, `table.md`, `table.csv`, `table.json`, `runs.csv`, `curves.svg` and
    /// `points.svg` into a folder that exists, each replaced whole, and returns their paths.
    ///
    /// # Errors
    /// A file cannot be written, or a picture cannot be drawn.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, StudyError> {
        let table = self.table();
        let mut files = vec![
            ("table.txt", render::text(&table)),
            ("table.md", render::markdown(&table)),
            ("table.csv", render::csv(&table)),
            ("table.json", render::json(&table)),
            ("runs.csv", render::runs_csv(&table)),
        ];
        files.extend(self.curves_svg()?.map(|svg| ("curves.svg", svg)));
        files.extend(self.points_svg()?.map(|svg| ("points.svg", svg)));
        files
            .into_iter()
            .map(|(name, text)| {
                let path = folder.join(name);
                match atomic::write(&path, text.as_bytes()) {
                    Ok(()) => Ok(path),
                    Err(source) => Err(StudyError::Write { path, source }),
                }
            })
            .collect()
    }
}
