//! Two fields of every record: a text with its label, or a source with its target.

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
    /// Whether the second is a label, which may be a whole number or a truth value too, or else text.
    pub labels: bool,
}

impl<'c> Fields<'c> {
    pub fn labelled(config: &'c DataConfig) -> Self {
        Fields {
            first: Field { key: "data.text_field", name: &config.text_field },
            second: Field { key: "data.label_field", name: &config.label_field },
            labels: true,
        }
    }

    pub fn pairs(config: &'c DataConfig) -> Self {
        Fields {
            first: Field { key: "data.source_field", name: &config.source_field },
            second: Field { key: "data.target_field", name: &config.target_field },
            labels: false,
        }
    }

    /// Both, in order.
    pub fn both(&self) -> [Field<'c>; 2] {
        [self.first, self.second]
    }

    /// The error for a record whose second field is something else.
    pub fn not_a_second(&self, path: &Path, record: usize, found: &str) -> DataError {
        let (path, field, found) = (path.to_owned(), self.second.name.to_owned(), found.to_owned());
        match self.labels {
            true => DataError::NotALabel { path, record, field, found },
            false => DataError::NotText { path, record, field, found },
        }
    }
}

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
