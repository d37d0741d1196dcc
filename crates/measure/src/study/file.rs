//! The sweep file: a base config, axes of overrides, seeds, and what to tabulate.
//!
//! ```toml
//! base = "configs/quickstart.toml"
//! out = "runs/mixers"
//! seeds = [1, 2, 3]
//! metrics = ["bits_per_byte", "tokens_per_second"]
//!
//! [set]                                   # holds in every cell
//! train.steps = 300
//!
//! [[axis]]                                # one key, several values
//! name = "mixer"
//! key = "model.mixer.kind"
//! values = ["softmax_attention", "linear_attention", "gau", "flash"]
//!
//! [[axis]]                                # several keys that change together
//! name = "size"
//! options = [
//!     { name = "small", set = { model.width = 128, model.depth = 4 } },
//!     { name = "large", set = { model.width = 256, model.depth = 8 } },
//! ]
//! ```
//!
//! Paths are relative to the current folder, as they are in a config.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::error::StudyError;
use super::metric::{Metric, MetricConfig};

/// A sweep as it is written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepFile {
    /// Title of the table and of the pictures; the name of the output folder if absent.
    pub title: Option<String>,
    /// The config every cell starts from.
    pub base: PathBuf,
    /// The folder of the study.
    pub out: PathBuf,
    /// Values of `run.seed`: each combination of axis values is run once with each.
    pub seeds: Vec<u64>,
    /// Names of the metrics to tabulate, see [`super::presets`]; the first is also drawn as a curve.
    pub metrics: Vec<String>,
    /// Overrides that hold in every cell.
    #[serde(default)]
    pub set: Table,
    /// The axes of the grid, in the order of the table's columns.
    #[serde(default)]
    pub axis: Vec<Axis>,
    /// Metrics of the sweep's own.
    #[serde(default)]
    pub metric: BTreeMap<String, MetricConfig>,
}

/// One axis of the grid: either one key with several values, or several named sets of keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// Its name in the table and in folder names.
    pub name: String,
    /// The config key that changes.
    pub key: Option<String>,
    /// The values of the key.
    #[serde(default)]
    pub values: Vec<Value>,
    /// Named sets of overrides, where one key is not enough.
    #[serde(default)]
    pub options: Vec<AxisOption>,
}

/// One value of an axis that changes several keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AxisOption {
    /// Its name in the table and in folder names.
    pub name: String,
    /// The overrides, as nested tables or as dotted keys. Empty means the base config as it is.
    #[serde(default)]
    pub set: Table,
}

impl SweepFile {
    /// Reads and parses a sweep file.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or has an unknown, missing or mistyped key.
    pub fn read(path: &Path) -> Result<SweepFile, StudyError> {
        let text =
            fs::read_to_string(path).map_err(|source| StudyError::Read { path: path.to_owned(), source })?;
        SweepFile::parse(path, &text)
    }

    /// Parses the text of a sweep file; `path` only names it in errors.
    ///
    /// # Errors
    /// As [`SweepFile::read`].
    pub fn parse(path: &Path, text: &str) -> Result<SweepFile, StudyError> {
        toml::from_str(text).map_err(|source| StudyError::Toml {
            path: path.to_owned(),
            what: "sweep file",
            source: Box::new(source),
        })
    }

    /// The metrics to tabulate, complete.
    ///
    /// # Errors
    /// As [`Metric::select`].
    pub fn metrics(&self) -> Result<Vec<Metric>, StudyError> {
        Metric::select(&self.metrics, &self.metric)
    }

    /// The title, or the name of the output folder.
    pub fn title(&self) -> String {
        let folder = || self.out.file_name().unwrap_or(self.out.as_os_str()).to_string_lossy().into_owned();
        self.title.clone().unwrap_or_else(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "base = 'b.toml'\nout = 'runs/x'\nseeds = [1]\nmetrics = ['bits_per_byte']\n";

    fn parse(tail: &str) -> Result<SweepFile, String> {
        let text = format!("{HEAD}{tail}");
        SweepFile::parse(Path::new("s.toml"), &text).map_err(|error| match error {
            StudyError::Toml { source, .. } => source.to_string(),
            other => other.to_string(),
        })
    }

    #[test]
    fn the_example_of_the_documentation_parses() {
        let text: String = include_str!("file.rs")
            .lines()
            .skip_while(|line| !line.contains("```toml"))
            .skip(1)
            .take_while(|line| !line.contains("```"))
            .map(|line| format!("{}\n", line.trim_start_matches("//!")))
            .collect();
        let file = SweepFile::parse(Path::new("s.toml"), &text).unwrap();
        assert_eq!(file.axis.len(), 2);
        assert_eq!(file.axis[1].options[1].name, "large");
        assert_eq!(file.title(), "mixers");
    }

    #[test]
    fn unknown_and_mistyped_keys_are_refused_with_their_line() {
        let error = parse("[[axis]]\nnmae = 'a'").unwrap_err();
        assert!(error.contains("line 6") && error.contains("unknown field `nmae`"), "{error}");
        let error = parse("sedes = [2]").unwrap_err();
        assert!(error.contains("unknown field `sedes`"), "{error}");
        assert!(parse("[metric.x]\ntake = 'lasst'").unwrap_err().contains("unknown variant `lasst`"));
        assert!(SweepFile::parse(Path::new("s"), "base = 'b'").is_err());
    }
}
