//! The idx format of MNIST and its kin: a header of big-endian numbers, then bytes.
//!
//! Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", section "File
//! formats". A header is two zero bytes, the type of the values, the number of dimensions, and each
//! dimension as 32 bits.

use std::path::{Path, PathBuf};

use super::{ImageSet, ImageShape};
use crate::labelled::{relabel, sort_classes};
use crate::{DataError, read};

/// The type of values that are unsigned bytes.
const BYTES: u8 = 0x08;

/// Images and, from the other file, their labels. The classes are the labels that appear.
pub(crate) fn read(images: &Path, labels: &Path) -> Result<ImageSet, DataError> {
    let (shape, pixels) = read_images(images)?;
    let count = pixels.len() / shape.values();
    let idx = Idx::read(labels, "labels", &[1], "0x00000801")?;
    if idx.values.len() != count {
        return Err(DataError::LabelCount {
            path: labels.to_owned(),
            images: images.to_owned(),
            found: idx.values.len(),
            expected: count,
        });
    }
    let mut appear = [false; 256];
    idx.values.iter().for_each(|&label| appear[usize::from(label)] = true);
    let names = |label: u8| label.to_string();
    let classes =
        sort_classes((0..=u8::MAX).filter(|&label| appear[usize::from(label)]).map(names).collect());
    let mut labels: Vec<u32> = idx.values.into_iter().map(u32::from).collect();
    relabel(&mut labels, &(0..=u8::MAX).map(names).collect::<Vec<_>>(), &classes)?;
    ImageSet::new(shape, pixels, labels, classes)
}

/// Images without labels: their shape and all values.
pub(super) fn read_images(path: &Path) -> Result<(ImageShape, Vec<u8>), DataError> {
    let idx = Idx::read(path, "images", &[3, 4], "0x00000803 or 0x00000804")?;
    let shape = ImageShape {
        height: idx.dimensions[1],
        width: idx.dimensions[2],
        channels: idx.dimensions.get(3).copied().unwrap_or(1),
    };
    match idx.values.is_empty() {
        true => Err(DataError::NoImages { path: path.to_owned() }),
        false => Ok((shape, idx.values)),
    }
}

/// Whether a name is that of a file of images.
pub(crate) fn is_idx_images(path: &Path) -> bool {
    let (stem, _) = read::split_compression(path);
    let stem = stem.trim_end_matches("-ubyte");
    stem.ends_with("idx3") || stem.ends_with("idx4")
}

/// Whether a name is that of a file of labels.
pub(crate) fn is_idx_labels(path: &Path) -> bool {
    read::split_compression(path).0.trim_end_matches("-ubyte").ends_with("idx1")
}

/// The labels that lie beside a file of images, under its name with `images` replaced by `labels` and
/// `idx3` or `idx4` by `idx1`; they may be compressed in another way.
pub(crate) fn find_labels(images: &Path) -> Result<PathBuf, DataError> {
    let name = images.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1");
    let stem = name.trim_end_matches(".gz").trim_end_matches(".zst");
    let candidates = [name.clone(), stem.to_owned(), format!("{stem}.gz"), format!("{stem}.zst")];
    let mut paths = candidates.into_iter().map(|name| images.with_file_name(name));
    // A name without `images` stands for itself, which is no file of labels.
    let found = paths.find(|path| path != images && path.is_file());
    found.ok_or_else(|| DataError::LabelsMissing {
        path: images.to_owned(),
        tried: images.with_file_name(&name),
    })
}

/// The contents of an idx file of bytes.
#[derive(Debug)]
struct Idx {
    dimensions: Vec<usize>,
    values: Vec<u8>,
}

impl Idx {
    fn read(
        path: &Path,
        kind: &'static str,
        ranks: &[u8],
        expected: &'static str,
    ) -> Result<Self, DataError> {
        let (_, compression) = read::split_compression(path);
        let mut bytes = read::bytes(path, compression)?;
        let length = |header: String, expected: u128| {
            Err(DataError::IdxLength { path: path.to_owned(), header, expected, found: bytes.len() })
        };
        let Some((&magic, rest)) = bytes.split_first_chunk::<4>() else {
            return length("its first four bytes".to_owned(), 4);
        };
        let [0, 0, BYTES, rank] = magic else { return not_idx(path, kind, expected, magic) };
        if !ranks.contains(&rank) {
            return not_idx(path, kind, expected, magic);
        }
        let (numbers, _) = rest.as_chunks::<4>();
        let header = 4 + 4 * usize::from(rank);
        let Some(numbers) = numbers.get(..usize::from(rank)) else {
            return length(format!("{rank} dimensions"), header as u128);
        };
        let dimensions: Vec<u32> = numbers.iter().map(|&number| u32::from_be_bytes(number)).collect();
        // Four numbers of 32 bits have a product of 128. Only bytes that are there are kept.
        let promised = header as u128 + dimensions.iter().map(|&size| u128::from(size)).product::<u128>();
        if promised != bytes.len() as u128 {
            let sizes: Vec<String> = dimensions.iter().map(u32::to_string).collect();
            return length(sizes.join(" × "), promised);
        }
        bytes.drain(..header);
        Ok(Idx { dimensions: dimensions.into_iter().map(|size| size as usize).collect(), values: bytes })
    }
}

fn not_idx<T>(
    path: &Path,
    kind: &'static str,
    expected: &'static str,
    magic: [u8; 4],
) -> Result<T, DataError> {
    let found = u32::from_be_bytes(magic);
    Err(DataError::NotIdx { path: path.to_owned(), kind, expected, found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_by_the_name_of_the_images() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let pairs = [
            ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
            ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
            ("colour-images-idx4-ubyte", "colour-labels-idx1-ubyte"),
            ("other-images-idx3-ubyte.zst", "other-labels-idx1-ubyte"),
        ];
        for (images, labels) in pairs {
            std::fs::write(path(labels), "").unwrap();
            assert_eq!(find_labels(&path(images)).unwrap(), path(labels));
            assert!(is_idx_images(&path(images)) && !is_idx_labels(&path(images)));
            assert!(is_idx_labels(&path(labels)) && !is_idx_images(&path(labels)));
        }
        std::fs::write(path("scans"), "").unwrap();
        let error = find_labels(&path("scans")).unwrap_err();
        assert!(matches!(error, DataError::LabelsMissing { .. }));
        let error = find_labels(&path("new-images-idx3-ubyte")).unwrap_err();
        assert!(error.to_string().ends_with("new-labels-idx1-ubyte does not exist"), "{error}");
    }
}
