//! JSON lines: one object a line.

use std::path::Path;

use serde_json::{Map, Value};

use crate::{DataError, Documents};

/// The strings under `field` of every object; blank lines are skipped.
pub(super) fn read(path: &Path, text: &str, field: &str) -> Result<Documents, DataError> {
    let mut documents = Documents::default();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line_number = index + 1;
        let object = object(path, line, line_number)?;
        match object.get(field) {
            Some(Value::String(text)) => documents.push(text),
            Some(other) => {
                return Err(DataError::NotText {
                    path: path.to_owned(),
                    record: line_number,
                    field: field.to_owned(),
                    found: kind(other).to_owned(),
                });
            }
            None => {
                return Err(DataError::MissingField {
                    path: path.to_owned(),
                    record: line_number,
                    field: field.to_owned(),
                    available: object.keys().cloned().collect(),
                });
            }
        }
    }
    Ok(documents)
}

/// The first object of a file, to see which fields there are.
pub(crate) fn first_record(path: &Path, text: &str) -> Result<Map<String, Value>, DataError> {
    match text.lines().enumerate().find(|(_, line)| !line.trim().is_empty()) {
        Some((index, line)) => object(path, line, index + 1),
        None => Err(DataError::Empty { path: path.to_owned() }),
    }
}

fn object(path: &Path, line: &str, line_number: usize) -> Result<Map<String, Value>, DataError> {
    match serde_json::from_str(line) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => {
            Err(DataError::NotAnObject { path: path.to_owned(), line: line_number, found: kind(&other) })
        }
        Err(source) => Err(DataError::BrokenJson { path: path.to_owned(), line: line_number, source }),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
