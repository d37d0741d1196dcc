//! Reading what belongs together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::{
    DataConfig, DataError, Documents, LabelledData, LabelledTexts, Pairs, load, load_labelled, load_pairs,
};

/// What the examples of a contrastive run are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContrastiveKind {
    /// Two texts that belong together, from `data.source_field` and `data.target_field`.
    #[default]
    Pairs,
    /// Such pairs with a text that looks like the target and is not, from `data.negative_field`.
    Triples,
    /// Plain documents: each with itself, seen twice through different noise (SimCSE).
    Sentences,
    /// Texts with labels: those of one label belong together.
    Labelled,
    /// Images: each with itself, seen twice through the changes of `data.augment` (SimCLR). Labels only measure.
    Images,
}

/// Texts column by column, in the order of their use: anchors, positives, hard negatives. Sentences and labelled texts have
/// one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContrastiveTexts {
    /// One to three columns of equal length, no text empty.
    pub columns: Vec<Documents>,
    /// Class of every row, of labelled texts.
    pub labels: Option<Vec<u32>>,
}

impl ContrastiveTexts {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, Documents::len)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All texts, column by column: what a tokenizer learns from.
    pub fn texts(&self) -> Documents {
        let mut all = Documents::default();
        self.columns.iter().for_each(|column| all.append(column.clone()));
        all
    }

    /// Rows that repeat an earlier one in every column.
    pub fn repeated(&self) -> usize {
        let mut seen = std::collections::HashSet::new();
        (0..self.len()).filter(|&row| !seen.insert(self.hash(row))).count()
    }

    fn hash(&self, row: usize) -> u128 {
        let mut hash = Xxh3::new();
        for column in &self.columns {
            let text = column.get(row);
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.digest128()
    }
}

impl From<Pairs> for ContrastiveTexts {
    fn from(pairs: Pairs) -> Self {
        ContrastiveTexts { columns: vec![pairs.sources, pairs.targets], labels: None }
    }
}

impl From<LabelledTexts> for ContrastiveTexts {
    fn from(set: LabelledTexts) -> Self {
        ContrastiveTexts { columns: vec![set.texts], labels: Some(set.labels) }
    }
}

/// The texts of a run: what it learns from, and what it is measured on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContrastiveSplit {
    /// Texts that tokenizer and model are trained on.
    pub train: ContrastiveTexts,
    /// Texts that neither ever sees; empty when nothing is held out.
    pub evaluate: ContrastiveTexts,
}

/// Reads the texts of a contrastive run and sets the held-out rows apart, as the readers of each kind do.
///
/// # Errors
/// A config out of range, or anything wrong with a file.
pub fn load_contrastive(config: &DataConfig, kind: ContrastiveKind) -> Result<ContrastiveSplit, DataError> {
    match kind {
        ContrastiveKind::Pairs => {
            let split = load_pairs(config)?;
            Ok(ContrastiveSplit { train: split.train.into(), evaluate: split.evaluate.into() })
        }
        ContrastiveKind::Triples => triples(config),
        ContrastiveKind::Sentences => {
            let split = load(config)?;
            let one = |texts: Documents| ContrastiveTexts { columns: vec![texts], labels: None };
            Ok(ContrastiveSplit { train: one(split.train), evaluate: one(split.evaluate) })
        }
        ContrastiveKind::Labelled => match load_labelled(config)? {
            LabelledData::Texts { train, evaluate } => Ok(ContrastiveSplit {
                train: train.into(),
                evaluate: evaluate.map(ContrastiveTexts::from).unwrap_or_default(),
            }),
            LabelledData::Images { .. } => Err(images_for_text(config)),
        },
        ContrastiveKind::Images => Err(images_for_text(config)),
    }
}

fn images_for_text(config: &DataConfig) -> DataError {
    DataError::ImagesForText { path: config.train.first().cloned().unwrap_or_default() }
}

/// Pairs with the third field as hard negatives. The files are read twice, each time for two of the fields.
fn triples(config: &DataConfig) -> Result<ContrastiveSplit, DataError> {
    let negatives = DataConfig { target_field: config.negative_field.clone(), ..config.clone() };
    let (split, other) = (load_pairs(config)?, load_pairs(&negatives)?);
    let three = |pairs: Pairs, negatives: Pairs| ContrastiveTexts {
        columns: vec![pairs.sources, pairs.targets, negatives.targets],
        labels: None,
    };
    Ok(ContrastiveSplit {
        train: three(split.train, other.train),
        evaluate: three(split.evaluate, other.evaluate),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_from_its_fields() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.tsv");
        let rows: String = (0..10).map(|i| format!("a{i}\tp{i}\tn{i}\tw{i}\t{}\n", i % 2)).collect();
        std::fs::write(&path, format!("source\ttarget\tnegative\ttext\tlabel\n{rows}")).unwrap();
        let config = DataConfig { train: vec![path], evaluate_fraction: 0.2, ..DataConfig::default() };
        for (kind, first) in [
            (ContrastiveKind::Pairs, &["a0", "p0"][..]),
            (ContrastiveKind::Triples, &["a0", "p0", "n0"]),
            (ContrastiveKind::Sentences, &["w0"]),
            (ContrastiveKind::Labelled, &["w0"]),
        ] {
            let split = load_contrastive(&config, kind).unwrap();
            let columns: Vec<&str> = split.train.columns.iter().map(|column| column.get(0)).collect();
            assert_eq!(columns, first, "{kind:?}");
            assert_eq!((split.train.len(), split.evaluate.len()), (8, 2), "{kind:?}");
            assert_eq!(split.train.labels.is_some(), kind == ContrastiveKind::Labelled);
            assert_eq!(split.train.texts().len(), 8 * first.len());
        }
        let bad = DataConfig { negative_field: "wrong".to_owned(), ..config };
        let error = load_contrastive(&bad, ContrastiveKind::Triples).unwrap_err().to_string();
        assert!(error.contains("wrong"), "{error}");
    }

    #[test]
    fn repeated_rows_are_counted() {
        let column = |texts: &[&str]| texts.iter().copied().collect();
        let columns = vec![column(&["a", "b", "a", "a"]), column(&["x", "y", "x", "y"])];
        assert_eq!(ContrastiveTexts { columns, labels: None }.repeated(), 1);
    }
}
