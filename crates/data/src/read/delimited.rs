//! CSV and TSV with a header row.

use std::path::Path;

use csv::{Reader, ReaderBuilder, StringRecord};

use super::Fields;
use crate::labelled::LabelledTexts;
use crate::{DataError, Documents};

/// The cells of column `field`.
pub(super) fn read(path: &Path, text: &str, separator: u8, field: &str) -> Result<Documents, DataError> {
    let mut reader = reader(text, separator);
    let column = column(path, &mut reader, "data.text_field", field)?;
    let (mut documents, mut record) = (Documents::default(), StringRecord::new());
    while reader.read_record(&mut record).map_err(|source| malformed(path, source))? {
        // The reader has checked that every record is as long as the header.
        documents.push(record.get(column).unwrap_or_default());
    }
    Ok(documents)
}

/// The cells of the columns of text and label.
pub(super) fn read_labelled(
    path: &Path,
    text: &str,
    separator: u8,
    fields: Fields,
) -> Result<LabelledTexts, DataError> {
    let mut reader = reader(text, separator);
    let text = column(path, &mut reader, "data.text_field", fields.text)?;
    let label = column(path, &mut reader, "data.label_field", fields.label)?;
    let (mut records, mut record) = (super::Records::new(path, fields), StringRecord::new());
    let mut number = 0;
    while reader.read_record(&mut record).map_err(|source| malformed(path, source))? {
        number += 1;
        records.push(number, record.get(text).unwrap_or_default(), record.get(label).unwrap_or_default())?;
    }
    Ok(records.finish())
}

/// The names in the header row.
pub(super) fn header(path: &Path, text: &str, separator: u8) -> Result<Vec<String>, DataError> {
    let mut reader = reader(text, separator);
    let header = reader.headers().map_err(|source| malformed(path, source))?;
    Ok(header.iter().map(str::to_owned).collect())
}

fn column(
    path: &Path,
    reader: &mut Reader<&[u8]>,
    key: &'static str,
    field: &str,
) -> Result<usize, DataError> {
    let header = reader.headers().map_err(|source| malformed(path, source))?;
    header.iter().position(|name| name == field).ok_or_else(|| DataError::MissingField {
        path: path.to_owned(),
        record: 0,
        key,
        field: field.to_owned(),
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
