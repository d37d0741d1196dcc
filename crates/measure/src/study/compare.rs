//! A study of runs that exist already.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::Value;

use super::error::StudyError;
use super::grid::SEED_KEY;
use super::metric::Metric;
use super::numbered::numbered;
use super::results::{Group, RunRecord, RunStatus, Study};
use super::run::Run;
use super::tree::{flatten, label};

/// What stands for a key that a run's config does not have.
const ABSENT: &str = "–";
/// How many steps a run is meant to have.
const STEPS_KEY: &str = "train.steps";

struct Entry {
    folder: PathBuf,
    config: BTreeMap<String, Value>,
    run: Run,
}

/// Puts runs into groups that differ in more than `run.seed`, named by the config keys they differ in.
///
/// Runs and groups keep the order in which the folders are given.
///
/// # Errors
/// No folder; a folder without a readable `config.toml` and `metrics.jsonl`; two runs with the same
/// config and seed.
pub fn compare(folders: &[PathBuf], metrics: &[Metric]) -> Result<Study, StudyError> {
    if folders.is_empty() {
        return Err(StudyError::Empty { what: "the list of runs".to_owned() });
    }
    let entries: Vec<Entry> = folders.iter().map(|folder| read(folder)).collect::<Result<_, _>>()?;
    check_distinct(&entries)?;
    let (keys, decided) = deciding_keys(&entries, differing_keys(&entries));
    let mut groups: Vec<Group> = Vec::new();
    for entry in &entries {
        let coordinates: Vec<String> =
            keys.iter().map(|key| entry.config.get(key).map_or_else(|| ABSENT.to_owned(), label)).collect();
        let record = RunRecord {
            name: entry.folder.display().to_string(),
            seed: seed(&entry.config),
            status: RunStatus::Finished(entry.run.clone()),
        };
        match groups.iter_mut().find(|group| group.coordinates == coordinates) {
            Some(group) => group.runs.push(record),
            None => groups.push(Group { coordinates, runs: vec![record] }),
        }
    }
    Ok(Study {
        title: "comparison".to_owned(),
        axes: short_names(&keys),
        metrics: metrics.to_vec(),
        groups,
        notes: of_keys(&decided).into_iter().chain(entries.iter().flat_map(notes)).collect(),
    })
}

fn read(folder: &Path) -> Result<Entry, StudyError> {
    let config = flatten(&Run::read_config(folder)?);
    Ok(Entry { folder: folder.to_owned(), config, run: Run::read(folder)? })
}

fn seed(config: &BTreeMap<String, Value>) -> Option<u64> {
    config.get(SEED_KEY)?.as_integer().and_then(|seed| u64::try_from(seed).ok())
}

fn check_distinct(entries: &[Entry]) -> Result<(), StudyError> {
    for (i, second) in entries.iter().enumerate() {
        if let Some(first) = entries[..i].iter().find(|first| first.config == second.config) {
            return Err(StudyError::SameRun { first: first.folder.clone(), second: second.folder.clone() });
        }
    }
    Ok(())
}

/// Keys whose value is not the same in all runs, the seed left out, in alphabetical order.
fn differing_keys(entries: &[Entry]) -> Vec<String> {
    let keys: BTreeSet<&String> = entries.iter().flat_map(|entry| entry.config.keys()).collect();
    keys.into_iter()
        .filter(|key| key.as_str() != SEED_KEY)
        .filter(|key| entries.iter().any(|entry| entry.config.get(*key) != entries[0].config.get(*key)))
        .cloned()
        .collect()
}

/// The keys without those that another one decides and more, as the kind of a residual scheme does on its constants; and those.
fn deciding_keys(entries: &[Entry], keys: Vec<String>) -> (Vec<String>, Vec<String>) {
    let values = |key: &String| numbered(entries.iter().map(|entry| entry.config.get(key)));
    let values: Vec<(Vec<usize>, usize)> = keys.iter().map(values).collect();
    // One key decides another if no value of it goes with two of the other.
    let decides = |by: usize, key: usize| {
        let ((by, count), (key, _)) = (&values[by], &values[key]);
        let mut goes_with = vec![None; *count];
        by.iter().zip(key).all(|(&by, key)| goes_with[by].get_or_insert(key) == &key)
    };
    let decided = |&key: &usize| (0..keys.len()).any(|by| decides(by, key) && !decides(key, by));
    let (decided, deciding): (Vec<usize>, Vec<usize>) = (0..keys.len()).partition(decided);
    let named = |indices: Vec<usize>| indices.into_iter().map(|index| keys[index].clone()).collect();
    (named(deciding), named(decided))
}

/// Each key by its last parts, as many as set it apart from the others and say what it is about:
/// at least two, since `kind` alone names nothing.
fn short_names(keys: &[String]) -> Vec<String> {
    let tail = |key: &str, parts: usize| -> String {
        let all: Vec<&str> = key.split('.').collect();
        all[all.len().saturating_sub(parts)..].join(".")
    };
    keys.iter()
        .map(|key| {
            let unique =
                |parts: &usize| keys.iter().filter(|k| tail(k, *parts) == tail(key, *parts)).count() == 1;
            let parts = (2..key.split('.').count()).find(unique);
            parts.map_or_else(|| key.clone(), |parts| tail(key, parts))
        })
        .collect()
}

/// What a reader must know of keys that no row shows.
fn of_keys(decided: &[String]) -> Option<String> {
    (!decided.is_empty())
        .then(|| format!("with what names the rows go other values of {}", decided.join(", ")))
}

/// What a reader of the numbers must know about this run.
fn notes(entry: &Entry) -> Vec<String> {
    let name = entry.folder.display();
    let mut notes = Vec::new();
    let meant = entry.config.get(STEPS_KEY).and_then(Value::as_integer).unwrap_or(0);
    let done = entry.run.last_step();
    if i64::try_from(done).is_ok_and(|done| done < meant) {
        notes.push(format!("{name} logged {done} of {meant} steps"));
    }
    if entry.run.truncated {
        notes.push(format!("the last line of {name}/metrics.jsonl is cut short and was left out"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kinds decide on constants; a width that goes with the depth one to one is shown beside it.
    #[test]
    fn keys_that_follow_from_others_are_told_below() {
        let entry = |kind: &str, constants: &str, depth: i64| Entry {
            folder: PathBuf::new(),
            config: BTreeMap::from([
                ("constants".to_owned(), Value::from(constants)),
                ("depth".to_owned(), Value::from(depth)),
                ("kind".to_owned(), Value::from(kind)),
                ("width".to_owned(), Value::from(2 * depth)),
            ]),
            run: Run::default(),
        };
        let entries = [
            entry("a", "x", 1),
            entry("b", "y", 1),
            entry("c", "y", 1),
            entry("a", "x", 2),
            entry("b", "y", 2),
        ];
        let (shown, told) = deciding_keys(&entries, differing_keys(&entries));
        assert_eq!(
            (shown, told.clone()),
            (vec!["depth".into(), "kind".into(), "width".into()], vec!["constants".into()])
        );
        assert!(of_keys(&told).is_some_and(|note| note.contains("constants")));
        // Two runs differ in all they differ in.
        let (shown, told) = deciding_keys(&entries[..2], differing_keys(&entries[..2]));
        assert_eq!((shown.len(), told.len()), (2, 0));
    }

    #[test]
    fn keys_are_shortened_as_far_as_they_stay_apart() {
        let keys = ["model.mixer.kind", "model.width", "a.head.bias", "b.head.bias"].map(str::to_owned);
        assert_eq!(short_names(&keys), ["mixer.kind", "model.width", "a.head.bias", "b.head.bias"]);
        assert_eq!(short_names(&["width".to_owned()]), ["width"]);
    }
}
