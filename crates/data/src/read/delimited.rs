//! CSV and TSV with a header row.

use std::path::Path;

use csv::{Reader, ReaderBuilder, StringRecord};

use crate::{DataError, Documents};

/// The cells of column `field`.
pub(super) fn read(path: &Path, text: &str, separator: u8, field: &str) -> Result<Documents, DataError> {
    let mut reader = reader(text, separator);
    let header = reader.headers().map_err(|source| malformed(path, source))?;
    let Some(column) = header.iter().position(|name| name == field) else {
        return Err(DataError::MissingField {
            path: path.to_owned(),
            record: 0,
            field: field.to_owned(),
            available: header.iter().map(str::to_owned).collect(),
        });
    };
    let (mut documents, mut record) = (Documents::default(), StringRecord::new());
    while reader.read_record(&mut record).map_err(|source| malformed(path, source))? {
        // The reader has checked that every record is as long as the header.
        documents.push(record.get(column).unwrap_or_default());
    }
    Ok(documents)
}

/// The names in the header row.
pub(super) fn header(path: &Path, text: &str, separator: u8) -> Result<Vec<String>, DataError> {
    let mut reader = reader(text, separator);
    let header = reader.headers().map_err(|source| malformed(path, source))?;
    Ok(header.iter().map(str::to_owned).collect())
}

fn reader(text: &str, separator: u8) -> Reader<&[u8]> {
    // Quotes are ordinary characters in tab-separated files, which have no way to escape them.
    ReaderBuilder::new().delimiter(separator).quoting(separator != b'\t').from_reader(text.as_bytes())
}

fn malformed(path: &Path, source: csv::Error) -> DataError {
    let line = source.position().map_or(1, |position| position.line());
    DataError::Delimited { path: path.to_owned(), line, source }
}
