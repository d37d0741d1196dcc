//! What the names under `data.train` and `data.evaluate` stand for.

use std::path::{Path, PathBuf};

use crate::image::{Cifar, has_class_folders, is_cifar, is_idx_images, is_idx_labels, is_picture};
use crate::{DataError, FileFormat, read};

/// A file, or a folder that is one data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Idx(PathBuf),
    /// Without a kind where only the length of the file tells it.
    Cifar(PathBuf, Option<Cifar>),
    /// A folder of class folders.
    Folder(PathBuf),
    Text(PathBuf),
}

impl Source {
    pub fn path(&self) -> &Path {
        match self {
            Source::Idx(path) | Source::Cifar(path, _) | Source::Folder(path) | Source::Text(path) => path,
        }
    }
}

/// All sources of some paths, in order; folders of files stand for their files sorted by name.
pub(super) fn sources(paths: &[PathBuf], format: FileFormat) -> Result<Vec<Source>, DataError> {
    let mut all = Vec::new();
    for path in paths {
        if !path.exists() {
            return Err(DataError::Missing { path: path.clone() });
        }
        let folder_of_classes = match format {
            FileFormat::ImageFolder => true,
            FileFormat::Auto => path.is_dir() && has_class_folders(path)?,
            _ => false,
        };
        if folder_of_classes && !path.is_dir() {
            return Err(DataError::NotAFolder { path: path.clone() });
        } else if folder_of_classes {
            all.push(Source::Folder(path.clone()));
        } else if path.is_dir() {
            all.extend(files(path, format)?);
        } else {
            all.push(file(path, format)?);
        }
    }
    Ok(all)
}

fn file(path: &Path, format: FileFormat) -> Result<Source, DataError> {
    let owned = path.to_owned();
    Ok(match format {
        FileFormat::Idx => Source::Idx(owned),
        FileFormat::Cifar10 => Source::Cifar(owned, Some(Cifar::Ten)),
        FileFormat::Cifar100 => Source::Cifar(owned, Some(Cifar::Hundred)),
        FileFormat::Auto if is_idx_images(path) => Source::Idx(owned),
        FileFormat::Auto if is_cifar(path) => Source::Cifar(owned, None),
        FileFormat::Auto if is_picture(path) => return Err(DataError::NoClass { path: owned }),
        // The reader finds out whether the name tells a format.
        _ => Source::Text(owned),
    })
}

/// The data files of a folder. Labels come with their images.
fn files(folder: &Path, format: FileFormat) -> Result<Vec<Source>, DataError> {
    let known = |path: &PathBuf| match format {
        FileFormat::Idx => is_idx_images(path),
        FileFormat::Cifar10 | FileFormat::Cifar100 => is_cifar(path),
        _ if is_idx_labels(path) || is_picture(path) => false,
        FileFormat::Auto if is_idx_images(path) || is_cifar(path) => true,
        _ => read::detect(path, FileFormat::Auto).is_ok(),
    };
    let mut paths = read::entries(folder)?;
    paths.retain(|path| path.is_file() && known(path));
    if paths.is_empty() {
        return Err(DataError::EmptyFolder { path: folder.to_owned() });
    }
    paths.iter().map(|path| file(path, format)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_folders_tell_what_they_hold() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "x").unwrap();
            path
        };
        let pets = write("pets/cat/1.png");
        let folder = pets.parent().unwrap().parent().unwrap().to_owned();
        for name in [
            "mixed/b.bin",
            "mixed/a-images-idx3-ubyte",
            "mixed/a-labels-idx1-ubyte",
            "mixed/c.jsonl",
            "mixed/x",
        ] {
            write(name);
        }
        let mixed = root.path().join("mixed");
        let found = sources(&[folder.clone(), mixed.clone()], FileFormat::Auto).unwrap();
        let expected = [
            Source::Folder(folder),
            Source::Idx(mixed.join("a-images-idx3-ubyte")),
            Source::Cifar(mixed.join("b.bin"), None),
            Source::Text(mixed.join("c.jsonl")),
        ];
        assert_eq!(found, expected);
        let stated = sources(std::slice::from_ref(&mixed), FileFormat::Cifar100).unwrap();
        assert_eq!(stated, [Source::Cifar(mixed.join("b.bin"), Some(Cifar::Hundred))]);
        assert!(matches!(sources(&[pets], FileFormat::Auto), Err(DataError::NoClass { .. })));
        let missing = sources(&[root.path().join("no")], FileFormat::Auto);
        assert!(matches!(missing, Err(DataError::Missing { .. })));
    }
}
