//! Files of vectors, one row a text: written whole or not at all, and read back.

mod error;
mod format;
mod json_lines;
mod npy;
mod npz;
mod parquet;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use error::VectorError;
pub use format::{UnknownVectorFormat, VectorFormat};
pub use json_lines::write as write_json_lines;
pub use writer::VectorWriter;

use crate::DataError;

/// The vectors of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    /// The text of every row, of formats that hold them.
    pub texts: Option<Vec<String>>,
    /// Numbers of a vector.
    pub width: usize,
    /// `[rows, width]`, row after row.
    pub values: Vec<f32>,
}

impl Vectors {
    /// Number of vectors.
    pub fn rows(&self) -> usize {
        self.values.len() / self.width
    }
}

/// Reads a file of vectors; its name tells the format.
///
/// # Errors
/// A file that is missing, empty, truncated or of another format, rows of different widths, and the first row with a value that is
/// not finite.
pub fn read_vectors(path: &Path) -> Result<Vectors, VectorError> {
    let vectors = match VectorFormat::of(path)? {
        VectorFormat::JsonLines => json_lines::read(path)?,
        VectorFormat::Npy => npy::read(path)?,
        VectorFormat::Npz => npz::read(path)?,
        VectorFormat::Parquet => parquet::read(path)?,
    };
    if vectors.values.is_empty() {
        return Err(DataError::Empty { path: path.to_owned() }.into());
    }
    match vectors.values.iter().position(|value| !value.is_finite()) {
        Some(at) => {
            let (row, value) = (at / vectors.width + 1, vectors.values[at]);
            Err(VectorError::NotFinite { path: path.to_owned(), row, value })
        }
        None => Ok(vectors),
    }
}

/// Rows that are read one after another, all as wide as the first.
struct Rows<'a> {
    path: &'a Path,
    width: Option<usize>,
    rows: usize,
    values: Vec<f32>,
}

impl<'a> Rows<'a> {
    fn new(path: &'a Path) -> Self {
        Rows { path, width: None, rows: 0, values: Vec::new() }
    }

    fn push(&mut self, vector: &[f32]) -> Result<(), VectorError> {
        let (row, expected) = (self.rows + 1, *self.width.get_or_insert(vector.len()));
        if vector.len() != expected {
            let path = self.path.to_owned();
            return Err(VectorError::Uneven { path, row, found: vector.len(), expected });
        }
        self.values.extend_from_slice(vector);
        self.rows = row;
        Ok(())
    }

    fn finish(self, texts: Option<Vec<String>>) -> Vectors {
        Vectors { texts, width: self.width.unwrap_or(0), values: self.values }
    }
}
