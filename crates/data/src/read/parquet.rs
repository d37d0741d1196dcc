//! Apache Parquet, one text column.

use std::path::Path;
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;

use super::source;
use crate::{DataError, Documents};

/// The strings of column `field`, row by row; only that column is read from the disk.
pub(super) fn read(path: &Path, field: &str) -> Result<Documents, DataError> {
    let reader = open(path)?;
    let bad = |source: ParquetError| DataError::Parquet { path: path.to_owned(), source };
    let schema = reader.metadata().file_metadata().schema();
    let Some(column) = schema.get_fields().iter().find(|column| column.name() == field) else {
        return Err(DataError::MissingField {
            path: path.to_owned(),
            record: 0,
            field: field.to_owned(),
            available: names(schema),
        });
    };
    let projection =
        Type::group_type_builder(schema.name()).with_fields(vec![Arc::clone(column)]).build().map_err(bad)?;
    let mut documents = Documents::default();
    for (index, row) in reader.get_row_iter(Some(projection)).map_err(bad)?.enumerate() {
        for (_, value) in row.map_err(bad)?.get_column_iter() {
            push(&mut documents, value).map_err(|found| DataError::NotText {
                path: path.to_owned(),
                record: index + 1,
                field: field.to_owned(),
                found,
            })?;
        }
    }
    Ok(documents)
}

/// Names of the top-level columns.
pub(super) fn columns(path: &Path) -> Result<Vec<String>, DataError> {
    Ok(names(open(path)?.metadata().file_metadata().schema()))
}

fn open(path: &Path) -> Result<SerializedFileReader<std::fs::File>, DataError> {
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

fn push(documents: &mut Documents, value: &Field) -> Result<(), String> {
    match value {
        Field::Str(text) => documents.push(text),
        // Writers without a logical type store text as plain bytes.
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => documents.push(text),
            Err(error) => return Err(format!("bytes that are not UTF-8 at offset {}", error.valid_up_to())),
        },
        Field::Null => return Err("null".to_owned()),
        other => return Err(format!("the value {other}")),
    }
    Ok(())
}
