//! The binary versions of CIFAR-10 and CIFAR-100: records of labels and a 32 × 32 colour image.
//!
//! Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009; layout as on the
//! page of the data sets. A record of CIFAR-10 is the label and 3072 values; one of CIFAR-100 the
//! coarse label, the fine label and 3072 values. Values are planar: all red, all green, all blue.

use std::path::Path;

use super::{Cifar100Label, ImageSet, ImageShape};
use crate::{DataError, read};

const SHAPE: ImageShape = ImageShape { height: 32, width: 32, channels: 3 };
const PLANE: usize = 32 * 32;

/// Which of the two data sets a file is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cifar {
    Ten,
    Hundred,
}

impl Cifar {
    /// How many classes each label of a record has.
    fn labels(self) -> &'static [usize] {
        match self {
            Cifar::Ten => &[10],
            Cifar::Hundred => &[20, 100],
        }
    }

    fn record(self) -> usize {
        self.labels().len() + SHAPE.height * SHAPE.width * SHAPE.channels
    }
}

/// Whether a name is that of a file of records.
pub(crate) fn is_cifar(path: &Path) -> bool {
    read::split_compression(path).0.ends_with(".bin")
}

/// The images of a file. Without a kind, the length of the file tells it.
pub(crate) fn read(path: &Path, kind: Option<Cifar>, label: Cifar100Label) -> Result<ImageSet, DataError> {
    let (_, compression) = read::split_compression(path);
    let bytes = read::bytes(path, compression)?;
    if bytes.is_empty() {
        return Err(DataError::NoImages { path: path.to_owned() });
    }
    let kind = kind_of(path, bytes.len(), kind)?;
    let (chosen, names) = match (kind, label) {
        (Cifar::Ten, _) => (0, "batches.meta.txt"),
        (Cifar::Hundred, Cifar100Label::Coarse) => (0, "coarse_label_names.txt"),
        (Cifar::Hundred, Cifar100Label::Fine) => (1, "fine_label_names.txt"),
    };
    let mut pixels = Vec::with_capacity(bytes.len());
    let mut labels = Vec::with_capacity(bytes.len() / kind.record());
    for (index, record) in bytes.chunks_exact(kind.record()).enumerate() {
        let (own, planes) = record.split_at(kind.labels().len());
        for (&label, &classes) in own.iter().zip(kind.labels()) {
            if usize::from(label) >= classes {
                let place = format!("{}, record {}", path.display(), index + 1);
                return Err(DataError::LabelRange { place, label: u32::from(label), classes });
            }
        }
        labels.push(u32::from(own[chosen]));
        pixels
            .extend((0..PLANE).flat_map(|pixel| (0..3).map(move |channel| planes[channel * PLANE + pixel])));
    }
    ImageSet::new(SHAPE, pixels, labels, class_names(&path.with_file_name(names), kind.labels()[chosen])?)
}

fn kind_of(path: &Path, bytes: usize, stated: Option<Cifar>) -> Result<Cifar, DataError> {
    let fits = |kind: Cifar| bytes.is_multiple_of(kind.record());
    let wrong = |record| Err(DataError::CifarLength { path: path.to_owned(), bytes, record });
    match (stated, fits(Cifar::Ten), fits(Cifar::Hundred)) {
        (Some(Cifar::Ten), false, _) => wrong("3073"),
        (Some(Cifar::Hundred), _, false) => wrong("3074"),
        (Some(kind), ..) => Ok(kind),
        (None, true, false) => Ok(Cifar::Ten),
        (None, false, true) => Ok(Cifar::Hundred),
        (None, true, true) => Err(DataError::CifarKind { path: path.to_owned(), bytes }),
        (None, false, false) => wrong("3073 or 3074"),
    }
}

/// The names in the file that comes with the data set, or numbers where it is not there.
fn class_names(path: &Path, classes: usize) -> Result<Vec<String>, DataError> {
    if !path.is_file() {
        return Ok((0..classes).map(|class| class.to_string()).collect());
    }
    let text = read::file_text(path, read::Compression::None)?;
    let names: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    let names: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
    if names.len() != classes {
        return Err(DataError::ClassNames { path: path.to_owned(), found: names.len(), expected: classes });
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_file_tells_its_kind() {
        let kind = |bytes, stated| kind_of(Path::new("a.bin"), bytes, stated);
        assert_eq!(kind(2 * 3073, None).unwrap(), Cifar::Ten);
        assert_eq!(kind(3 * 3074, None).unwrap(), Cifar::Hundred);
        let both = 3073 * 3074;
        assert!(matches!(kind(both, None), Err(DataError::CifarKind { .. })));
        assert_eq!(kind(both, Some(Cifar::Hundred)).unwrap(), Cifar::Hundred);
        for (bytes, stated) in [(3072, None), (3073, Some(Cifar::Hundred)), (3074, Some(Cifar::Ten))] {
            assert!(matches!(kind(bytes, stated), Err(DataError::CifarLength { .. })), "{bytes}");
        }
    }
}
