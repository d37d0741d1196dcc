//! NumPy's archive of arrays, with one array in it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, Write};
use std::path::Path;

use zip::write::FileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::npy::{Npy, read_array};
use super::writer::Sink;
use super::{VectorError, Vectors};
use crate::read::open;

/// Name of the array.
const NAME: &str = "embeddings";

/// Ending of a file that is an array; its name without it is the array's.
const ENDING: &str = ".npy";

/// An archive. A file in it says its size at its beginning, so the array is kept apart until all of it is there.
pub(super) struct Npz {
    array: Box<Npy>,
    kept: File,
    archive: File,
}

impl Npz {
    /// Writes into `archive`; the array is kept in `folder` until then.
    pub fn new(archive: File, folder: &Path, width: usize) -> io::Result<Self> {
        let kept = tempfile::tempfile_in(folder)?;
        Ok(Npz { array: Box::new(Npy::new(kept.try_clone()?, width)?), kept, archive })
    }
}

impl Sink for Npz {
    fn write(&mut self, texts: &[&str], values: &[f32]) -> io::Result<()> {
        self.array.write(texts, values)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let Npz { array, mut kept, archive } = *self;
        array.finish()?;
        kept.rewind()?;
        let mut archive = ZipWriter::new(BufWriter::new(archive));
        // As NumPy does: not compressed, and with sizes beyond 4 GiB.
        let options = FileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
        archive.start_file(format!("{NAME}{ENDING}"), options)?;
        io::copy(&mut kept, &mut archive)?;
        archive.finish()?.flush()
    }
}

/// Reads the array `embeddings`, or the only one there is.
pub(super) fn read(path: &Path) -> Result<Vectors, VectorError> {
    let damaged = |error: zip::result::ZipError| VectorError::Damaged {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut archive = ZipArchive::new(BufReader::new(open(path)?)).map_err(damaged)?;
    let names: Vec<&str> = archive.file_names().filter_map(|name| name.strip_suffix(ENDING)).collect();
    let name = match names[..] {
        [only] => only,
        _ if names.contains(&NAME) => NAME,
        _ => {
            let found = format!("{} arrays: {}", names.len(), names.join(", "));
            let expected = "one named `embeddings`, or a single one";
            return Err(VectorError::NoMatrix { path: path.to_owned(), found, expected });
        }
    };
    let name = format!("{name}{ENDING}");
    read_array(path, BufReader::new(archive.by_name(&name).map_err(damaged)?))
}
