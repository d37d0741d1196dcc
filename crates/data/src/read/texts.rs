//! One text a row, with nothing left out.

use std::io::{BufReader, stdin};
use std::path::{Path, PathBuf};

use super::lines::Lines;
use super::records::Field;
use super::{Compression, Container, detect, read_records};
use crate::{DataError, Documents, FileFormat};

/// The texts of a file in their order: the lines of a plain text, or a field of every record. Row i is line or record i, so an
/// empty one is an error and not left out. The lines of a plain text are read one at a time.
pub struct Texts {
    path: PathBuf,
    rows: Rows,
    read: usize,
}

enum Rows {
    Lines(Lines),
    Records(Documents),
}

impl Texts {
    /// Texts of a file; `field` names that of records.
    ///
    /// # Errors
    /// What [`read_file`](crate::read_file) finds wrong, a record without text, and here or from the iterator an empty line or
    /// a file without a line.
    pub fn open(path: &Path, field: &str) -> Result<Self, DataError> {
        let rows = match detect(path, FileFormat::Auto)? {
            (Container::Text, compression) => Rows::Lines(Lines::open(path, compression)?),
            (container, compression) => Rows::Records(records(
                path,
                (container, compression),
                Field { key: "--text-field", name: field },
            )?),
        };
        Ok(Texts { path: path.to_owned(), rows, read: 0 })
    }

    /// The lines of standard input.
    pub fn standard_input() -> Self {
        let path = PathBuf::from("standard input");
        let lines = Lines::new(&path, Box::new(BufReader::new(stdin())), Compression::None);
        Texts { path, rows: Rows::Lines(lines), read: 0 }
    }

    /// All that are left.
    ///
    /// # Errors
    /// As for the iterator.
    pub fn read_all(self) -> Result<Vec<String>, DataError> {
        self.collect()
    }
}

impl Iterator for Texts {
    type Item = Result<String, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = match &mut self.rows {
            Rows::Lines(lines) => lines.next(),
            Rows::Records(texts) => (self.read < texts.len()).then(|| Ok(texts.get(self.read).to_owned())),
        };
        self.read += 1;
        match text {
            None if self.read == 1 => Some(Err(DataError::Empty { path: self.path.clone() })),
            Some(Ok(line)) if line.trim().is_empty() => {
                Some(Err(DataError::EmptyLine { path: self.path.clone(), line: self.read }))
            }
            text => text,
        }
    }
}

/// The field of every record. The records of JSON lines are numbered by their lines, so a gap is an empty line.
fn records(path: &Path, layout: (Container, Compression), field: Field) -> Result<Documents, DataError> {
    let mut texts = Documents::default();
    read_records(path, layout, field, &mut |record, text| {
        if record > texts.len() + 1 {
            return Err(DataError::EmptyLine { path: path.to_owned(), line: texts.len() + 1 });
        }
        if text.trim().is_empty() {
            let field = field.name.to_owned();
            return Err(DataError::EmptyText { path: path.to_owned(), record, field });
        }
        texts.push(text);
        Ok(())
    })?;
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(name: &str, content: &str) -> Result<Vec<String>, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        Texts::open(&path, "body")?.read_all()
    }

    #[test]
    fn every_line_or_record_is_a_row() {
        assert_eq!(texts("a.txt", "one\r\n two\none").unwrap(), ["one", " two", "one"]);
        let lines = "{\"body\": \"one\\ntwo\"}\n{\"body\": \"x\", \"other\": 1}\n";
        assert_eq!(texts("a.jsonl", lines).unwrap(), ["one\ntwo", "x"]);
        assert_eq!(texts("a.csv", "id,body\n1,\"a, b\"\n2,c\n").unwrap(), ["a, b", "c"]);
    }

    #[test]
    fn empty_rows_are_named_and_not_left_out() {
        let error = |name, content| texts(name, content).unwrap_err();
        assert!(matches!(error("a.txt", "a\n \nb\n"), DataError::EmptyLine { line: 2, .. }));
        assert!(matches!(error("a.txt", ""), DataError::Empty { .. }));
        assert!(matches!(
            error("a.jsonl", "{\"body\": \"a\"}\n\n{\"body\": \"b\"}"),
            DataError::EmptyLine { line: 2, .. }
        ));
        assert!(matches!(error("a.jsonl", "{\"body\": \" \"}"), DataError::EmptyText { record: 1, .. }));
        assert!(matches!(error("a.csv", "id,body\n1,a\n2,\n"), DataError::EmptyText { record: 2, .. }));
        assert!(matches!(error("a.csv", "id,body\n"), DataError::Empty { .. }));
        assert!(matches!(
            error("a.tsv", "id\ttext\n1\ta\n"),
            DataError::MissingField { key: "--text-field", .. }
        ));
    }
}
