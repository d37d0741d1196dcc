//! What can be wrong with a file of vectors.

use std::io;
use std::path::PathBuf;

use mixlab_core::{Diagnose, ExitKind};

use crate::DataError;

/// A file of vectors that cannot be written, or not be read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VectorError {
    /// The file itself cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A name that does not tell the format.
    #[error("the name of {path} tells no format of vectors")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused to write.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that is not of its format.
    #[error("{path} is not a sound file of vectors: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// A line of JSON lines without a vector.
    #[error("{path}, line {line}: expected an object with a list of numbers under `embedding`")]
    NoVector {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// A file that holds something else than one vector a row.
    #[error("{path} holds {found}, expected {expected}")]
    NoMatrix {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What it must hold.
        expected: &'static str,
    },
    /// Vectors of different widths.
    #[error("{path}, row {row}: the vector has {found} numbers, those before it have {expected}")]
    Uneven {
        /// The file.
        path: PathBuf,
        /// Row, from 1.
        row: usize,
        /// Its numbers.
        found: usize,
        /// Numbers of the rows before it.
        expected: usize,
    },
    /// A vector with something else than numbers in it.
    #[error("{path}, row {row}: the vector holds {value}")]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Row, from 1.
        row: usize,
        /// NaN or an infinity.
        value: f32,
    },
}

impl Diagnose for VectorError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            VectorError::Data(error) => return error.hint(),
            VectorError::UnknownFormat { .. } => "end the name in .jsonl, .npy, .npz or .parquet".into(),
            VectorError::Write { .. } => {
                "check that the folder exists, is writable and has space left; nothing was written".into()
            }
            VectorError::Damaged { .. } => "the file was cut short or changed: embed the texts again".into(),
            VectorError::NoVector { .. } => {
                "every line must be an object such as {\"text\": \"…\", \"embedding\": [0.6, 0.8]}".into()
            }
            VectorError::NoMatrix { .. } => "give a file that `mixlab embed` wrote, or one like it".into(),
            VectorError::Uneven { .. } => "embed all texts with the same model".into(),
            VectorError::NotFinite { .. } => "embed that text again, or leave the row out".into(),
        })
    }

    fn exit(&self) -> ExitKind {
        match self {
            VectorError::Data(error) => error.exit(),
            VectorError::Write { .. } => ExitKind::Failed,
            _ => ExitKind::Usage,
        }
    }
}
