//! Apache Parquet: a column of text, or two columns.

use std::path::Path;
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;

use super::records::{Fields, Receive, ReceiveText, Second};
use super::{records, source};
use crate::DataError;

/// The strings of column `field`, row by row; only that column is read from the disk.
pub(super) fn read(path: &Path, field: records::Field, receive: ReceiveText) -> Result<(), DataError> {
    rows(path, &[(field.key, field.name)], |row, values| {
        receive(row, text(values[0]).map_err(|found| not_text(path, row, field.name, found))?)
    })
}

/// Both fields of every row; only these two columns are read from the disk.
pub(super) fn read_two(path: &Path, fields: Fields, receive: Receive) -> Result<(), DataError> {
    let columns = fields.both().map(|field| (field.key, field.name));
    rows(path, &columns, |row, values| {
        let first = text(values[0]).map_err(|found| not_text(path, row, fields.first.name, found))?;
        let second = match fields.kind {
            Second::Text => text(values[1]).map(str::to_owned),
            Second::Label => label(values[1]),
            Second::Number => number(values[1]),
        };
        receive(row, first, &second.map_err(|found| fields.not_a_second(path, row, &found))?)
    })
}

/// Hands out the number of every row, from 1, with its values in the columns that `wanted` names,
/// each beside the config key it comes from.
fn rows(
    path: &Path,
    wanted: &[(&'static str, &str)],
    mut receive: impl FnMut(usize, &[&Field]) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let reader = open(path)?;
    let bad = |source: ParquetError| DataError::Parquet { path: path.to_owned(), source };
    let schema = reader.metadata().file_metadata().schema();
    let missing = |key: &'static str, field: &str| DataError::MissingField {
        path: path.to_owned(),
        record: 0,
        key,
        field: field.to_owned(),
        available: names(schema),
    };
    let mut columns = Vec::new();
    for &(key, field) in wanted {
        let column = schema.get_fields().iter().find(|column| column.name() == field);
        columns.push(Arc::clone(column.ok_or_else(|| missing(key, field))?));
    }
    let projection = Type::group_type_builder(schema.name()).with_fields(columns).build().map_err(bad)?;
    for (index, row) in reader.get_row_iter(Some(projection)).map_err(bad)?.enumerate() {
        let row = row.map_err(bad)?;
        let value = |&(key, field): &(&'static str, &str)| {
            let column = row.get_column_iter().find(|(name, _)| *name == field);
            column.map(|(_, value)| value).ok_or_else(|| missing(key, field))
        };
        receive(index + 1, &wanted.iter().map(value).collect::<Result<Vec<_>, _>>()?)?;
    }
    Ok(())
}

/// Names of the top-level columns.
pub(super) fn columns(path: &Path) -> Result<Vec<String>, DataError> {
    Ok(names(open(path)?.metadata().file_metadata().schema()))
}

pub(crate) fn open(path: &Path) -> Result<SerializedFileReader<std::fs::File>, DataError> {
    let file = source::open(path)?;
    match file.metadata() {
        Ok(metadata) if metadata.len() == 0 => Err(DataError::Empty { path: path.to_owned() }),
        _ => SerializedFileReader::new(file)
            .map_err(|source| DataError::Parquet { path: path.to_owned(), source }),
    }
}

fn names(schema: &Type) -> Vec<String> {
    schema.get_fields().iter().map(|column| column.name().to_owned()).collect()
}

fn text(value: &Field) -> Result<&str, String> {
    match value {
        Field::Str(text) => Ok(text),
        // Writers without a logical type store text as plain bytes.
        Field::Bytes(bytes) => std::str::from_utf8(bytes.data())
            .map_err(|error| format!("bytes that are not UTF-8 at offset {}", error.valid_up_to())),
        Field::Null => Err("null".to_owned()),
        other => Err(format!("the value {other}")),
    }
}

fn label(value: &Field) -> Result<String, String> {
    match value {
        Field::Bool(label) => Ok(label.to_string()),
        Field::Byte(label) => Ok(label.to_string()),
        Field::Short(label) => Ok(label.to_string()),
        Field::Int(label) => Ok(label.to_string()),
        Field::Long(label) => Ok(label.to_string()),
        Field::UByte(label) => Ok(label.to_string()),
        Field::UShort(label) => Ok(label.to_string()),
        Field::UInt(label) => Ok(label.to_string()),
        Field::ULong(label) => Ok(label.to_string()),
        other => text(other).map(str::to_owned),
    }
}

fn number(value: &Field) -> Result<String, String> {
    match value {
        Field::Float16(number) => Ok(number.to_string()),
        Field::Float(number) => Ok(number.to_string()),
        Field::Double(number) => Ok(number.to_string()),
        other => label(other),
    }
}

fn not_text(path: &Path, record: usize, field: &str, found: String) -> DataError {
    DataError::NotText { path: path.to_owned(), record, field: field.to_owned(), found }
}
