//! Folders of pictures, one for each class.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Conversion, ImageSet, ImageShape, is_picture, picture};
use crate::labelled::{relabel, sort_classes};
use crate::{DataError, read};

/// Pictures that are decoded before their values are moved to the others.
const ROUND: usize = 256;

/// The pictures in the class folders of `path`, class by class and sorted by name in each.
pub(crate) fn read(path: &Path, conversion: Conversion) -> Result<ImageSet, DataError> {
    let mut folders = Vec::new();
    for entry in visible(path)? {
        if entry.is_dir() {
            let name = entry.file_name().map(|name| name.to_string_lossy().into_owned());
            folders.push((name.unwrap_or_default(), entry));
        } else if is_picture(&entry) {
            return Err(DataError::NoClass { path: entry });
        }
    }
    if folders.is_empty() {
        return Err(DataError::EmptyFolder { path: path.to_owned() });
    }
    let names: Vec<String> = folders.iter().map(|(name, _)| name.clone()).collect();
    let (mut files, mut labels) = (Vec::new(), Vec::new());
    for (class, (_, folder)) in folders.iter().enumerate() {
        let pictures = pictures(folder)?;
        if pictures.is_empty() {
            return Err(DataError::EmptyClass { path: folder.clone() });
        }
        labels.extend(std::iter::repeat_n(class as u32, pictures.len()));
        files.extend(pictures);
    }
    let classes = sort_classes(names.clone());
    relabel(&mut labels, &names, &classes)?;
    let (shape, pixels) = read_pictures(path, &files, conversion)?;
    ImageSet::new(shape, pixels, labels, classes)
}

/// Whether a folder holds folders with pictures.
pub(crate) fn has_class_folders(path: &Path) -> Result<bool, DataError> {
    for entry in visible(path)? {
        if entry.is_dir() && !pictures(&entry)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The pictures that lie in a folder, sorted by name.
pub(super) fn pictures(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut files = visible(folder)?;
    files.retain(|file| is_picture(file) && file.is_file());
    Ok(files)
}

/// The common shape and the values of pictures from one folder.
pub(super) fn read_pictures(
    folder: &Path,
    files: &[PathBuf],
    conversion: Conversion,
) -> Result<(ImageShape, Vec<u8>), DataError> {
    let mut pixels = Vec::new();
    let mut first: Option<ImageShape> = None;
    for round in files.chunks(ROUND) {
        let decoded: Vec<_> =
            round.par_iter().map(|file| conversion.picture(file, picture::read(file)?)).collect();
        for (file, outcome) in round.iter().zip(decoded) {
            let (found, values) = outcome?;
            let expected = *first.get_or_insert(found);
            if found != expected {
                let (path, first) = (file.clone(), files[0].clone());
                return Err(DataError::ImagesDiffer { path, found, first, expected });
            }
            pixels.extend_from_slice(&values);
        }
    }
    let shape = first.ok_or_else(|| DataError::NoImages { path: folder.to_owned() })?;
    Ok((shape, pixels))
}

/// What a folder holds, without what editors and file managers hide in it.
fn visible(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut entries = read::entries(folder)?;
    entries.retain(|entry| entry.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
    Ok(entries)
}
