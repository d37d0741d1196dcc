//! Two fields of every record: a text with its label, a source with its target, or a text with a number.

use std::collections::BTreeMap;
use std::path::Path;

use crate::labelled::{LabelledTexts, sort_classes};
use crate::pairs::Pairs;
use crate::{DataConfig, DataError, Documents};

/// A field of a record, by the config key that names it.
#[derive(Clone, Copy)]
pub(super) struct Field<'c> {
    pub key: &'static str,
    pub name: &'c str,
}

/// Where a record keeps its two parts.
#[derive(Clone, Copy)]
pub(super) struct Fields<'c> {
    pub first: Field<'c>,
    pub second: Field<'c>,
    /// What the second has to be.
    pub kind: Second,
}

/// What the second field of a record has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Second {
    /// Text.
    Text,
    /// Text, a whole number or a truth value.
    Label,
    /// Any number, or text that is one.
    Number,
}

impl<'c> Fields<'c> {
    pub fn labelled(config: &'c DataConfig) -> Self {
        Fields {
            first: Field { key: "data.text_field", name: &config.text_field },
            second: Field { key: "data.label_field", name: &config.label_field },
            kind: Second::Label,
        }
    }

    pub fn pairs(config: &'c DataConfig) -> Self {
        Fields {
            first: Field { key: "data.source_field", name: &config.source_field },
            second: Field { key: "data.target_field", name: &config.target_field },
            kind: Second::Text,
        }
    }

    /// A source with a number in a field of this name.
    pub fn scored(config: &'c DataConfig, score_field: &'c str) -> Self {
        Fields {
            second: Field { key: "--score-field", name: score_field },
            kind: Second::Number,
            ..Fields::pairs(config)
        }
    }

    /// Both, in order.
    pub fn both(&self) -> [Field<'c>; 2] {
        [self.first, self.second]
    }

    /// The error for a record whose second field is something else.
    pub fn not_a_second(&self, path: &Path, record: usize, found: &str) -> DataError {
        let (path, field, found) = (path.to_owned(), self.second.name.to_owned(), found.to_owned());
        match self.kind {
            Second::Label => DataError::NotALabel { path, record, field, found },
            Second::Text => DataError::NotText { path, record, field, found },
            Second::Number => DataError::NotANumber { path, record, field, found },
        }
    }
}

/// Takes a record's number, from 1, and its text.
pub(super) type ReceiveText<'r> = &'r mut dyn FnMut(usize, &str) -> Result<(), DataError>;

/// Takes a record's number, from 1, and its two parts.
pub(super) type Receive<'r> = &'r mut dyn FnMut(usize, &str, &str) -> Result<(), DataError>;

/// Refuses a record with an empty part: an example that is silently left out would be missing in the count of what a model
/// gets right.
fn check_filled(path: &Path, fields: Fields, record: usize, parts: [&str; 2]) -> Result<(), DataError> {
    match fields.both().iter().zip(parts).find(|(_, part)| part.is_empty()) {
        Some((field, _)) => {
            Err(DataError::EmptyText { path: path.to_owned(), record, field: field.name.to_owned() })
        }
        None => Ok(()),
    }
}

/// Collects the labelled texts of one file.
pub(super) struct LabelledRecords<'a> {
    path: &'a Path,
    fields: Fields<'a>,
    texts: Documents,
    /// Classes numbered in the order of their first appearance.
    numbers: BTreeMap<String, u32>,
    labels: Vec<u32>,
}

impl<'a> LabelledRecords<'a> {
    pub fn new(path: &'a Path, fields: Fields<'a>) -> Self {
        LabelledRecords {
            path,
            fields,
            texts: Documents::default(),
            numbers: BTreeMap::new(),
            labels: Vec::new(),
        }
    }

    /// Adds a record.
    pub fn push(&mut self, record: usize, text: &str, label: &str) -> Result<(), DataError> {
        check_filled(self.path, self.fields, record, [text, label])?;
        self.texts.push(text);
        let next = self.numbers.len() as u32;
        let number = match self.numbers.get(label) {
            Some(&number) => number,
            None => *self.numbers.entry(label.to_owned()).or_insert(next),
        };
        self.labels.push(number);
        Ok(())
    }

    /// All records, with the classes in their order.
    pub fn finish(self) -> LabelledTexts {
        let classes = sort_classes(self.numbers.keys().cloned().collect());
        let mut position = vec![0; classes.len()];
        for (index, class) in classes.iter().enumerate() {
            position[self.numbers[class] as usize] = index as u32;
        }
        let labels = self.labels.into_iter().map(|number| position[number as usize]).collect();
        LabelledTexts { texts: self.texts, labels, classes }
    }
}

/// Adds the number of a record.
pub(super) fn push_score(
    scores: &mut Vec<f64>,
    (path, fields): (&Path, Fields),
    record: usize,
    text: &str,
) -> Result<(), DataError> {
    match text.trim().parse::<f64>() {
        Ok(score) if score.is_finite() => scores.push(score),
        _ => return Err(fields.not_a_second(path, record, &format!("{text:?}"))),
    }
    Ok(())
}

/// Adds a record to the pairs of one file.
pub(super) fn push_pair(
    pairs: &mut Pairs,
    (path, fields): (&Path, Fields),
    record: usize,
    [source, target]: [&str; 2],
) -> Result<(), DataError> {
    check_filled(path, fields, record, [source, target])?;
    pairs.sources.push(source);
    pairs.targets.push(target);
    Ok(())
}
