//! A file that only grows, from a known length.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::TrainError;

/// An open file and the length of what it holds.
pub(super) struct AppendFile {
    path: PathBuf,
    file: File,
    length: u64,
}

impl AppendFile {
    /// Opens or makes a file and cuts it back to `length`.
    pub fn open(path: &Path, length: u64) -> Result<Self, TrainError> {
        let open = || -> std::io::Result<(File, u64)> {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            let found = file.metadata()?.len();
            Ok((file, found))
        };
        let (mut file, found) = open().map_err(TrainError::write(path))?;
        if found < length {
            return Err(TrainError::LogTooShort { path: path.to_owned(), expected: length, found });
        }
        file.set_len(length)
            .and_then(|()| file.seek(SeekFrom::Start(length)))
            .map_err(TrainError::write(path))?;
        Ok(AppendFile { path: path.to_owned(), file, length })
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends; the bytes are handed to the system at once, so that a reader sees whole lines.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), TrainError> {
        self.file.write_all(bytes).map_err(TrainError::write(&self.path))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Makes the content durable and returns its length.
    pub fn sync(&mut self) -> Result<u64, TrainError> {
        self.file.sync_data().map_err(TrainError::write(&self.path))?;
        Ok(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reopening_cuts_back_and_a_short_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut file = AppendFile::open(&path, 0).unwrap();
        file.write(b"known").unwrap();
        assert_eq!(file.sync().unwrap(), 5);
        file.write(b" and forgotten").unwrap();
        let mut again = AppendFile::open(&path, 5).unwrap();
        again.write(b"!").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"known!");
        assert!(matches!(
            AppendFile::open(&path, 9),
            Err(TrainError::LogTooShort { expected: 9, found: 6, .. })
        ));
    }
}
