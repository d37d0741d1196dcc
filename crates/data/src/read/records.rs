//! Texts with labels, as they come out of a file.

use std::collections::BTreeMap;
use std::path::Path;

use crate::labelled::{LabelledTexts, sort_classes};
use crate::{DataConfig, DataError, Documents};

/// Where a record keeps its text and its label.
#[derive(Clone, Copy)]
pub(super) struct Fields<'c> {
    pub text: &'c str,
    pub label: &'c str,
}

impl<'c> Fields<'c> {
    pub fn of(config: &'c DataConfig) -> Self {
        Fields { text: &config.text_field, label: &config.label_field }
    }
}

/// Collects the records of one file.
pub(super) struct Records<'a> {
    path: &'a Path,
    fields: Fields<'a>,
    texts: Documents,
    /// Classes numbered in the order of their first appearance.
    numbers: BTreeMap<String, u32>,
    labels: Vec<u32>,
}

impl<'a> Records<'a> {
    pub fn new(path: &'a Path, fields: Fields<'a>) -> Self {
        Records { path, fields, texts: Documents::default(), numbers: BTreeMap::new(), labels: Vec::new() }
    }

    /// Adds a record. Neither part may be empty: an example that is silently left out would be missing
    /// in the count of what a model gets right.
    pub fn push(&mut self, record: usize, text: &str, label: &str) -> Result<(), DataError> {
        for (field, value) in [(self.fields.text, text), (self.fields.label, label)] {
            if value.is_empty() {
                let (path, field) = (self.path.to_owned(), field.to_owned());
                return Err(DataError::EmptyText { path, record, field });
            }
        }
        self.texts.push(text);
        let next = self.numbers.len() as u32;
        let number = match self.numbers.get(label) {
            Some(&number) => number,
            None => *self.numbers.entry(label.to_owned()).or_insert(next),
        };
        self.labels.push(number);
        Ok(())
    }

    /// The error for a record whose label is something else.
    pub fn not_a_label(&self, record: usize, found: &str) -> DataError {
        let (path, field) = (self.path.to_owned(), self.fields.label.to_owned());
        DataError::NotALabel { path, record, field, found: found.to_owned() }
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
