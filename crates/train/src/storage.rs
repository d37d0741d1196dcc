//! Writing files so that a crash at any instant leaves either the old state or the new one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::TrainError;

/// Beginning of the name of everything that is not finished.
pub(crate) const PARTIAL: &str = ".partial-";

/// Size and hash of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// Length in bytes.
    pub bytes: u64,
    /// XXH3, 64 bits, hexadecimal.
    pub xxh3: String,
}

impl Checksum {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Checksum { bytes: bytes.len() as u64, xxh3: format!("{:016x}", xxh3_64(bytes)) }
    }
}

/// Writes a file whole or not at all.
///
/// # Errors
/// [`TrainError::Write`]; the file that was there before is untouched.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let partial = partial(path);
    write_synced(&partial, bytes)
        .and_then(|()| fs::rename(&partial, path).map_err(TrainError::write(path)))
        .inspect_err(|_| {
            // The error is already on its way; a left-over partial file is swept on the next start.
            let _ = fs::remove_file(&partial);
        })?;
    sync_parent(path)
}

/// A folder under construction beside its final place.
pub struct StagedFolder {
    target: PathBuf,
    staging: PathBuf,
    checksums: BTreeMap<String, Checksum>,
    committed: bool,
}

impl StagedFolder {
    /// Begins a folder that will appear at `target`.
    ///
    /// # Errors
    /// [`TrainError::Write`] if nothing can be made there.
    pub fn new(target: &Path) -> Result<Self, TrainError> {
        let staging = partial(target);
        if staging.exists() {
            fs::remove_dir_all(&staging).map_err(TrainError::write(&staging))?;
        }
        fs::create_dir_all(&staging).map_err(TrainError::write(&staging))?;
        Ok(StagedFolder { target: target.to_owned(), staging, checksums: BTreeMap::new(), committed: false })
    }

    /// Where the files are while the folder is under construction.
    pub fn path(&self) -> &Path {
        &self.staging
    }

    /// Adds a file.
    ///
    /// # Errors
    /// [`TrainError::Write`], for instance when the disk is full.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), TrainError> {
        write_synced(&self.staging.join(name), bytes)?;
        self.checksums.insert(name.to_owned(), Checksum::of(bytes));
        Ok(())
    }

    /// Adds a folder for files that are written as `name/…`.
    ///
    /// # Errors
    /// [`TrainError::Write`].
    pub fn make(&mut self, name: &str) -> Result<(), TrainError> {
        let path = self.staging.join(name);
        fs::create_dir(&path).map_err(TrainError::write(&path))
    }

    /// Size and hash of every file so far.
    pub fn checksums(&self) -> &BTreeMap<String, Checksum> {
        &self.checksums
    }

    /// Puts the folder in its place, replacing one that is there.
    ///
    /// # Errors
    /// [`TrainError::Write`].
    pub fn commit(mut self) -> Result<PathBuf, TrainError> {
        sync_folder(&self.staging)?;
        let old = self.target.exists().then(|| self.target.with_file_name(format!("{PARTIAL}replaced")));
        if let Some(old) = &old {
            if old.exists() {
                fs::remove_dir_all(old).map_err(TrainError::write(old))?;
            }
            fs::rename(&self.target, old).map_err(TrainError::write(&self.target))?;
        }
        fs::rename(&self.staging, &self.target).map_err(TrainError::write(&self.target))?;
        self.committed = true;
        sync_parent(&self.target)?;
        if let Some(old) = &old {
            fs::remove_dir_all(old).map_err(TrainError::write(old))?;
        }
        Ok(self.target.clone())
    }
}

impl Drop for StagedFolder {
    fn drop(&mut self) {
        if !self.committed {
            // Reached only on an error that is already on its way; what stays is swept on the next start.
            let _ = fs::remove_dir_all(&self.staging);
        }
    }
}

/// Removes what an interrupted write left in `folder`.
///
/// # Errors
/// [`TrainError::Read`] or [`TrainError::Write`].
pub fn sweep(folder: &Path) -> Result<(), TrainError> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(TrainError::read(folder))? {
        let path = entry.map_err(TrainError::read(folder))?.path();
        if !is_partial(&path) {
            continue;
        }
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(TrainError::write(&path))?;
    }
    Ok(())
}

/// Whether this is the name of something unfinished.
pub fn is_partial(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PARTIAL))
}

/// Reads a whole file.
///
/// # Errors
/// [`TrainError::Read`].
pub fn read(path: &Path) -> Result<Vec<u8>, TrainError> {
    fs::read(path).map_err(TrainError::read(path))
}

fn partial(path: &Path) -> PathBuf {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    path.with_file_name(format!("{PARTIAL}{name}"))
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let write = || -> std::io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(TrainError::write(path))
}

fn sync_parent(path: &Path) -> Result<(), TrainError> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => Ok(()),
    }
}

/// Makes the names in a folder durable. Windows cannot open folders and does not need it.
fn sync_folder(path: &Path) -> Result<(), TrainError> {
    if cfg!(windows) {
        return Ok(());
    }
    File::open(path).and_then(|folder| folder.sync_all()).map_err(TrainError::write(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_appears_whole_and_replaces_its_predecessor() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("model");
        for content in [b"first", b"again"] {
            let mut folder = StagedFolder::new(&target).unwrap();
            folder.write("a", content).unwrap();
            folder.commit().unwrap();
            assert_eq!(fs::read(target.join("a")).unwrap(), content);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_abandoned_folder_leaves_no_trace() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("model");
        drop(StagedFolder::new(&target).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn sweep_takes_only_unfinished_things() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".partial-step-1")).unwrap();
        fs::write(dir.path().join(".partial-config.toml"), "x").unwrap();
        fs::write(dir.path().join("kept"), "x").unwrap();
        sweep(dir.path()).unwrap();
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["kept"]);
    }
}
