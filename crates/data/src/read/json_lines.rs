//! JSON lines: one object a line.

use std::path::Path;

use serde_json::{Map, Value};

use super::records::{Field, Fields, Receive, ReceiveText, Second};
use crate::DataError;

/// The strings under `field` of every object, numbered by their lines; blank lines are skipped.
pub(super) fn read(path: &Path, text: &str, field: Field, receive: ReceiveText) -> Result<(), DataError> {
    for entry in objects(path, text) {
        let (line, object) = entry?;
        receive(line, string(path, line, &object, field)?)?;
    }
    Ok(())
}

/// Both fields of every object.
pub(super) fn read_two(path: &Path, text: &str, fields: Fields, receive: Receive) -> Result<(), DataError> {
    for entry in objects(path, text) {
        let (line, object) = entry?;
        let first = string(path, line, &object, fields.first)?;
        let refuse = |found: &str| Err(fields.not_a_second(path, line, found));
        let second = match value(path, line, &object, fields.second)? {
            Value::String(text) => text.clone(),
            Value::Bool(label) if fields.kind == Second::Label => label.to_string(),
            Value::Number(number) => match fields.kind {
                Second::Number => number.to_string(),
                Second::Label if number.is_i64() || number.is_u64() => number.to_string(),
                Second::Label => return refuse(&format!("the number {number}")),
                Second::Text => return refuse("a number"),
            },
            other => return refuse(kind(other)),
        };
        receive(line, first, &second)?;
    }
    Ok(())
}

/// The first object of a file, to see which fields there are.
pub(crate) fn first_record(path: &Path, text: &str) -> Result<Map<String, Value>, DataError> {
    match objects(path, text).next() {
        Some(entry) => entry.map(|(_, object)| object),
        None => Err(DataError::Empty { path: path.to_owned() }),
    }
}

/// Every object with its line, from 1.
fn objects<'t>(
    path: &'t Path,
    text: &'t str,
) -> impl Iterator<Item = Result<(usize, Map<String, Value>), DataError>> + 't {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(index, line)| Ok((index + 1, object(path, line, index + 1)?)))
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

fn string<'o>(
    path: &Path,
    line: usize,
    object: &'o Map<String, Value>,
    field: Field,
) -> Result<&'o str, DataError> {
    match value(path, line, object, field)? {
        Value::String(text) => Ok(text),
        other => Err(DataError::NotText {
            path: path.to_owned(),
            record: line,
            field: field.name.to_owned(),
            found: kind(other).to_owned(),
        }),
    }
}

fn value<'o>(
    path: &Path,
    line: usize,
    object: &'o Map<String, Value>,
    field: Field,
) -> Result<&'o Value, DataError> {
    object.get(field.name).ok_or_else(|| DataError::MissingField {
        path: path.to_owned(),
        record: line,
        key: field.key,
        field: field.name.to_owned(),
        available: object.keys().cloned().collect(),
    })
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
