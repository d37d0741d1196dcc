//! CSV and TSV with a header row.

use std::path::Path;

use csv::{Reader, ReaderBuilder, StringRecord};

use super::records::{Field, Fields, Receive, ReceiveText};
use crate::DataError;

/// The cells of column `field`.
pub(super) fn read(
    path: &Path,
    text: &str,
    separator: u8,
    field: Field,
    receive: ReceiveText,
) -> Result<(), DataError> {
    let mut reader = reader(text, separator);
    let column = column(path, &mut reader, field)?;
    let (mut record, mut number) = (StringRecord::new(), 0);
    while reader.read_record(&mut record).map_err(|source| malformed(path, source))? {
        number += 1;
        // The reader has checked that every record is as long as the header.
        receive(number, record.get(column).unwrap_or_default())?;
    }
    Ok(())
}

/// The cells of both columns.
pub(super) fn read_two(
    path: &Path,
    text: &str,
    separator: u8,
    fields: Fields,
    receive: Receive,
) -> Result<(), DataError> {
    let mut reader = reader(text, separator);
    let first = column(path, &mut reader, fields.first)?;
    let second = column(path, &mut reader, fields.second)?;
    let (mut record, mut number) = (StringRecord::new(), 0);
    while reader.read_record(&mut record).map_err(|source| malformed(path, source))? {
        number += 1;
        receive(number, record.get(first).unwrap_or_default(), record.get(second).unwrap_or_default())?;
    }
    Ok(())
}

/// The names in the header row.
pub(super) fn header(path: &Path, text: &str, separator: u8) -> Result<Vec<String>, DataError> {
    let mut reader = reader(text, separator);
    let header = reader.headers().map_err(|source| malformed(path, source))?;
    Ok(header.iter().map(str::to_owned).collect())
}

fn column(path: &Path, reader: &mut Reader<&[u8]>, field: Field) -> Result<usize, DataError> {
    let header = reader.headers().map_err(|source| malformed(path, source))?;
    header.iter().position(|name| name == field.name).ok_or_else(|| DataError::MissingField {
        path: path.to_owned(),
        record: 0,
        key: field.key,
        field: field.name.to_owned(),
        available: header.iter().map(str::to_owned).collect(),
    })
}

fn reader(text: &str, separator: u8) -> Reader<&[u8]> {
    // Quotes are ordinary characters in tab-separated files, which have no way to escape them.
    ReaderBuilder::new().delimiter(separator).quoting(separator != b'\t').from_reader(text.as_bytes())
}

fn malformed(path: &Path, source: csv::Error) -> DataError {
    let line = source.position().map_or(1, |position| position.line());
    DataError::Delimited { path: path.to_owned(), line, source }
}
