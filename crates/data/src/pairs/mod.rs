//! Pairs of texts: what is read, and what is to be written.

mod batch;
mod evaluation;
mod rows;
mod sentinels;
mod spans;
mod training;

use xxhash_rust::xxh3::Xxh3;

use crate::{DataConfig, DataError, Documents, read};

pub use batch::PairBatch;
pub use evaluation::PairEvaluation;
pub use rows::PairOptions;
pub use sentinels::sentinel_text;
pub use spans::{SpanConfig, hide_spans};
pub use training::PairTraining;

/// Sources, each with its target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// What is read, none of it empty.
    pub sources: Documents,
    /// What is to be written, one for each source.
    pub targets: Documents,
}

impl Pairs {
    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// All texts, sources first: what a tokenizer learns from.
    pub fn texts(&self) -> Documents {
        let mut all = self.sources.clone();
        all.append(self.targets.clone());
        all
    }

    /// A 128-bit hash of all texts, in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let mut hash = Xxh3::new();
        for text in self.sources.iter().chain(self.targets.iter()) {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        format!("{:032x}", hash.digest128())
    }

    fn append(&mut self, other: Pairs) {
        self.sources.append(other.sources);
        self.targets.append(other.targets);
    }

    /// All but the last `fraction` of the pairs, and those.
    fn split(self, fraction: f64) -> (Self, Self) {
        let kept = self.len() - (self.len() as f64 * fraction).round() as usize;
        let part = |texts: &Documents, skip: usize, take: usize| texts.iter().skip(skip).take(take).collect();
        let pairs = |skip, take| Pairs {
            sources: part(&self.sources, skip, take),
            targets: part(&self.targets, skip, take),
        };
        (pairs(0, kept), pairs(kept, self.len() - kept))
    }
}

/// The pairs of a run: what it learns from, and what it is measured on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairSplit {
    /// Pairs that tokenizer and model are trained on.
    pub train: Pairs,
    /// Pairs that neither ever sees; empty when nothing is held out.
    pub evaluate: Pairs,
}

/// Reads every file of a sequence-to-sequence run and sets the held-out pairs apart: the files of `evaluate`, or else the
/// last `evaluate_fraction` of the pairs.
///
/// # Errors
/// A config out of range, one field for both parts, or anything wrong with a file.
pub fn load_pairs(config: &DataConfig) -> Result<PairSplit, DataError> {
    config.validate()?;
    let train = read_pairs(&config.train, config)?;
    if config.evaluate.is_empty() {
        let (train, evaluate) = train.split(config.evaluate_fraction);
        return Ok(PairSplit { train, evaluate });
    }
    Ok(PairSplit { train, evaluate: read_pairs(&config.evaluate, config)? })
}

/// The pairs of all `paths`, in order; folders stand for their data files sorted by name. Of `config` only the format and
/// the two fields matter.
///
/// # Errors
/// One field for both parts, or anything wrong with a file.
pub fn read_pairs(paths: &[std::path::PathBuf], config: &DataConfig) -> Result<Pairs, DataError> {
    if config.source_field == config.target_field {
        return Err(DataError::OutOfRange {
            key: "data.target_field",
            value: format!("{:?}", config.target_field),
            range: "another field than `data.source_field`".to_owned(),
        });
    }
    let mut all = Pairs::default();
    for path in paths {
        for file in read::expand(path)? {
            all.append(read::read_pairs_file(&file, config)?);
        }
    }
    Ok(all)
}

/// The pairs of all `paths` with the number that each has in a field of this name; folders stand for their data files sorted
/// by name. Of `config` only the format and the fields of source and target matter. Every file is read twice.
///
/// # Errors
/// As [`read_pairs`], and a score that is no finite number.
pub fn read_scored_pairs(
    paths: &[std::path::PathBuf],
    config: &DataConfig,
    score_field: &str,
) -> Result<(Pairs, Vec<f64>), DataError> {
    let pairs = read_pairs(paths, config)?;
    let mut scores = Vec::with_capacity(pairs.len());
    for path in paths {
        for file in read::expand(path)? {
            scores.append(&mut read::read_scores_file(&file, config, score_field)?);
        }
    }
    Ok((pairs, scores))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn config(files: &[(&str, &str)], folder: &std::path::Path) -> DataConfig {
        let write = |&(name, text): &(&str, &str)| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        DataConfig { train: files.iter().map(write).collect(), ..DataConfig::default() }
    }

    fn pairs(parts: &[(&str, &str)]) -> Pairs {
        Pairs {
            sources: parts.iter().map(|part| part.0).collect(),
            targets: parts.iter().map(|part| part.1).collect(),
        }
    }

    #[test]
    fn formats_give_the_same_pairs_and_the_last_are_held_out() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("a.tsv", "id\tsource\ttarget\n1\ta\tb\n2\tc \"d\"\te\n"),
            (
                "b.jsonl",
                "{\"source\": \"f\", \"target\": \"g\", \"x\": 1}\n\n{\"target\": \"i\", \"source\": \"h\"}\n",
            ),
            ("c.csv", "target,source\n\"l, m\",k\n"),
        ];
        let config = DataConfig { evaluate_fraction: 0.4, ..config(&files, folder.path()) };
        let all = [("a", "b"), ("c \"d\"", "e"), ("f", "g"), ("h", "i"), ("k", "l, m")];
        let split = load_pairs(&config).unwrap();
        assert_eq!(split, PairSplit { train: pairs(&all[..3]), evaluate: pairs(&all[3..]) });
        assert_eq!(split.train.texts().iter().collect::<Vec<_>>(), ["a", "c \"d\"", "f", "b", "e", "g"]);
        assert_ne!(split.train.fingerprint(), split.evaluate.fingerprint());
    }

    #[test]
    fn pairs_come_with_their_scores() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("a.tsv", "source\ttarget\tscore\na\tb\t4.5\n"),
            (
                "b.jsonl",
                "{\"source\": \"c\", \"target\": \"d\", \"score\": 1e-1}\n{\"source\": \"e\", \"target\": \"f\", \"score\": \"3\"}\n",
            ),
        ];
        let config = config(&files, folder.path());
        let (found, scores) = read_scored_pairs(&config.train, &config, "score").unwrap();
        assert_eq!(found, pairs(&[("a", "b"), ("c", "d"), ("e", "f")]));
        assert_eq!(scores, [4.5, 0.1, 3.0]);
        let missing = read_scored_pairs(&config.train, &config, "scores").unwrap_err();
        assert!(missing.to_string().contains("scores"), "{missing}");
        for wrong in ["high", "NaN", ""] {
            let path = folder.path().join("c.tsv");
            fs::write(&path, format!("source\ttarget\tscore\na\tb\t1\nc\td\t{wrong}\n")).unwrap();
            let error = read_scored_pairs(&[path], &config, "score").unwrap_err().to_string();
            assert!(error.contains("record 2: field `score`") && error.contains("not a number"), "{error}");
        }
    }

    #[test]
    fn what_is_no_pair_is_refused_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |name: &str, text: &str, change: fn(&mut DataConfig)| {
            let mut config = config(&[(name, text)], folder.path());
            change(&mut config);
            load_pairs(&config).expect_err("no pairs").to_string()
        };
        let keep = |_: &mut DataConfig| {};
        for (name, text, part) in [
            ("a.txt", "plain text", "no place for pairs"),
            ("a.tsv", "source\ttarget\na\t\n", "record 1: field `target` is empty"),
            ("b.tsv", "source\tgoal\na\tb\n", "target"),
            ("a.jsonl", "{\"source\": \"a\", \"target\": 3}\n", "record 1: field `target`"),
            ("b.jsonl", "{\"source\": [], \"target\": \"x\"}\n", "record 1: field `source`"),
        ] {
            let error = refused(name, text, keep);
            assert!(error.contains(part), "{part} is not in: {error}");
        }
        let same = |config: &mut DataConfig| config.target_field = "source".to_owned();
        assert!(refused("c.tsv", "source\ttarget\na\tb\n", same).contains("data.target_field"));
    }
}
