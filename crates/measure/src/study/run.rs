//! A run that exists: its config and what it logged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use toml::Table;

use super::error::StudyError;
use super::metric::Source;

/// The resolved config inside a run folder.
pub(super) const CONFIG: &str = "config.toml";
/// The log inside a run folder: one JSON object a line.
pub(super) const METRICS: &str = "metrics.jsonl";

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Training steps done when it was written.
    pub step: u64,
    /// "train" or "eval".
    pub split: String,
    /// Every numeric field but the step, those of inner objects by dotted paths. `null`, which is how JSON
    /// spells a number that is not finite, reads as NaN.
    pub values: BTreeMap<String, f64>,
}

/// A run read from its folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// The folder.
    pub folder: PathBuf,
    /// The lines in file order.
    pub lines: Vec<Line>,
    /// Numbers about the run as a whole, such as `peak_memory_mib`.
    pub report: BTreeMap<String, f64>,
    /// Whether the last line was cut short and left out, as after a `kill -9`.
    pub truncated: bool,
}

impl Run {
    /// Reads `metrics.jsonl` of a run folder.
    ///
    /// # Errors
    /// The file is missing or unreadable, holds no complete line, or holds a damaged line that is
    /// not the last: that is no interrupted write.
    pub fn read(folder: &Path) -> Result<Run, StudyError> {
        let path = folder.join(METRICS);
        let bytes = fs::read(&path).map_err(|source| StudyError::Read { path: path.clone(), source })?;
        let (lines, truncated) = parse(&path, &bytes)?;
        Ok(Run { folder: folder.to_owned(), lines, report: BTreeMap::new(), truncated })
    }

    /// Reads `config.toml` of a run folder.
    ///
    /// # Errors
    /// The file is missing, unreadable or not TOML.
    pub fn read_config(folder: &Path) -> Result<Table, StudyError> {
        let path = folder.join(CONFIG);
        let text =
            fs::read_to_string(&path).map_err(|source| StudyError::Read { path: path.clone(), source })?;
        text.parse().map_err(|source| StudyError::Toml { path, what: "config", source: Box::new(source) })
    }

    /// The last step that was logged; 0 for a run without lines.
    pub fn last_step(&self) -> u64 {
        self.lines.iter().map(|line| line.step).max().unwrap_or(0)
    }

    /// Step and value of one field, in file order. [`Source::Report`] has no series.
    pub fn series(&self, source: Source, field: &str) -> Vec<(u64, f64)> {
        self.lines
            .iter()
            .filter(|line| match source {
                Source::Train => line.split == "train",
                Source::Eval => line.split == "eval",
                Source::Any => true,
                Source::Report => false,
            })
            .filter_map(|line| line.values.get(field).map(|value| (line.step, *value)))
            .collect()
    }
}

/// The lines, and whether the last one had to be left out.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<Line>, bool), StudyError> {
    // A line counts when its line feed is on the disk: a cut `1234` could as well read `12`.
    let complete = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
    let mut lines = Vec::new();
    for (index, raw) in bytes[..complete].split(|b| *b == b'\n').enumerate() {
        if raw.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let line = parse_line(raw).map_err(|problem| StudyError::Line {
            path: path.to_owned(),
            line: index + 1,
            problem,
        })?;
        lines.push(line);
    }
    if lines.is_empty() {
        return Err(StudyError::NoLines { path: path.to_owned() });
    }
    Ok((lines, complete < bytes.len()))
}

fn parse_line(raw: &[u8]) -> Result<Line, String> {
    let object: serde_json::Map<String, Json> =
        serde_json::from_slice(raw).map_err(|error| error.to_string())?;
    let step = object.get("step").and_then(Json::as_u64).ok_or("no whole number `step`")?;
    let split = object.get("split").and_then(Json::as_str).ok_or("no text `split`")?.to_owned();
    let mut values = BTreeMap::new();
    collect("", &object, &mut values);
    values.remove("step");
    Ok(Line { step, split, values })
}

/// The numbers of an object, inner ones as `outer.inner`.
fn collect(prefix: &str, object: &serde_json::Map<String, Json>, values: &mut BTreeMap<String, f64>) {
    for (key, value) in object {
        let path = format!("{prefix}{key}");
        let number = match value {
            Json::Number(number) => number.as_f64(),
            Json::Null => Some(f64::NAN),
            Json::Object(inner) => {
                collect(&format!("{path}."), inner, values);
                None
            }
            _ => None,
        };
        values.extend(number.map(|number| (path, number)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Run, StudyError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(METRICS), text).unwrap();
        Run::read(folder.path())
    }

    #[test]
    fn reads_series_by_split() {
        let run = read(concat!(
            "{\"step\":1,\"split\":\"train\",\"loss\":3.5,\"note\":\"x\"}\n",
            "{\"step\":2,\"split\":\"eval\",\"loss\":3.25,\"bits_per_byte\":2}\n",
            "\n",
            "{\"step\":2,\"split\":\"train\",\"loss\":null}\n",
        ))
        .unwrap();
        assert_eq!(run.series(Source::Eval, "loss"), [(2, 3.25)]);
        assert_eq!(run.series(Source::Any, "bits_per_byte"), [(2, 2.0)]);
        assert!(run.series(Source::Train, "loss")[1].1.is_nan());
        assert_eq!(run.last_step(), 2);
        assert!(!run.truncated);
    }

    #[test]
    fn numbers_of_inner_objects_have_dotted_paths() {
        let run = read(
            "{\"step\":5,\"split\":\"eval\",\"modes\":{\"coverage\":0.5,\"name\":\"x\",\"far\":null}}\n",
        )
        .unwrap();
        assert_eq!(run.series(Source::Eval, "modes.coverage"), [(5, 0.5)]);
        assert!(run.series(Source::Eval, "modes.far")[0].1.is_nan());
        assert_eq!(run.series(Source::Eval, "modes.name"), []);
    }

    #[test]
    fn a_cut_last_line_is_left_out_even_where_it_still_parses() {
        let whole = "{\"step\":1,\"split\":\"train\",\"loss\":3.5}\n";
        for cut in ["{\"step\":2,\"spl", "{\"step\":2,\"split\":\"train\",\"loss\":3}", "\u{fffd}"] {
            let run = read(&format!("{whole}{cut}")).unwrap();
            assert_eq!(run.lines.len(), 1);
            assert!(run.truncated);
        }
    }

    #[test]
    fn damage_inside_the_file_is_an_error_with_its_line() {
        let good = "{\"step\":1,\"split\":\"train\"}\n";
        for (bad, problem) in [
            ("{\"step\":\n", "EOF"),
            ("[1]\n", "invalid type"),
            ("{\"split\":\"train\"}\n", "no whole number `step`"),
            ("{\"step\":-1,\"split\":\"train\"}\n", "no whole number `step`"),
            ("{\"step\":1}\n", "no text `split`"),
        ] {
            let error = read(&format!("{good}{bad}{good}")).unwrap_err();
            assert!(matches!(error, StudyError::Line { line: 2, .. }), "{error}");
            assert!(error.to_string().contains(problem), "{error}");
        }
    }

    #[test]
    fn missing_and_empty_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Run::read(folder.path()), Err(StudyError::Read { .. })));
        assert!(matches!(read(""), Err(StudyError::NoLines { .. })));
        assert!(matches!(read("{\"step\":"), Err(StudyError::NoLines { .. })));
    }
}
