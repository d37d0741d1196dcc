//! What a file of the user's is, to write a first config for it.

use std::path::{Path, PathBuf};

use crate::read::{self, Container};
use crate::{DataConfig, DataError, DocumentSeparator, FileFormat};

/// Names that a text field usually has, best first.
const USUAL_FIELDS: [&str; 7] = ["text", "content", "body", "sentence", "document", "article", "story"];

/// A data file as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSummary {
    /// The file.
    pub path: PathBuf,
    /// Its format.
    pub format: FileFormat,
    /// Fields or columns; empty for plain text.
    pub fields: Vec<String>,
    /// The field that most likely holds the text: the usual name, else the one with the longest
    /// first value. `text` for plain text.
    pub text_field: String,
    /// Where documents most likely end: a file of complete lines is one document a line, running
    /// prose is one document.
    pub document_separator: DocumentSeparator,
    /// Documents with these settings.
    pub documents: usize,
    /// UTF-8 bytes of their text.
    pub bytes: u64,
    /// Bytes of the longest document.
    pub longest: usize,
}

impl FileSummary {
    /// The settings that read this file.
    pub fn config(&self) -> DataConfig {
        DataConfig {
            train: vec![self.path.clone()],
            text_field: self.text_field.clone(),
            document_separator: self.document_separator,
            ..DataConfig::default()
        }
    }
}

/// Reads a file whole and says what it is.
///
/// # Errors
/// Anything that would also stop a run from reading it.
pub fn inspect(path: &Path) -> Result<FileSummary, DataError> {
    let (container, compression) = read::detect(path, FileFormat::Auto)?;
    let mut summary = FileSummary {
        path: path.to_owned(),
        format: format(container),
        fields: Vec::new(),
        text_field: DataConfig::default().text_field,
        document_separator: DocumentSeparator::File,
        documents: 0,
        bytes: 0,
        longest: 0,
    };
    if container == Container::Parquet {
        summary.fields = read::columns(path, container, "")?;
        summary.text_field = usual(&summary.fields).unwrap_or(summary.text_field);
    } else {
        describe(&mut summary, container, &read::file_text(path, compression)?)?;
    }
    let documents = read::read_file(path, &summary.config())?;
    summary.documents = documents.len();
    summary.bytes = documents.bytes();
    summary.longest = documents.iter().map(str::len).max().unwrap_or(0);
    Ok(summary)
}

fn describe(summary: &mut FileSummary, container: Container, text: &str) -> Result<(), DataError> {
    let path = summary.path.clone();
    match container {
        Container::Text => summary.document_separator = separator(text),
        Container::JsonLines => {
            let record = read::first_record(&path, text)?;
            summary.fields = record.keys().cloned().collect();
            let length = |field: &String| record[field].as_str().map_or(0, str::len);
            let longest = summary.fields.iter().max_by_key(|field| length(field)).cloned();
            summary.text_field = usual(&summary.fields).or(longest).unwrap_or_default();
        }
        Container::Delimited(_) | Container::Parquet => {
            summary.fields = read::columns(&path, container, text)?;
            let last = summary.fields.last().cloned();
            summary.text_field = usual(&summary.fields).or(last).unwrap_or_default();
        }
    }
    Ok(())
}

fn format(container: Container) -> FileFormat {
    match container {
        Container::Text => FileFormat::Text,
        Container::JsonLines => FileFormat::JsonLines,
        Container::Delimited(b'\t') => FileFormat::Tsv,
        Container::Delimited(_) => FileFormat::Csv,
        Container::Parquet => FileFormat::Parquet,
    }
}

fn usual(fields: &[String]) -> Option<String> {
    USUAL_FIELDS
        .iter()
        .find_map(|usual| fields.iter().find(|field| field.eq_ignore_ascii_case(usual)))
        .cloned()
}

/// Complete lines: many of them, none blank in between, and either most end like a sentence or all
/// have the same number of characters, as verse has.
fn separator(text: &str) -> DocumentSeparator {
    if text.lines().any(|line| line.trim() == crate::END_OF_TEXT) {
        return DocumentSeparator::Marker;
    }
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    let many = lines.len() >= 20 && lines.iter().all(|line| !line.is_empty());
    let ends = |line: &&&str| line.ends_with(['.', '!', '?', '"', '”', '。', '！', '？', '」', '』', '…']);
    let sentences = lines.iter().filter(ends).count() * 2 > lines.len();
    let length = |line: &&str| line.chars().count();
    let verse = || lines.iter().all(|line| length(line) == length(&lines[0]));
    if many && (sentences || verse()) { DocumentSeparator::Line } else { DocumentSeparator::File }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, contents: &str) -> FileSummary {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, contents).unwrap();
        let mut summary = inspect(&path).unwrap();
        assert_eq!(summary.config().train, [path]);
        summary.path = PathBuf::new();
        summary
    }

    #[test]
    fn prose_is_one_document() {
        let summary = file("a.txt", &"It is a truth\nuniversally acknowledged.\n\n".repeat(30));
        assert_eq!((summary.document_separator, summary.documents), (DocumentSeparator::File, 1));
        let wrapped = file("a.txt", &"a line that goes on\nand on and on and\n".repeat(30));
        assert_eq!(wrapped.document_separator, DocumentSeparator::File);
    }

    #[test]
    fn sentences_and_verse_are_documents_by_line() {
        let sentences = file("a.txt", &"He came.\nShe saw!\n".repeat(30));
        assert_eq!((sentences.document_separator, sentences.documents), (DocumentSeparator::Line, 60));
        let verse = file("a.txt", &"白日依山盡\n黃河入海流\n".repeat(30));
        assert_eq!((verse.document_separator, verse.longest), (DocumentSeparator::Line, 15));
        let marked = file("a.txt", "one\n<|endoftext|>\ntwo\n");
        assert_eq!((marked.document_separator, marked.documents), (DocumentSeparator::Marker, 2));
    }

    #[test]
    fn the_text_field_is_guessed() {
        let json = file("a.jsonl", "{\"id\": \"1\", \"prose\": \"a long text\"}\n");
        assert_eq!((json.text_field.as_str(), json.bytes), ("prose", 11));
        assert_eq!(json.fields, ["id", "prose"]);
        let csv = file("a.csv", "Text,label\nabc,1\nde,2\n");
        assert_eq!((csv.text_field.as_str(), csv.documents, csv.longest), ("Text", 2, 3));
        assert_eq!(file("a.tsv", "id\tverse\n1\tab\n").text_field, "verse");
    }
}
