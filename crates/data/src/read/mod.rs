//! From a path to documents.

mod delimited;
mod format;
mod json_lines;
mod lines;
mod parquet;
mod plain;
mod records;
mod source;
mod texts;

use std::path::{Path, PathBuf};

pub(crate) use format::{Compression, Container, detect, split_compression};
pub(crate) use json_lines::first_record;
pub(crate) use parquet::open as open_parquet;
use records::{Field, Fields, LabelledRecords, Receive, ReceiveText, Second, push_pair, push_score};
pub(crate) use source::{bytes, open, unreadable};
pub use texts::Texts;

use crate::labelled::LabelledTexts;
use crate::pairs::Pairs;
use crate::{DataConfig, DataError, Documents};

/// The documents of all `paths`, in order; folders stand for their data files sorted by name.
pub(crate) fn read_all(paths: &[PathBuf], config: &DataConfig) -> Result<Documents, DataError> {
    let mut all = Documents::default();
    for path in paths {
        for file in expand(path)? {
            all.append(read_file(&file, config)?);
        }
    }
    Ok(all)
}

/// The documents of one file. Of `config`, only the format, the text field and the document
/// separator matter.
///
/// # Errors
/// A missing, empty, binary, non-UTF-8, truncated, corrupt or malformed file, or one without the
/// text field; always with the place in the file.
pub fn read_file(path: &Path, config: &DataConfig) -> Result<Documents, DataError> {
    let (container, compression) = detect(path, config.format)?;
    let mut documents = Documents::default();
    if container == Container::Text {
        documents = plain::read(source::text(path, compression)?, config.document_separator);
    } else {
        let field = Field { key: "data.text_field", name: &config.text_field };
        read_records(path, (container, compression), field, &mut |_, text| {
            documents.push(text);
            Ok(())
        })?;
    }
    if documents.is_empty() { Err(DataError::Empty { path: path.to_owned() }) } else { Ok(documents) }
}

/// Hands out a field of every record of a file that is not plain text.
fn read_records(
    path: &Path,
    (container, compression): (Container, Compression),
    field: Field,
    receive: ReceiveText,
) -> Result<(), DataError> {
    match container {
        Container::Text => unreachable!("plain text has no records"),
        Container::Parquet => parquet::read(path, field, receive),
        Container::JsonLines => json_lines::read(path, &source::text(path, compression)?, field, receive),
        Container::Delimited(separator) => {
            delimited::read(path, &source::text(path, compression)?, separator, field, receive)
        }
    }
}

/// The texts of one file with their labels.
pub(crate) fn read_labelled_file(path: &Path, config: &DataConfig) -> Result<LabelledTexts, DataError> {
    let fields = Fields::labelled(config);
    let mut records = LabelledRecords::new(path, fields);
    read_two(path, config, fields, &mut |record, text, label| records.push(record, text, label))?;
    let records = records.finish();
    if records.is_empty() { Err(DataError::Empty { path: path.to_owned() }) } else { Ok(records) }
}

/// The pairs of one file.
pub(crate) fn read_pairs_file(path: &Path, config: &DataConfig) -> Result<Pairs, DataError> {
    let fields = Fields::pairs(config);
    let mut pairs = Pairs::default();
    read_two(path, config, fields, &mut |record, source, target| {
        push_pair(&mut pairs, (path, fields), record, [source, target])
    })?;
    if pairs.is_empty() { Err(DataError::Empty { path: path.to_owned() }) } else { Ok(pairs) }
}

/// The numbers beside the sources of one file's pairs, from a field of this name.
pub(crate) fn read_scores_file(
    path: &Path,
    config: &DataConfig,
    score_field: &str,
) -> Result<Vec<f64>, DataError> {
    let fields = Fields::scored(config, score_field);
    let mut scores = Vec::new();
    read_two(path, config, fields, &mut |record, _, score| {
        push_score(&mut scores, (path, fields), record, score)
    })?;
    Ok(scores)
}

/// Hands out two fields of every record.
fn read_two(path: &Path, config: &DataConfig, fields: Fields, receive: Receive) -> Result<(), DataError> {
    let (container, compression) = detect(path, config.format)?;
    match container {
        Container::Text if fields.kind == Second::Label => {
            Err(DataError::Unlabelled { path: path.to_owned() })
        }
        Container::Text => Err(DataError::Unpaired { path: path.to_owned() }),
        Container::Parquet => parquet::read_two(path, fields, receive),
        Container::JsonLines => {
            json_lines::read_two(path, &source::text(path, compression)?, fields, receive)
        }
        Container::Delimited(separator) => {
            delimited::read_two(path, &source::text(path, compression)?, separator, fields, receive)
        }
    }
}

/// Decompressed and checked text of a file that is not Parquet.
pub(crate) fn file_text(path: &Path, compression: Compression) -> Result<String, DataError> {
    source::text(path, compression)
}

/// Header of a delimited file, or columns of a Parquet file.
pub(crate) fn columns(path: &Path, container: Container, text: &str) -> Result<Vec<String>, DataError> {
    match container {
        Container::Delimited(separator) => delimited::header(path, text, separator),
        Container::Parquet => parquet::columns(path),
        Container::Text | Container::JsonLines => Ok(Vec::new()),
    }
}

/// The files that a path stands for.
pub(crate) fn expand(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = entries(path)?;
    files.retain(|file| file.is_file() && detect(file, crate::FileFormat::Auto).is_ok());
    if files.is_empty() {
        return Err(DataError::EmptyFolder { path: path.to_owned() });
    }
    Ok(files)
}

/// What a folder holds, sorted by name.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let wrap = |source| unreadable(folder, source);
    let entries = std::fs::read_dir(folder).map_err(wrap)?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(wrap)?;
    paths.sort();
    Ok(paths)
}
