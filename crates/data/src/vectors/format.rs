//! How vectors are laid out in a file.

use std::path::Path;
use std::str::FromStr;

use super::VectorError;

/// Layout of a file of vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorFormat {
    /// One object a line: `{"text": "…", "embedding": […]}`.
    JsonLines,
    /// One NumPy array `[rows, width]` of 32-bit numbers.
    Npy,
    /// An archive with the array `embeddings`, laid out as [`VectorFormat::Npy`].
    Npz,
    /// Columns `text` (string) and `embedding` (list of 32-bit numbers).
    Parquet,
}

impl VectorFormat {
    /// All formats.
    pub const ALL: [Self; 4] =
        [VectorFormat::JsonLines, VectorFormat::Npy, VectorFormat::Npz, VectorFormat::Parquet];

    /// Its name, which is the ending of its files too.
    pub fn name(self) -> &'static str {
        match self {
            VectorFormat::JsonLines => "jsonl",
            VectorFormat::Npy => "npy",
            VectorFormat::Npz => "npz",
            VectorFormat::Parquet => "parquet",
        }
    }

    /// The format that the name of a file tells.
    ///
    /// # Errors
    /// [`VectorError::UnknownFormat`].
    pub fn of(path: &Path) -> Result<Self, VectorError> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let format = ending.and_then(|ending| ending.replace("ndjson", "jsonl").parse().ok());
        format.ok_or_else(|| VectorError::UnknownFormat { path: path.to_owned() })
    }
}

/// A format that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("unknown format `{0}`, expected jsonl, npy, npz or parquet")]
pub struct UnknownVectorFormat(String);

impl FromStr for VectorFormat {
    type Err = UnknownVectorFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = VectorFormat::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| UnknownVectorFormat(name.to_owned()))
    }
}
