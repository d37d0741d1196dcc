//! Everything that can be wrong with a data file, a tokenizer or the layout of a batch.

use std::io;
use std::path::PathBuf;

use mixlab_core::Diagnose;

/// What went wrong, with the file, the place in it, and the numbers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// No training files are named.
    #[error("`data.train` names no file")]
    NothingToRead,
    /// A config value outside its range.
    #[error("`{key}` is {value}; it must be {range}")]
    OutOfRange {
        /// Dotted path of the key.
        key: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        range: String,
    },
    /// The same file is trained on and measured on.
    #[error("{path} is listed under `data.evaluate` and under `data.train`")]
    Overlap {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder that does not exist.
    #[error("{path} does not exist")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused to read or write.
    #[error("cannot {action} {path}")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A name that does not tell the format.
    #[error("the name of {path} does not tell its format")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A folder without data files.
    #[error("folder {path} holds no data file")]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A file without a byte, or without a document.
    #[error("{path} holds no text")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A file with a NUL byte.
    #[error("{path} is not text: NUL byte at offset {offset}")]
    Binary {
        /// The file.
        path: PathBuf,
        /// Position of the first NUL, in decompressed bytes from 0.
        offset: usize,
    },
    /// A file that is not UTF-8.
    #[error("{path} is not UTF-8: byte 0x{byte:02x} at offset {offset} (line {line})")]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Position of the first bad byte, in decompressed bytes from 0.
        offset: usize,
        /// Its line, from 1.
        line: usize,
        /// The byte.
        byte: u8,
        /// The encoding that the first bytes betray.
        encoding: Option<&'static str>,
    },
    /// A compressed file that ends early.
    #[error("{path} ends in the middle of its {compression} stream, after {bytes} decompressed bytes")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// `gzip` or `zstd`.
        compression: &'static str,
        /// How much came out before the end.
        bytes: usize,
    },
    /// A compressed file whose contents contradict themselves.
    #[error("{path} is not a sound {compression} file, after {bytes} decompressed bytes")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// `gzip` or `zstd`.
        compression: &'static str,
        /// How much came out before the fault.
        bytes: usize,
        /// What the decompressor said.
        #[source]
        source: io::Error,
    },
    /// A line of a JSON-lines file that is not JSON.
    #[error("{path}, line {line}: not valid JSON")]
    BrokenJson {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the parser said, with the column.
        #[source]
        source: serde_json::Error,
    },
    /// A line of a JSON-lines file that is JSON, but no object.
    #[error("{path}, line {line}: expected a JSON object, found {found}")]
    NotAnObject {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The JSON type found.
        found: &'static str,
    },
    /// A record without the text field.
    #[error("{path}, record {record}: no field `{field}`")]
    MissingField {
        /// The file.
        path: PathBuf,
        /// Record, from 1; 0 stands for the header or schema.
        record: usize,
        /// The field asked for.
        field: String,
        /// The fields that are there.
        available: Vec<String>,
    },
    /// A record whose text field is no text.
    #[error("{path}, record {record}: field `{field}` is {found}, not text")]
    NotText {
        /// The file.
        path: PathBuf,
        /// Record, from 1.
        record: usize,
        /// The field.
        field: String,
        /// What it holds.
        found: String,
    },
    /// A CSV or TSV file that cannot be parsed.
    #[error("{path}, line {line}: malformed record")]
    Delimited {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What the parser said.
        #[source]
        source: csv::Error,
    },
    /// A Parquet file that cannot be read.
    #[error("{path} is not a sound Parquet file")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// Too little text for one row.
    #[error("the {part} text has {tokens} tokens, fewer than one sequence of {length}")]
    TooShort {
        /// `training` or `held-out`.
        part: &'static str,
        /// Tokens there are.
        tokens: usize,
        /// Tokens one row takes.
        length: usize,
    },
    /// More tokens than 32-bit document bookkeeping can hold.
    #[error("the corpus has {documents} documents; the limit is {limit}")]
    TooManyDocuments {
        /// Documents there are.
        documents: usize,
        /// The most there may be.
        limit: usize,
    },
    /// A `tokenizer.json` that cannot be used.
    #[error("{path} is not a usable tokenizer: {reason}")]
    BadTokenizer {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The tokenizer library refused to train or to encode.
    #[error("the tokenizer failed to {action}: {reason}")]
    Tokenizer {
        /// `train` or `encode`.
        action: &'static str,
        /// What it said.
        reason: String,
    },
    /// A masked objective with a tokenizer that has no mask token.
    #[error("the tokenizer has no mask token")]
    NoMaskToken,
}

impl Diagnose for DataError {
    fn hint(&self) -> Option<String> {
        use DataError::*;
        Some(match self {
            NothingToRead => "name at least one file, for example `train = [\"book.txt\"]` under `[data]`".into(),
            OutOfRange { key, range, .. } => format!("set `{key}` to {range}"),
            Overlap { .. } => "measure on text the model has not seen: remove the file from one of the lists, or empty `data.evaluate` to hold out the end of the training text".into(),
            Missing { .. } => "paths are taken from the folder the program is started in".into(),
            Io { .. } => return None,
            UnknownFormat { .. } => "rename it (.txt, .md, .jsonl, .csv, .tsv, each also with .gz or .zst, or .parquet) or set `data.format`".into(),
            EmptyFolder { .. } => "name a folder with .txt, .md, .jsonl, .csv, .tsv or .parquet files".into(),
            Empty { .. } => "check that the file was written completely".into(),
            Binary { .. } => "convert it to UTF-8 text first; compressed files need their ending, .gz or .zst".into(),
            NotUtf8 { encoding: Some(encoding), .. } => {
                format!("it starts like {encoding}: convert it, for example with `iconv -f {encoding} -t UTF-8`")
            }
            NotUtf8 { .. } => "convert it, for example with `iconv -f WINDOWS-1252 -t UTF-8`".into(),
            Truncated { .. } => "the download or copy was cut short: fetch the file again".into(),
            Corrupt { compression, .. } => format!("fetch the file again, or check that it really is {compression}"),
            BrokenJson { .. } => "every line must be one complete JSON object".into(),
            NotAnObject { .. } => "every line must be an object such as {\"text\": \"…\"}".into(),
            MissingField { field, available, .. } => missing_field_hint(field, available),
            NotText { .. } => "name another field with `data.text_field`, or drop such records".into(),
            Delimited { .. } => "check the quotes and the number of fields on that line".into(),
            Parquet { .. } => "fetch or write the file again; supported compressions are none, snappy, gzip and zstd".into(),
            TooShort { .. } => "give more text, or a smaller sequence length".into(),
            TooManyDocuments { .. } => "join short documents, or use fewer files".into(),
            BadTokenizer { .. } => "give a tokenizer.json written by `mixlab tokenizer train` or by the Hugging Face tokenizers library".into(),
            Tokenizer { .. } => "train a tokenizer on this text with `mixlab tokenizer train`".into(),
            NoMaskToken => "use a tokenizer trained by this program, or add a <|mask|> token to yours".into(),
        })
    }
}

fn missing_field_hint(field: &str, available: &[String]) -> String {
    let nearest = available
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&name.to_lowercase(), &field.to_lowercase()), name))
        .min();
    match nearest {
        None => "the record has no fields at all".to_owned(),
        Some((distance, name)) if distance <= 2 => {
            format!("did you mean `data.text_field = \"{name}\"`?")
        }
        Some(_) => format!("set `data.text_field` to one of: {}", available.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_names_the_nearest_field_or_lists_them() {
        let names = vec!["title".to_owned(), "Text".to_owned()];
        assert_eq!(missing_field_hint("txt", &names), "did you mean `data.text_field = \"Text\"`?");
        assert!(missing_field_hint("paragraph", &names).ends_with("title, Text"));
        assert!(missing_field_hint("text", &[]).contains("no fields"));
    }
}
