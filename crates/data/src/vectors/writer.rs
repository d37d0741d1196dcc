//! A file of vectors that appears when it is complete.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::json_lines::JsonLines;
use super::npy::Npy;
use super::npz::Npz;
use super::parquet::Parquet;
use super::{VectorError, VectorFormat};

/// One format under construction.
pub(super) trait Sink {
    /// Adds rows, `values` `[texts, width]`.
    fn write(&mut self, texts: &[&str], values: &[f32]) -> io::Result<()>;

    /// Writes what is still missing.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// A file of vectors under construction beside its final place. Whatever goes wrong, there is either nothing or the whole file
/// under its name.
pub struct VectorWriter {
    target: PathBuf,
    width: usize,
    sink: Box<dyn Sink>,
    partial: NamedTempFile,
}

impl VectorWriter {
    /// Begins a file of vectors of `width` numbers that will appear at `target`.
    ///
    /// # Errors
    /// [`VectorError::Write`] if nothing can be made there.
    pub fn create(target: &Path, format: VectorFormat, width: usize) -> Result<Self, VectorError> {
        let begin = || -> io::Result<(Box<dyn Sink>, NamedTempFile)> {
            let folder = match target.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            };
            let partial = partial(folder)?;
            let file = partial.reopen()?;
            let sink: Box<dyn Sink> = match format {
                VectorFormat::JsonLines => Box::new(JsonLines(BufWriter::new(file))),
                VectorFormat::Npy => Box::new(Npy::new(file, width)?),
                VectorFormat::Npz => Box::new(Npz::new(file, folder, width)?),
                VectorFormat::Parquet => Box::new(Parquet::new(file)?),
            };
            Ok((sink, partial))
        };
        let (sink, partial) =
            begin().map_err(|source| VectorError::Write { path: target.to_owned(), source })?;
        Ok(VectorWriter { target: target.to_owned(), width, sink, partial })
    }

    /// Adds a vector for each text, `values` `[texts, width]`, row after row. Many at once make a better file.
    ///
    /// # Errors
    /// [`VectorError::Write`], for instance when the disk is full.
    ///
    /// # Panics
    /// If there are not as many values as that.
    pub fn write(&mut self, texts: &[&str], values: &[f32]) -> Result<(), VectorError> {
        assert_eq!(values.len(), texts.len() * self.width, "one vector for each text");
        let written = self.sink.write(texts, values);
        written.map_err(|source| VectorError::Write { path: self.target.clone(), source })
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// [`VectorError::Write`], also if something is there by now.
    pub fn commit(self) -> Result<(), VectorError> {
        let VectorWriter { target, sink, partial, .. } = self;
        let place = || -> io::Result<File> {
            sink.finish()?;
            partial.as_file().sync_all()?;
            Ok(partial.persist_noclobber(&target)?)
        };
        place().map(|_| ()).map_err(|source| VectorError::Write { path: target.clone(), source })
    }
}

/// A file with a name of its own, which is removed unless it is put in its place.
fn partial(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".partial-");
    // Temporary files are their owner's alone; this one is to be as readable as any other.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}
