//! `mixlab compare`: one table of runs that exist already.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mixlab_measure::study::{Metric, StudyError, compare};

use crate::failure::{Exit, Failure};
use crate::output::{print, tell};

/// Tabulate runs that exist already
///
/// Runs that differ in nothing but `run.seed` are one row: mean, spread, n.
/// Rows are named by the config keys in which they differ.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab compare runs/softmax runs/gau --metric bits_per_byte --out study")]
pub struct Compare {
    /// Run folders
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,

    /// What to tabulate (repeatable)
    #[arg(long = "metric", value_name = "NAME", default_values = ["bits_per_byte", "tokens_per_second"])]
    metrics: Vec<String>,

    /// How to print the table
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Also write all tables and pictures (SVG) into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Markdown,
    Csv,
    Json,
}

impl Compare {
    pub fn run(self) -> Result<Exit, Failure> {
        let metrics = Metric::select(&self.metrics, &Default::default())?;
        let study = compare(&self.runs, &metrics)?;
        if let Some(folder) = &self.out {
            std::fs::create_dir_all(folder)
                .map_err(|source| StudyError::Write { path: folder.clone(), source })?;
            for path in study.write(folder)? {
                tell(&format!("wrote {}", path.display()));
            }
        }
        let table = study.table();
        print(&match self.format {
            Format::Text => table.text(),
            Format::Markdown => table.markdown(),
            Format::Csv => table.csv(),
            Format::Json => table.json(),
        })?;
        Ok(Exit::Done)
    }
}
